"""What hangs together with a still body: its depth is taken from there; what only passes before a body keeps its own."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.dense import subjects
from engine.dense.joints import Joints
from engine.geometry.contact import Stand

WIDTH, HEIGHT, FOCAL = 160, 120, 150.0
WALL, BODY, STEP = 0.2, 0.5, 0.1  # inverse depths, and how far the camera goes to the side
y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
HEAD = (abs(x - 80) < 22) & (y > 30) & (y < 70)
TRUNK = (abs(x - 80) < 26) & (y >= 70)
RHO = np.where(TRUNK, BODY, WALL).astype(np.float32)


def shot(motion: np.ndarray, body: float = BODY) -> SimpleNamespace:
    """Two frames of a grey body before a bright wall; its head is seen to go to the side by `motion` [H, W] px, beside what the camera does."""
    picture = np.repeat(np.where(HEAD | TRUNK, 0.3, 0.7)[..., None], 3, 2).astype(np.float32)
    rays = np.stack([(x + 0.5 - WIDTH / 2) / FOCAL, (y + 0.5 - HEIGHT / 2) / FOCAL, np.ones_like(x)], -1)
    relative = np.eye(4)
    relative[0, 3] = -STEP
    still = -FOCAL * STEP * np.where(HEAD, body, RHO)
    flow = np.stack([still + np.where(HEAD, motion, 0), np.zeros_like(x)], -1).astype(np.float32)
    lens = SimpleNamespace(
        focal=np.full((2, 2), FOCAL), centre=np.array([[WIDTH / 2, HEIGHT / 2]] * 2), distortion=np.zeros((2, 4)), world_from_camera=np.stack([np.eye(4)] * 2),
    )
    return SimpleNamespace(
        size=(WIDTH, HEIGHT), gaps=(1,), camera=lens, row=lambda number: number, neighbour=lambda number, gap: 1 if gap == 1 else None,
        flow=lambda number, gap: (flow, np.ones(HEAD.shape, bool)), picture=lambda number: picture, rays=lambda row: rays,
        relative=lambda here, there: relative,
    )


TURNS, PASSES = 0.25 * (70 - y), np.full_like(x, 6.0)  # px


@pytest.mark.parametrize("motion, stand, found", [
    (TURNS, Stand(0.3, 0.03, "front"), BODY), (PASSES, Stand(0.3, 0.03, "front"), None), (TURNS, Stand(0.3, 1.0, "ground"), BODY),
    (TURNS, Stand(0.42, 1.0, "ground"), None), (TURNS, Stand(0.3, 0.05, "guess"), None),
])
def test_a_head_that_turns_is_as_far_off_as_its_body_and_what_passes_before_it_is_not(motion, stand, found) -> None:
    """Ground that it seems to touch is believed unless the body is clearly nearer."""
    near = Joints(shot(motion), 0, RHO, ~HEAD, ~HEAD, torch.device("cpu")).near(HEAD, stand)
    assert near == (pytest.approx(found, rel=0.05) if found else None)


def test_what_it_hangs_from_is_nearer_than_what_it_hides() -> None:
    behind = Joints(shot(TURNS, 0.1), 0, np.where(TRUNK, 0.1, WALL).astype(np.float32), ~HEAD, ~HEAD, torch.device("cpu"))
    assert behind.near(HEAD, Stand(0.21, 0.03, "front")) is None
    assert behind.near(HEAD, Stand(0.1, 0.03, "front")) == pytest.approx(0.1, rel=0.05)


def test_few_frames_make_no_joint() -> None:
    told = [[[0.3, 0.03, "front"], [0.2, 1.0, "ground"]] for _ in range(6)]
    names = [np.array([0, 1])] * 6
    often = subjects.belonging(told, [[0.5, None]] * 3 + [[None, None]] * 3, names)
    assert [some[0][2] for some in often] == ["joint"] * 3 + ["front"] * 3 and all(some[1] == [0.2, 1.0, "ground"] for some in often)
    assert subjects.belonging(told, [[0.5, None]] + [[None, None]] * 5, names) == told


def test_what_hangs_before_the_ground_leaves_it_in_all_frames_where_most_say_so() -> None:
    told = [[[0.3, 0.9, "ground"]] for _ in range(6)]
    hangs = subjects.belonging(told, [[0.5]] * 5 + [[None]], [np.array([0])] * 6)
    assert [some[0][2] for some in hangs] == ["joint"] * 5 + ["front"] and hangs[5][0][1] < 0.1
    assert subjects.belonging(told, [[0.5]] * 3 + [[None]] * 3, [np.array([0])] * 6) == told
