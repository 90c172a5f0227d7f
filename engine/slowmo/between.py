"""The slow-motion room, synthesis: the picture between two pictures whose motion is known; OpenCV and numpy only."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .motion import Flow, Motion, Picture

Map = NDArray[np.float32]  # [H, W]
ROUNDS = 3  # of the fixed point that turns a flow from a frame into the flow at the time between


def make(first: Picture, second: Picture, motion: Motion, t: float) -> Picture:
    """The picture [H, W, 3] at the time t in (0, 1): two motion hypotheses, each frame weighted by whether it sees the point."""
    m0 = at_time(motion.forward, t)
    m1 = -at_time(motion.backward, 1 - t)
    shown, weights = [], []
    for hypothesis in (m0, m1):
        a, b = look(first, -t * hypothesis), look(second, (1 - t) * hypothesis)
        disagreement = cv2.boxFilter(np.abs(a - b).mean(-1), -1, (5, 5))
        sees_a = _agree(look(motion.forward, -t * hypothesis), hypothesis) * (1 - t)
        sees_b = _agree(-look(motion.backward, (1 - t) * hypothesis), hypothesis) * t
        share = (sees_a / (sees_a + sees_b))[..., None]
        shown.append(a * share + b * (1 - share))
        weights.append(np.exp(-disagreement / 6) + 1e-3)
    share = (weights[0] / (weights[0] + weights[1]))[..., None]
    return shown[0] * share + shown[1] * (1 - share)


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


def _agree(seen: Flow, hypothesis: Flow) -> Map:
    apart = seen - hypothesis
    return np.exp(-0.5 * cv2.magnitude(apart[..., 0], apart[..., 1])) + 1e-3


@lru_cache(4)
def _grid(high: int, wide: int) -> tuple[Map, Map]:
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    return x, y
