"""The mattes room, one matte of everybody told apart: each pixel goes to the subject that stands nearest; numpy and OpenCV only."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..geometry import blobs
from ..media.frames import Frames, read_png, write_png

Mask = NDArray[np.bool_]
Labels = NDArray[np.uint8]  # [H, W] ids, 0 is nobody


def core(alpha: NDArray[np.uint16], size: tuple[int, int]) -> Mask:
    """Where somebody surely is, at `size` (W, H)."""
    return cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > 32767


def nearest(labels: Labels, size: tuple[int, int]) -> Labels:
    """The id that lies nearest to each pixel, at `size` (W, H); 0 where there is none at all."""
    if not labels.any():
        return np.zeros(size[::-1], np.uint8)
    return cv2.resize(labels.ravel()[blobs.nearest(labels > 0)], size, interpolation=cv2.INTER_NEAREST)


def write(frames: Frames, everybody: Path, labels: Path, ids: frozenset[int], folder: Path) -> None:
    """alpha/ and foreground/ of the subject `ids`, its share of everybody's."""
    for frame in frames.numbers:
        name = f"{FRAME % frame}.png"
        mine = np.isin(nearest(read_png(labels / name), frames.size), sorted(ids))
        write_png(folder / "foreground" / name, read_png(everybody / "foreground" / name) * mine[..., None])
        write_png(folder / "alpha" / name, read_png(everybody / "alpha" / name) * mine)
