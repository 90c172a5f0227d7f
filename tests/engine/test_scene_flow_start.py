"""Where scene flow begins: the curve of a thing's distance from its growth, and where it lies, by occlusion and the camera's unrest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from engine.training.followed import Cameras, Start, Stops, Table
from engine.training.growth import curves
from engine.training.keeping import held_out, kept
from engine.training.outlines import floats, level, spans
from engine.training.scene_flow_fit import Fit, Settings
from engine.training.trajectory import Steps, regress

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
    near[5:8], far[12:15] = 1.4, 1.6
    assert 1.35 < 0.9 + level(np.full(FRAMES, 0.9), near, far) < 1.6


def test_what_is_no_nearer_than_what_a_thing_hides_does_not_hide_it() -> None:
    """A bag before stairs: they show below it as well as behind it."""
    assert abs(level(np.full(FRAMES, 1.0), np.full(FRAMES, 1.08), np.full(FRAMES, 1.12))) < 0.03
    assert level(np.full(FRAMES, 1.3), np.full(FRAMES, 1.08), np.full(FRAMES, 1.12)) < -0.1


def test_what_the_lower_edge_cuts_is_hidden_by_nothing() -> None:
    depth = np.full((60, 80), 4.0, np.float32)
    plane = np.zeros((60, 80), int)
    plane[20:, 30:45] = 1
    for mask, told in ((plane, False), (np.where(np.arange(60)[:, None] < 50, plane, 0), True)):
        start = Start((80, 60), [depth], [np.full_like(depth, 0.9)], [mask == 1])
        near, far = spans(start, [mask], 2)
        assert np.isfinite(near[1, 0]) == told and np.isfinite(far[1, 0])


def seen_steps(camera: np.ndarray, thing: np.ndarray, assumed: float) -> Steps:
    """Of paths [T, 3], seen along y, were the thing `assumed` times as far off as it is; 0.5 mm of noise."""
    first, last = np.array([(i, i + gap) for gap in (1, 2, 4) for i in range(len(camera) - gap)]).T
    across = np.tile(np.array([[1.0, 0, 0], [0, 0, 1.0]]), (len(first), 1, 1))
    apart = (thing - camera)[:, [0, 2]] * assumed
    noise = np.random.default_rng(2).normal(0, 5e-4, (len(first), 2))
    return Steps(first.astype(float), last.astype(float), across, apart[last] - apart[first] + noise, (camera[last] - camera[first])[:, [0, 2]])


def test_the_cameras_unrest_tells_how_far_off_a_thing_is() -> None:
    time = np.arange(24.0)[:, None]
    hand = 0.03 * np.concatenate([np.sin(0.5 * time), 0 * time, np.sin(0.35 * time + 1)], 1) + (0.03, 0.0, 0.0) * time
    walker = (-0.05, 0.01, 0.0) * time + 0.03 * np.cos(0.9 * time) * (0.0, 0.0, 1.0)
    for assumed in (0.6, 1.0, 2.0):
        told, error = regress(seen_steps(hand, walker, assumed))
        assert abs(told - assumed) < 0.2 * assumed and abs(told - assumed) < 3 * error < assumed


def test_a_camera_without_unrest_says_that_it_cannot_tell() -> None:
    time = np.arange(24.0)[:, None]
    told, error = regress(seen_steps((0.03, 0.0, 0.0) * time, (-0.05, 0.01, 0.0) * time + 0.02 * np.sin(time) * (1.0, 0.0, 1.0), 2.0))
    assert error > 0.5 * max(told, 1.0)


def test_what_seems_to_stand_and_grows_otherwise_floats() -> None:
    time = np.arange(FRAMES)
    assert floats(0.01 * time) and not floats(0.03 * np.sin(time)) and not floats(np.zeros(2))


def test_learning_makes_nothing_worse() -> None:
    """A thing that stands still before a still camera: steady levels are kept, drifting ones are not, and none moves as a whole."""
    true = np.full(FRAMES, 1.2, np.float32)
    table = followed(true, true, np.full(FRAMES, 0.5))
    ahead = torch.tensor([0.0, 0.0, 1.0]).expand(len(table), 3)
    table = replace(table, here=replace(table.here, ray=ahead), there=replace(table.there, ray=ahead))
    cameras = Cameras(torch.eye(3).expand(FRAMES, 3, 3), torch.zeros(FRAMES, 3), torch.arange(FRAMES).float(), 500.0, 1.0)
    assert 0.2 < held_out(table, FRAMES).float().mean() < 0.3
    steady, drifting = np.full((2, FRAMES), 0.3), 0.04 * np.tile(np.arange(FRAMES), (2, 1))
    for learned, settled, better in ((steady, drifting, True), (drifting, steady, False)):
        found, keeps = kept(Fit(table, cameras, Settings(), learned), settled, table)
        assert keeps[1] == better and np.ptp(found[1]) < 1e-5 and abs(found[1].mean() - settled[1].mean()) < 1e-5
