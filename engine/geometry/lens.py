"""Geometry of the lens: pixels to rays and back, with the distortion k1 k2 p1 p2 of OpenCV; numpy only.

Pixel centres lie at +0.5. `focal` and `centre` are [..., 2] px, `distortion` [..., 4]; all broadcast against the points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def distort(xy: Array, distortion: Array) -> Array:
    """Ideal normalised coordinates [..., 2] -> where the lens puts them (Brown 1966, as in OpenCV)."""
    k1, k2, p1, p2 = np.moveaxis(np.asarray(distortion, np.float64), -1, 0)
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * k2)
    return np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], -1
    )


def distort_jacobian(xy: Array, distortion: Array) -> Array:
    """Derivative [..., 2, 2] of `distort` by the ideal coordinates."""
    k1, k2, p1, p2 = np.moveaxis(np.asarray(distortion, np.float64), -1, 0)
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial, slope = 1 + r2 * (k1 + r2 * k2), 2 * (k1 + 2 * k2 * r2)
    cross = x * y * slope + 2 * p1 * x + 2 * p2 * y
    top = np.stack([radial + x * x * slope + 2 * p1 * y + 6 * p2 * x, cross], -1)
    bottom = np.stack([cross, radial + y * y * slope + 6 * p1 * y + 2 * p2 * x], -1)
    return np.stack([top, bottom], -2)


def undistort(xy: Array, distortion: Array, rounds: int = 8) -> Array:
    """The inverse of `distort` by Newton's method; steps are held short where the lens model folds over."""
    xy, distortion = np.asarray(xy, np.float64), np.asarray(distortion, np.float64)
    ideal = xy.copy()
    if not np.any(distortion):
        return ideal
    for _ in range(rounds):
        (a, b), (c, d) = np.moveaxis(distort_jacobian(ideal, distortion), (-2, -1), (0, 1))
        ex, ey = np.moveaxis(distort(ideal, distortion) - xy, -1, 0)
        det = a * d - b * c
        det = np.where(np.abs(det) < 0.05, np.where(det < 0, -0.05, 0.05), det)
        ideal = ideal - np.clip(np.stack([d * ex - b * ey, a * ey - c * ex], -1) / det[..., None], -0.5, 0.5)
    return ideal


def project(points: Array, focal: Array, centre: Array, distortion: Array) -> Array:
    """Points in camera axes [..., 3] -> pixels [..., 2]; meaningless where z <= 0, so look at z first."""
    depth = np.where(np.abs(points[..., 2:]) < 1e-12, 1e-12, points[..., 2:])
    return distort(points[..., :2] / depth, distortion) * focal + centre


def unproject(xy: Array, focal: Array, centre: Array, distortion: Array) -> Array:
    """Pixels [..., 2] -> rays [..., 3] in camera axes with z = 1."""
    ideal = undistort((np.asarray(xy, np.float64) - centre) / focal, distortion)
    return np.concatenate([ideal, np.ones_like(ideal[..., :1])], -1)


def rays(size: tuple[int, int], camera_size: tuple[int, int], focal: Array, centre: Array, distortion: Array) -> Array:
    """Rays [H, W, 3], z = 1, through every pixel of a picture of `size` (W, H) of a camera known at `camera_size`."""
    scale = np.asarray(camera_size, np.float64) / np.asarray(size, np.float64)
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    return unproject(np.stack([x, y], -1) * scale, focal, centre, distortion)


def millimetres(focal: float, width: float, sensor: float = 36.0) -> float:
    """Focal length in px of a picture `width` px wide, as mm on a `sensor` mm wide."""
    return focal / width * sensor
