"""The mattes room, colours as bins of Lab: histograms that say what a subject and its scenery look like; numpy and OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BINS = 16  # of each axis


def bins(picture: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The bin of each pixel of [H, W, 3] RGB, 0 .. BINS ** 3 - 1."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.int32)
    chroma = np.clip((lab[..., 1:] - 128) * 8 // 5 + 128, 0, 255) * BINS // 256  # pictures rarely fill these axes
    return (lab[..., 0] * BINS // 256 * BINS + chroma[..., 0]) * BINS + chroma[..., 1]


def blurred(histogram: NDArray[np.floating]) -> NDArray[np.floating]:
    """[BINS ** 3], each colour standing a little for those next to it."""
    cube = histogram.reshape(BINS, BINS, BINS)
    for axis in range(3):
        padded = np.pad(cube, [(int(a == axis), int(a == axis)) for a in range(3)], mode="edge")
        here, before, after = (np.take(padded, range(start, start + BINS), axis) for start in (1, 0, 2))
        cube = 0.5 * here + 0.25 * (before + after)
    return cube.ravel()
