"""Camera room: a world turned inside out, what is near far and what is far near, seen by a camera that travels the other way: where a shot
shows little parallax, its turns take up the difference, and both explain the tracks (Necker's cube; Soatto and Brockett 1998). No pycolmap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from . import resection
from .bundle import State
from .tracks import Tracks

Array = NDArray[np.float64]
NEAREST, FARTHEST = 0.98, 0.02  # quantiles of nearness that change places
LEAST = 20  # points that both worlds must have


def turned(state: State, tracks: Tracks) -> State:
    """The state turned inside out about the middle posed view, every other view placed anew by the points; to be adjusted."""
    posed = np.flatnonzero(state.posed)
    middle = posed[len(posed) // 2]
    local = _from(state, middle)
    nearness = np.where(local[:, 2] > 0, 1 / local[:, 2], np.nan)
    far, near = np.nanquantile(nearness, (FARTHEST, NEAREST))
    points = local * (nearness / np.clip(near + far - nearness, far / 2, None))[:, None]
    pose, only = state.pose.copy(), np.zeros_like(state.posed)
    pose[middle], only[middle] = np.eye(4), True
    return resection.completed(replace(state, points=points, pose=pose, posed=only), tracks.where(~tracks.moving))


def opposed(one: State, other: State) -> bool:
    """Whether what is nearer in one world is farther in the other."""
    both = one.posed & other.posed
    if not both.any():
        return False
    view = np.flatnonzero(both)[both.sum() // 2]
    a, b = (_ranked(_from(state, view)[:, 2]) for state in (one, other))
    use = np.isfinite(a) & np.isfinite(b)
    return bool(use.sum() >= LEAST and np.corrcoef(a[use], b[use])[0, 1] < 0)


def lies_down(state: State, tracks: Tracks) -> bool:
    """Whether what is lower in the pictures is nearer, as the ground is that nearly all is filmed above."""
    depth = state.depths(tracks)
    use = state.posed[tracks.view] & (depth > 0) & ~tracks.moving
    return bool(use.sum() >= LEAST and np.corrcoef(tracks.xy[use, 1], _ranked(depth)[use])[0, 1] < 0)


def _from(state: State, view: int) -> Array:
    """The points [P, 3] in the axes of a view."""
    return state.points @ state.pose[view, :3, :3].T + state.pose[view, :3, 3]


def _ranked(depth: Array) -> Array:
    """The ranks of depths [N], which no far outlier governs; nan where there is none."""
    rank = np.full(len(depth), np.nan)
    good = np.flatnonzero(np.isfinite(depth))
    rank[good[np.argsort(depth[good])]] = np.arange(len(good))
    return rank
