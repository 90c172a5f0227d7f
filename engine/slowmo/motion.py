"""The slow-motion room, motion: dense flow both ways between two pictures; OpenCV and numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Flow = NDArray[np.float32]  # [H, W, 2] px, x right, y down
Picture = NDArray[np.float32]  # [H, W, 3], 0..255 whatever the depth of its file
SMALLEST = 48  # DIS needs this many pixels on the short side


@dataclass(frozen=True)
class Motion:
    """Where each pixel of one picture is in the other."""

    forward: Flow
    backward: Flow


def find(first: Picture, second: Picture, size: int = 0) -> Motion:
    """DIS flow (Kroeger et al. 2016) both ways, searched at `size` px on the long side at most (0: the pictures' own)."""
    high, wide = first.shape[:2]
    scale = min(1.0, size / max(high, wide)) if size else 1.0
    scale = max(scale, SMALLEST / min(high, wide)) if min(high, wide) * scale < SMALLEST else scale
    small = (max(1, round(wide * scale)), max(1, round(high * scale)))
    a, b = (_grey(picture, small) for picture in (first, second))
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return Motion(_sized(search.calc(a, b, None), wide, high), _sized(search.calc(b, a, None), wide, high))


def _grey(picture: Picture, size: tuple[int, int]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if grey.shape[::-1] != size:
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if size[0] < grey.shape[1] else cv2.INTER_LINEAR)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _sized(flow: Flow, wide: int, high: int) -> Flow:
    if flow.shape[:2] == (high, wide):
        return flow
    scale = np.float32([wide / flow.shape[1], high / flow.shape[0]])
    return cv2.resize(flow, (wide, high), interpolation=cv2.INTER_LINEAR) * scale
