"""Where scene flow begins: the curve of a thing's distance from its growth, and the span that its outline leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from engine.training.followed import Start, Stops, Table
from engine.training.growth import curves
from engine.training.outlines import level, levels

FRAMES = 20


def followed(start: np.ndarray, true: np.ndarray, sure: np.ndarray) -> Table:
    """One thing of 40 pixels, seen over gaps of 1 and 4 frames, with growth as noisy as flow makes it and a tenth of it nonsense."""
    random = np.random.default_rng(3)
    first, gap = (part.ravel() for part in np.meshgrid(np.arange(FRAMES), [1, 4], indexing="ij"))
    first, gap = first[first + gap < FRAMES], gap[first + gap < FRAMES]
    first, gap = np.repeat(first, 40), np.repeat(gap, 40)
    last = first + gap
    growth = true[first] - true[last] + 0.02 * random.standard_normal(len(first))
    growth[::10] = random.uniform(-1, 1, len(growth[::10]))

    def stops(frame: np.ndarray) -> Stops:
        nothing = torch.zeros(len(frame), 2)
        return Stops(torch.from_numpy(frame), nothing, torch.zeros(len(frame), 3), torch.from_numpy(start[frame]),
                     torch.from_numpy(sure[frame]), torch.ones(len(frame), dtype=torch.long))

    return Table(stops(first), stops(last), torch.from_numpy(gap), torch.from_numpy(growth), torch.ones(len(first), dtype=torch.bool))


def test_growth_mends_a_start_that_drifts_where_it_is_unsure() -> None:
    time = np.arange(FRAMES)
    true = np.log(4.0 - 0.05 * time)
    start = true + np.where(time < 5, 0.0, 0.05 * (time - 4))
    found = curves(followed(start, true, np.where(time < 5, 0.5, 0.03)), 2, FRAMES)[1]
    assert np.abs(start - true).max() > 0.7
    assert np.abs(start + found - true).max() < 0.03


def test_a_good_start_is_left_alone() -> None:
    true = np.full(FRAMES, 1.2)
    found = curves(followed(true, true, np.full(FRAMES, 0.5)), 2, FRAMES)[1]
    assert (found == 0).all()


def test_growth_that_contradicts_itself_is_not_believed() -> None:
    """A start that is right, and growth that is another nonsense for every two frames: nothing is made of it."""
    true, random = np.full(FRAMES, 1.2), np.random.default_rng(5)
    table = followed(true, true, np.full(FRAMES, 0.05))
    nonsense = random.normal(0, 0.2, (FRAMES, FRAMES))[table.here.frame, table.there.frame]
    assert (curves(replace(table, growth=torch.from_numpy(nonsense)), 2, FRAMES)[1] == 0).all()


def test_what_nobody_saw_standing_keeps_its_level() -> None:
    time = np.arange(FRAMES)
    true = np.log(4.0 - 0.05 * time)
    start = true + 0.4 + 0.1 * np.sin(time)
    found = curves(followed(start, true, np.full(FRAMES, 0.03)), 2, FRAMES)[1]
    assert abs(found.mean()) < 0.02 and np.std(start + found - true) < 0.02


def test_spans_of_all_frames_together_are_narrow() -> None:
    near, far = np.full(FRAMES, 0.8), np.full(FRAMES, 2.4)
    near[7], far[12] = 1.4, 1.5
    assert 1.35 < 0.9 + level(np.full(FRAMES, 0.9), near, far) < 1.55


def test_what_was_seen_standing_is_not_shifted() -> None:
    depth = np.full((60, 80), 8.0, np.float32)
    plane = np.zeros((60, 80), int)
    plane[20:50, 30:45] = 1
    depth[50:] = 2.0
    depth[plane == 1] = 7.5
    for sure, shifted in ((0.02, True), (0.5, False)):
        confidence = np.where(plane == 1, sure, 0.9).astype(np.float32)
        start = Start((80, 60), [depth] * 3, [confidence] * 3, [plane == 1] * 3)
        found = levels(start, [plane] * 3, np.zeros((2, 3)))
        assert (found[1] < -0.2) == shifted
