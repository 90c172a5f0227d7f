"""The slow-motion room, sampling: pictures and flows seen at displaced places; OpenCV and numpy only."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Flow = NDArray[np.float32]  # [H, W, 2] px, x right, y down
Map = NDArray[np.float32]  # [H, W]


def look(picture: NDArray[np.float32], offset: Flow, how: int = cv2.INTER_LINEAR) -> NDArray[np.float32]:
    """The picture, plane or flow [H, W(, C)] seen at each pixel plus the offset; the border goes on outside."""
    x, y = _grid(*picture.shape[:2])
    return cv2.remap(picture, x + offset[..., 0], y + offset[..., 1], how, borderMode=cv2.BORDER_REPLICATE)


def inverse(displacement: Flow, rounds: int = 6) -> Flow:
    """From each pixel at the later time the offset back to where it came from: the fixed point o(x) = -displacement(x + o(x))."""
    offset = -displacement
    for _ in range(rounds):
        offset = -look(displacement, offset)
    return offset


def length(flow: Flow) -> Map:
    """The length of each vector, px."""
    x, y = cv2.split(flow)
    return cv2.magnitude(x, y)


@lru_cache(4)
def _grid(high: int, wide: int) -> tuple[Map, Map]:
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    return x, y
