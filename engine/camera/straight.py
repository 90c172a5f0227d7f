"""Camera room: plates without the lens's distortion, and the maps that take it out and put it back; OpenCV, no torch, no pycolmap."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import lens
from ..geometry.camera import Camera
from ..media.frames import write_exr

Field = NDArray[np.float32]  # [H, W, 2] px, pixel centres at +0.5


def straighten(camera: Camera, row: int, size: tuple[int, int]) -> Field:
    """Where on the plate each pixel of a picture without distortion is to be fetched; same size, same focal length."""
    focal, centre, distortion = _lens(camera, row, size)
    ideal = (_grid(size) - centre) / focal
    return (lens.distort(ideal, distortion) * focal + centre).astype(np.float32)


def bend(camera: Camera, row: int, size: tuple[int, int]) -> Field:
    """Where on a picture without distortion each pixel of the plate is to be fetched: what a render needs to sit on it."""
    focal, centre, distortion = _lens(camera, row, size)
    return (lens.undistort((_grid(size) - centre) / focal, distortion) * focal + centre).astype(np.float32)


def fetch(picture: NDArray[np.generic], field: Field) -> NDArray[np.generic]:
    """A picture [H, W, C] read along a field, cubic, black beyond its edges."""
    return cv2.remap(picture, field[..., 0] - 0.5, field[..., 1] - 0.5, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)


def write_map(path: Path, field: Field) -> None:
    """An ST map: red from the left, green from the bottom, both 0..1, as compositors read it; blue is empty."""
    height, width = field.shape[:2]
    write_exr(path, {"R": field[..., 0] / width, "G": 1 - field[..., 1] / height, "B": np.zeros((height, width), np.float32)})


def _grid(size: tuple[int, int]) -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    return np.stack([x, y], -1)


def _lens(camera: Camera, row: int, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    factor = np.asarray(size, float) / np.asarray(camera.size, float)
    return camera.focal[row] * factor, camera.centre[row] * factor, camera.distortion[row]
