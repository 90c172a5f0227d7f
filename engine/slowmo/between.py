"""The slow-motion room, synthesis: the picture between two pictures whose motion is known; OpenCV and numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .motion import Flow, Motion, Picture

Map = NDArray[np.float32]  # [H, W]
ROUNDS = 3  # of the fixed point that turns a flow from a frame into the flow at the time between


@dataclass(frozen=True)
class Hypothesis:
    """One idea of where each pixel at time t comes from, and how far to believe it."""

    to_first: Flow  # offset to the place in the first picture
    to_second: Flow
    share: Map  # of the first picture, 0..1; the second has the rest
    weight: Map


def plan(first: Picture, second: Picture, motion: Motion, t: float) -> list[Hypothesis]:
    """Two motion hypotheses at the time t in (0, 1), each frame weighted by whether it sees the point."""
    out = []
    for m in (at_time(motion.forward, t), -at_time(motion.backward, 1 - t)):
        a, b = look(first, -t * m), look(second, (1 - t) * m)
        disagreement = cv2.boxFilter(np.abs(a - b).mean(-1), -1, (5, 5))
        sees_a = _agree(look(motion.forward, -t * m), m) * (1 - t)
        sees_b = _agree(-look(motion.backward, (1 - t) * m), m) * t
        out.append(Hypothesis(-t * m, (1 - t) * m, sees_a / (sees_a + sees_b), np.exp(-disagreement / 6) + 1e-3))
    return out


def render(hypotheses: list[Hypothesis], first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the plan makes of two pictures [H, W] or [H, W, C]: frames, mattes, anything that moves with them."""
    total, weight = np.zeros_like(first), np.zeros(first.shape[:2], np.float32)
    for one in hypotheses:
        a, b = look(first, one.to_first), look(second, one.to_second)
        total += (b + (a - b) * _like(one.share, a)) * _like(one.weight, a)
        weight += one.weight
    return total / _like(weight, total)


def make(first: Picture, second: Picture, motion: Motion, t: float) -> Picture:
    """The picture [H, W, 3] at the time t in (0, 1)."""
    return render(plan(first, second, motion, t), first, second)


def at_time(flow: Flow, t: float) -> Flow:
    """The motion over the whole interval [H, W, 2] of what is at each pixel at time t, by the fixed point m(x) = flow(x - t m(x))."""
    motion = flow
    for _ in range(ROUNDS):
        motion = look(flow, -t * motion)
    return motion


def look(picture: NDArray[np.float32], offset: Flow) -> NDArray[np.float32]:
    """The picture (or flow) seen at each pixel plus the offset; the border goes on outside."""
    x, y = _grid(*picture.shape[:2])
    return cv2.remap(picture, x + offset[..., 0], y + offset[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def nearest(plane: Map, offset: Flow) -> Map:
    """As `look`, without mixing neighbours."""
    x, y = _grid(*plane.shape[:2])
    return cv2.remap(plane, x + offset[..., 0], y + offset[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def _agree(seen: Flow, hypothesis: Flow) -> Map:
    apart = seen - hypothesis
    return np.exp(-0.5 * cv2.magnitude(apart[..., 0], apart[..., 1])) + 1e-3


def _like(plane: Map, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return plane if picture.ndim == 2 else plane[..., None]


@lru_cache(4)
def _grid(high: int, wide: int) -> tuple[Map, Map]:
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    return x, y
