"""Geometry of the lens: pixels to rays and back, with the distortion k1 k2 p1 p2 of OpenCV; numpy only.

Pixel centres lie at +0.5. `focal` and `centre` are [..., 2] px, `distortion` [..., 4]; all broadcast against the points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CLOSE = 1e-9  # a step of Newton's method, after which the next would be its square


def distort(xy: Array, distortion: Array) -> Array:
    """Ideal normalised coordinates [..., 2] -> where the lens puts them (Brown 1966, as in OpenCV)."""
    return np.stack(bent(xy[..., 0], xy[..., 1], np.asarray(distortion, np.float64)), -1)


def bent(x: Array, y: Array, distortion: Array) -> tuple[Array, Array]:
    """`distort` of coordinates [...] that lie apart."""
    k1, k2, p1, p2 = (distortion[..., k] for k in range(4))
    xx, yy, xy2 = x * x, y * y, 2 * x * y
    r2 = xx + yy
    radial = 1 + r2 * (k1 + r2 * k2)
    return x * radial + p1 * xy2 + p2 * (r2 + 2 * xx), y * radial + p1 * (r2 + 2 * yy) + p2 * xy2


def slopes(x: Array, y: Array, distortion: Array) -> tuple[Array, Array, Array]:
    """Derivatives [...] of `bent`: of the first by x, of either by the other's coordinate, of the second by y."""
    k1, k2, p1, p2 = (distortion[..., k] for k in range(4))
    r2 = x * x + y * y
    radial, slope = 1 + r2 * (k1 + r2 * k2), 2 * (k1 + 2 * k2 * r2)
    return radial + x * x * slope + 2 * p1 * y + 6 * p2 * x, x * y * slope + 2 * p1 * x + 2 * p2 * y, radial + y * y * slope + 6 * p1 * y + 2 * p2 * x


def distort_jacobian(xy: Array, distortion: Array) -> Array:
    """Derivative [..., 2, 2] of `distort` by the ideal coordinates."""
    along, cross, down = slopes(xy[..., 0], xy[..., 1], np.asarray(distortion, np.float64))
    return np.stack([np.stack([along, cross], -1), np.stack([cross, down], -1)], -2)


def undistort(xy: Array, distortion: Array, rounds: int = 8) -> Array:
    """The inverse of `distort` by Newton's method; steps are held short where the lens model folds over."""
    xy, distortion = np.asarray(xy, np.float64), np.asarray(distortion, np.float64)
    ideal = xy.copy()
    if not np.any(distortion):
        return ideal
    x, y = ideal[..., 0], ideal[..., 1]
    for _ in range(rounds):
        a, b, d = slopes(x, y, distortion)
        ex, ey = bent(x, y, distortion)
        ex, ey = ex - xy[..., 0], ey - xy[..., 1]
        det = a * d - b * b
        det = np.where(np.abs(det) < 0.05, np.where(det < 0, -0.05, 0.05), det)
        right, down = np.clip((d * ex - b * ey) / det, -0.5, 0.5), np.clip((a * ey - b * ex) / det, -0.5, 0.5)
        x, y = x - right, y - down
        if max(np.abs(right).max(initial=0), np.abs(down).max(initial=0)) < CLOSE:
            break
    return np.stack([x, y], -1)


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
