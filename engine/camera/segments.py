"""Camera room: straight edges of a few pictures as directions in the solved world; OpenCV finds them, no torch, no pycolmap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import lens
from ..geometry.camera import Camera
from ..geometry.evenly import evenly

Array = NDArray[np.float64]
SHORTEST = 0.03  # of the picture's longest side
VIEWS, MOST = 6, 250  # pictures that are looked at, segments of each


@dataclass(frozen=True)
class Segments:
    """Edges seen from solved views: the ray to the middle of each, and the way it runs across that ray; unit, world axes."""

    middle: Array  # [S, 3]
    way: Array  # [S, 3], across `middle`
    weight: Array  # [S]; those of one view with the mean length sum to about their number, divided by the number of views


def gather(camera: Camera, rows: NDArray[np.int64], read: Callable[[int], NDArray[np.uint8]]) -> Segments:
    """Segments of some of the `rows`; `read(frame)` gives the grey picture [H, W]."""
    some = rows[evenly(len(rows), VIEWS)]
    found = [_of_view(camera, int(row), read(int(camera.frame[row]))) for row in some]
    middle, way, weight = (np.concatenate([entry[k] for entry in found]) for k in range(3))
    return Segments(middle, way, weight / len(some))


def _of_view(camera: Camera, row: int, grey: NDArray[np.uint8]) -> tuple[Array, Array, Array]:
    """Middles, ways and weights of one picture's longest segments (von Gioi et al. 2010, LSD)."""
    scale = camera.size[0] / grey.shape[1]
    lines = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    ends = np.zeros((0, 2, 2)) if lines is None else lines.reshape(-1, 2, 2).astype(np.float64)
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    order = np.argsort(-length, kind="stable")[:MOST]
    order = order[length[order] > SHORTEST * max(grey.shape)]
    pixels = (ends[order] + 0.5) * scale
    rays = lens.unproject(pixels, camera.focal[row], camera.centre[row], camera.distortion[row])
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True) @ camera.world_from_camera[row, :3, :3].T
    middle = rays.sum(1) / np.linalg.norm(rays.sum(1), axis=1, keepdims=True)
    way = rays[:, 1] - rays[:, 0]
    way = way - (way * middle).sum(1, keepdims=True) * middle
    way = way / np.linalg.norm(way, axis=1, keepdims=True)
    # A long edge is found more surely, but is still one edge.
    return middle, way, np.minimum(length[order] / (0.1 * max(grey.shape)), 2.0)
