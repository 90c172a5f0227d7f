"""Geometry of what is upright: which way is up, and where the floor lies; numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROLL = 0.07  # radians by which people hold a camera askew


@dataclass(frozen=True)
class Plane:
    """normal . x = offset; the normal has length 1."""

    normal: Array
    offset: float
    share: float  # part of the points that lie on it


def up_of_cameras(rotations: Array) -> tuple[Array, float]:
    """Up [3] in the world of camera turns [T, 3, 3] (world_from_camera), and how sure, 0..1.

    People hold cameras level: the x axes are horizontal, so up is the direction that all of them avoid. Where the camera
    hardly turned that leaves a choice, which the mean of the cameras' own up decides.
    """
    right, own = rotations[:, :, 0], -rotations[:, :, 1].mean(0)
    own = own / np.linalg.norm(own)
    scatter = right.T @ right / len(right)
    values, vectors = np.linalg.eigh(scatter)
    level = vectors[:, 0] * np.sign(vectors[:, 0] @ own)
    # The middle eigenvalue grows with how far the camera turned about the upright; the smallest is roll.
    trust = float(np.clip((values[1] - values[0]) / 0.02, 0, 1))
    agreed = trust * level + (1 - trust) * (own - (own @ vectors[:, 2]) * vectors[:, 2])
    return agreed / np.linalg.norm(agreed), trust


def dominant_plane(
    xyz: Array, up: Array, tolerance: float, within: float = 0.5, right: Array | None = None, doubt: float = 0.3, seed: int = 0, rounds: int = 400
) -> Plane | None:
    """The plane across `up` (within so many radians) that holds most of the points [N, 3]; None where no plane stands out.

    RANSAC on three points, then least squares on those that agree. Where `right` [3] is given, the camera's mean x axis,
    planes count less the more they would make it roll, and the further they lean from `up`, of which `doubt` is the sigma.
    """
    if len(xyz) < 30:
        return None
    random = np.random.default_rng(seed)
    picks = xyz[random.integers(0, len(xyz), (rounds, 3))]
    normal = np.cross(picks[:, 1] - picks[:, 0], picks[:, 2] - picks[:, 0])
    size = np.linalg.norm(normal, axis=1)
    normal = normal[size > 1e-12] / size[size > 1e-12, None]
    normal = normal * np.where(normal @ up < 0, -1.0, 1.0)[:, None]
    fits = normal @ up > np.cos(within)
    normal, offset = normal[fits], (normal[fits] * picks[size > 1e-12][fits][:, 0]).sum(1)
    if not len(normal):
        return None
    near = np.abs(xyz @ normal.T - offset) < tolerance
    score = near.sum(0) * (1.0 if right is None else np.exp(-0.5 * (normal @ right / ROLL) ** 2 - 0.5 * (np.arccos(np.clip(normal @ up, -1, 1)) / doubt) ** 2))
    best = int(score.argmax())
    return _refine(xyz, near[:, best], normal[best], tolerance)


def _refine(xyz: Array, near: NDArray[np.bool_], normal: Array, tolerance: float) -> Plane | None:
    for _ in range(3):
        if near.sum() < 12:
            return None
        middle = xyz[near].mean(0)
        fitted = np.linalg.svd(xyz[near] - middle, full_matrices=False)[2][2]
        normal = fitted * np.sign(fitted @ normal)
        near = np.abs((xyz - middle) @ normal) < tolerance
    return Plane(normal, float(normal @ middle), float(near.mean()))


def turn_onto(direction: Array, target: Array) -> Array:
    """The smallest rotation [3, 3] that carries one unit vector onto another."""
    axis, cosine = np.cross(direction, target), float(direction @ target)
    if cosine < -1 + 1e-12:  # opposite: half a turn about anything across
        across = np.linalg.svd(direction[None])[2][1]
        return 2 * np.outer(across, across) - np.eye(3)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + k + k @ k / (1 + cosine)
