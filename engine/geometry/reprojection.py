"""Geometry between many views and many points: triangulation, reprojection error, parallax; numpy only.

Observations are flat arrays: `point` [N] index into the points, `view` [N] index into the poses, one ray or pixel each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def sum_by(index: Index, values: Array, count: int) -> Array:
    """Sum values [N, ...] that share an index -> [count, ...]."""
    out = np.zeros((count, int(np.prod(values.shape[1:]))))
    for k, column in enumerate(values.reshape(len(values), out.shape[1]).T):
        out[:, k] = np.bincount(index, column, count)
    return out.reshape(count, *values.shape[1:])


def triangulate(rays: Array, world_from_camera: Array, point: Index, view: Index, count: int, weight: Array | None = None) -> Array:
    """The points [count, 3] nearest to their rays [N, 3] (camera axes) in least squares; nan where rays are parallel.

    Minimises the squared distance to each ray (Hartley & Sturm's midpoint for any number of views).
    """
    pose, ray = world_from_camera[:, :3].transpose(1, 2, 0).take(view, 2), np.ascontiguousarray(rays.T)  # what belongs to one ray comes last
    line, place = pose[:, 0] * ray[0] + pose[:, 1] * ray[1] + pose[:, 2] * ray[2], pose[:, 3]
    line /= np.sqrt(line[0] ** 2 + line[1] ** 2 + line[2] ** 2)
    foot = place - line * (line[0] * place[0] + line[1] * place[1] + line[2] * place[2])
    share = 1.0 if weight is None else weight
    right = np.array([np.bincount(point, share * foot[i], count) for i in range(3)])
    pairs = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    xx, xy, xz, yy, yz, zz = (np.bincount(point, share * (float(i == j) - line[i] * line[j]), count) for i, j in pairs)
    # The adjugate of the normal matrix; where rays are nearly parallel, its trace is the product of the two greater eigenvalues.
    minors = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy, xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    a, b, c, d, e, f = minors
    volume = xx * a + xy * b + xz * c
    stiff = volume > 1e-9 * np.maximum(xx + yy + zz, 1e-12) * (a + d + f)
    x, y, z = right / np.where(stiff, volume, np.nan)
    return np.stack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z], 1)


def parallax(points: Array, place: Array, point: Index, view: Index) -> Array:
    """For each point [P, 3], the widest angle in radians of its views' directions from their mean, doubled: [P]."""
    line = points[point] - place[view]
    line = line / np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-12)
    mean = sum_by(point, line, len(points))
    mean = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    angle = 2 * np.arcsin(np.clip(0.5 * np.linalg.norm(line - mean[point], axis=1), 0, 1))
    widest = np.zeros(len(points))
    np.maximum.at(widest, point, angle)
    return 2 * widest


def sampson(fundamental: Array, a: Array, b: Array) -> Array:
    """Sampson distance in px of pairs a, b [..., 2] to an epipolar geometry b' F a = 0 [3, 3] (Hartley & Zisserman 11.4.3)."""
    f = (fundamental / np.abs(fundamental).max()).astype(a.dtype)
    ax, ay, bx, by = a[..., 0], a[..., 1], b[..., 0], b[..., 1]
    fa = [f[k, 0] * ax + f[k, 1] * ay + f[k, 2] for k in range(3)]
    fb = [f[0, k] * bx + f[1, k] * by + f[2, k] for k in range(2)]
    algebraic = bx * fa[0] + by * fa[1] + fa[2]
    return np.abs(algebraic) / np.sqrt(np.maximum(fa[0] ** 2 + fa[1] ** 2 + fb[0] ** 2 + fb[1] ** 2, 1e-30))


def transfer(homography: Array, a: Array) -> Array:
    """Pixels [..., 2] through a homography [3, 3], in their own precision."""
    h, x, y = homography.astype(a.dtype), a[..., 0], a[..., 1]
    w = h[2, 0] * x + h[2, 1] * y + h[2, 2]
    w = np.where(np.abs(w) < 1e-9, 1e-9, w)
    return np.stack([(h[0, 0] * x + h[0, 1] * y + h[0, 2]) / w, (h[1, 0] * x + h[1, 1] * y + h[1, 2]) / w], -1)
