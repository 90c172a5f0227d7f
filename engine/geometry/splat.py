"""Geometry of points in a picture: coloured squares, nearer ones over farther ones; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import pose

Array = NDArray[np.float64]
LARGEST = 4  # px from a point's middle to its square's side: what comes close to the lens shall not fill the picture


def splat(
    xyz: Array, rgb: Array, across: Array, world_from_camera: Array, focal: Array, centre: Array, size: tuple[int, int], behind: float = 0.0,
) -> NDArray[np.uint8]:
    """Points [N, 3] of the world with colours [N, 3] in 0..1 as a pinhole camera sees them: RGB [H, W, 3].

    `across` [N] is how wide each point is, in units of the world; `focal` [2] and `centre` [2] are px of `size` (W, H);
    `behind` is the grey of what no point covers, 0..1.
    """
    width, height = size
    into = pose.invert(world_from_camera)
    local = xyz @ into[:3, :3].T + into[:3, 3]
    front = np.flatnonzero(local[:, 2] > 1e-6)
    front = front[np.argsort(-local[front, 2], kind="stable")]  # far to near: of several on one pixel the last one assigned stays
    z = local[front, 2]
    column, row = np.floor(local[front, :2] / z[:, None] * focal + centre).T
    reach = np.clip(across[front] * focal[0] / z / 2, 0, LARGEST)
    nearest, shown = np.full(width * height, np.inf), np.full(width * height, -1)
    for right in range(-LARGEST, LARGEST + 1):
        for down in range(-LARGEST, LARGEST + 1):
            x, y = column + right, row + down
            drawn = np.flatnonzero((reach >= max(abs(right), abs(down))) & (x >= 0) & (x < width) & (y >= 0) & (y < height))
            if not len(drawn):
                continue
            top = np.full(width * height, -1)
            top[y[drawn].astype(np.int64) * width + x[drawn].astype(np.int64)] = drawn
            nearer = np.flatnonzero(top >= 0)
            nearer = nearer[z[top[nearer]] < nearest[nearer]]
            nearest[nearer], shown[nearer] = z[top[nearer]], front[top[nearer]]
    picture = np.full((width * height, 3), behind)
    picture[shown >= 0] = rgb[shown[shown >= 0]]
    return np.rint(picture.reshape(height, width, 3).clip(0, 1) * 255).astype(np.uint8)


def swung(world_from_camera: Array, distance: float, angle: float) -> Array:
    """The pose [4, 4] carried round the world's z axis by `angle` radians, about the point `distance` before the camera."""
    pivot = world_from_camera[:3, 3] + distance * world_from_camera[:3, 2]
    turn = pose.rotation_from_vector(np.array([0.0, 0.0, angle]))
    return pose.pose(turn @ world_from_camera[:3, :3], turn @ (world_from_camera[:3, 3] - pivot) + pivot)
