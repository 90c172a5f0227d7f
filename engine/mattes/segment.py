"""The mattes room, segmentation: the mask of what moves, brought to the edges of the picture; numpy and OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def whole(mask: Mask, grow: int, hole: float = 0.01) -> Mask:
    """A mover mask without its safety margin of `grow` px, and with its holes filled up to that part of its blob."""
    inner = mask.astype(np.uint8)
    if grow:
        inner = cv2.erode(inner, disc(grow))
    return fill(inner.astype(bool), hole)


def fill(mask: Mask, hole: float) -> Mask:
    """Holes smaller than `hole` of the mask's area belong to it."""
    count, label, about, _ = cv2.connectedComponentsWithStats((~np.pad(mask, 1)).astype(np.uint8), connectivity=4)
    small = about[:count, cv2.CC_STAT_AREA] < hole * max(1, np.count_nonzero(mask))
    small[0] = False
    small[label[0, 0]] = False
    return mask | small[label][1:-1, 1:-1]


def disc(radius: int) -> NDArray[np.uint8]:
    """A round structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
