"""Geometry of planes: those that stand out among points, the floor among the level ones; numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
WIDE = 2.0  # a plane's own slab is compared with one so many times as thick; a flight of steps fills both
BELOW = 2.0  # what one point under a floor counts against it, in points on it
LOWEST = 0.03  # part of the points that may lie under a floor that no level shows


@dataclass(frozen=True)
class Plane:
    """normal . x = offset; the normal has length 1."""

    normal: Array
    offset: float
    share: float  # part of the points that lie on it, beyond what lies around it anyhow


def planes(xyz: Array, tolerance: float, most: int = 4, least: float = 0.06, seed: int = 0, rounds: int = 600) -> list[Plane]:
    """The fullest planes of the points [N, 3], each found among what those before it left; `share` is of all points.

    RANSAC on three points, then least squares on those that agree.
    """
    found: list[Plane] = []
    left, random = xyz, np.random.default_rng(seed)
    for _ in range(most):
        if len(left) < max(30, least * len(xyz)):
            break
        picks = left[random.integers(0, len(left), (rounds, 3))]
        normal = np.cross(picks[:, 1] - picks[:, 0], picks[:, 2] - picks[:, 0])
        size = np.linalg.norm(normal, axis=1)
        normal, start = normal[size > 1e-12] / size[size > 1e-12, None], picks[size > 1e-12][:, 0]
        near = np.abs(left @ normal.T - (normal * start).sum(1)) < tolerance
        best = int(near.sum(0).argmax())
        plane = _refined(left, near[:, best], normal[best], tolerance)
        if plane is None:
            break
        away = np.abs(left @ plane.normal - plane.offset)
        share = excess(away, tolerance) / len(xyz)
        # What an earlier plane left lying beside it is no plane of its own.
        middle = left[away < tolerance].mean(0)
        beside = any(abs(plane.normal @ other.normal) > 0.99 and abs(middle @ other.normal - other.offset) < 4 * tolerance for other in found)
        if share > least and not beside:
            found.append(Plane(plane.normal, plane.offset, share))
        left = left[away > 1.5 * tolerance]
    return found


def excess(away: Array, tolerance: float) -> float:
    """How many points lie within `tolerance` of a plane, less what the space beside it would put there."""
    inside, around = (away < tolerance).sum(), (away < WIDE * tolerance).sum()
    return float(inside - (around - inside) / (WIDE - 1))


def _refined(xyz: Array, near: NDArray[np.bool_], normal: Array, tolerance: float) -> Plane | None:
    for _ in range(3):
        if near.sum() < 12:
            return None
        middle = xyz[near].mean(0)
        fitted = np.linalg.svd(xyz[near] - middle, full_matrices=False)[2][2]
        normal = fitted * np.sign(fitted @ normal)
        near = np.abs((xyz - middle) @ normal) < tolerance
    return Plane(normal, float(normal @ middle), float(near.mean()))


def floor(heights: Array, camera: float, slabs: tuple[float, ...], least: float = 0.03) -> tuple[float, float] | None:
    """Height of the floor among the points' `heights` [N] along up, and its share of them; None where all lie above the camera.

    Below the camera, full for how thick it is, and with next to nothing under it. Where no level is, the floor lies under
    nearly all points, with a share of 0.
    """
    below = heights[heights < camera - 4 * slabs[0]]
    if len(below) < max(12, least * len(heights)):
        return None
    found = [(0.0, float(np.quantile(below, LOWEST)), 0.0)]
    for slab in slabs:
        for level in np.unique(np.round(below[below < camera - 4 * slab] / slab)) * slab:
            on = excess(np.abs(heights - level), slab)
            under = (heights < level - WIDE * slab).sum()
            if on > least * len(heights):
                found.append((float((on - BELOW * under) / slab**0.25), float(level), slab))
    _, level, slab = max(found)
    on = np.abs(heights - level) < slab
    return (float(np.median(heights[on])), float(on.mean())) if on.any() else (level, 0.0)


def turn_onto(direction: Array, target: Array) -> Array:
    """The smallest rotation [3, 3] that carries one unit vector onto another."""
    axis, cosine = np.cross(direction, target), float(direction @ target)
    if cosine < -1 + 1e-12:  # opposite: half a turn about anything across
        across = np.linalg.svd(direction[None])[2][1]
        return 2 * np.outer(across, across) - np.eye(3)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + k + k @ k / (1 + cosine)
