"""Camera room: grey pictures to track and 8 bit pictures to write, by way of bytes (paths may hold any letter); OpenCV only."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..store import beside


def read(path: Path, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[np.uint8] | None:
    """The picture as OpenCV reads it (BGR), or None where the file holds none."""
    return cv2.imdecode(np.fromfile(path, np.uint8), flags)


def read_grey(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """One frame as 8 bit grey [H, W] at `size` (W, H), averaged down."""
    picture = read(path, cv2.IMREAD_GRAYSCALE)
    assert picture is not None, path
    if (picture.shape[1], picture.shape[0]) == tuple(size):
        return picture
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def write(path: Path, picture: NDArray[np.uint8]) -> None:
    """PNG, written beside and renamed."""
    with beside(path) as fresh:
        cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tofile(fresh)


def within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """`size` (W, H) shrunk so that no side is longer than `longest`; never enlarged."""
    factor = min(1.0, longest / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
