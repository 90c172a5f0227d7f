"""Camera room: tracks sharpened by the pictures once the camera is nearly known; OpenCV and scipy, no pycolmap, no torch.

A point that is followed from picture to picture drifts, and slips where things overlap. With poses and points known to some tenths of a pixel,
what each view shows about a point is laid into one view's axes, by the plane through the point and its neighbours, and every view is shifted
until it agrees with the mean of all (Furukawa and Ponce 2009, Accurate camera calibration from multi-view stereo and bundle adjustment; the
shift is found as by Baker and Matthews 2004, Lucas-Kanade 20 years on, with gain and offset free).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry import lens
from ..geometry.pose import invert
from .bundle import State
from .tracks import Index, Tracks

Array = NDArray[np.float64]
Patches = NDArray[np.float32]
HALF, FALL = 7, 5.0  # px from a patch's middle to its border, and sigma by which what is off the middle counts less
PASSES = 2  # of laying patches down and shifting them
FARTHEST = 1.0  # px that an observation may be shifted; one that asks for more is left where it is
GRAIN = 0.15  # of a patch's contrast: what views differ by where nothing is wrong
AROUND, WIDE, APART = 12, 0.06, 0.07  # neighbours that tell a plane, parts of the picture's width and of the depth within which they count
STEADY = 0.01  # of the width: as far off a neighbour at the same depth would be, whose word stands for nobody's
STEP = 2.0  # px over which it is asked how a patch is stretched
DOUBT = 0.5  # weight of what views differ by, squared, against the squares of a patch's slopes: where noise is all there is, nothing is shifted
AT_ONCE = 1500  # patches that are worked on together: they fit into a processor's cache
TINY = 1e-6


@dataclass(frozen=True)
class _Seen:
    """Observations in the order of their points, and what is the same for all of a point's."""

    view: Index  # [N]
    point: Index  # [N] row of xyz
    first: Index  # [P] each point's first observation
    count: Index  # [P]
    home: Index  # [P] the view into whose axes the others are laid: the middle one
    xyz: Array  # [P, 3]


def agreed(state: State, tracks: Tracks, use: NDArray[np.bool_], picture: Callable[[int], NDArray[np.uint8]]) -> Tracks:
    """The tracks with the observations in `use` [N] that have a point shifted to where the views' pictures agree.

    `picture(view)` is grey [H, W].
    """
    rows = np.flatnonzero(use & state.posed[tracks.view] & np.isfinite(state.points[tracks.track, 0]))
    if not len(rows):
        return tracks
    rows = rows[np.lexsort((tracks.view[rows], tracks.track[rows]))]
    name, first, point, count = np.unique(tracks.track[rows], return_index=True, return_inverse=True, return_counts=True)
    view = tracks.view[rows]
    seen = _Seen(view, point, first, count, view[first + count // 2], state.points[name])
    begun = tracks.xy[rows]
    there, stretch = begun, _stretched(state, seen, begun)
    for _ in range(PASSES):
        steps = _steps(_laid(seen, there, stretch, picture), seen)
        there = there - np.einsum("nij,nj->ni", stretch, steps)
    moved = there - begun
    xy = tracks.xy.copy()
    xy[rows] += np.where(np.linalg.norm(moved, axis=1, keepdims=True) < FARTHEST, moved, 0.0)
    return replace(tracks, xy=xy)


def _stretched(state: State, seen: _Seen, xy: Array) -> Array:
    """[N, 2, 2] how an offset in px from a point in its home view is seen in the observation's view, by a plane through the point."""
    ahead, depth = _projected(state, seen.home, seen.xyz)
    slope, home = _slopes(seen, xy, 1 / np.maximum(depth, TINY), max(state.size)), invert(state.pose)[seen.home]
    out = np.empty((len(seen.view), 2, 2), np.float32)
    for axis in range(2):
        ends = []
        for way in (STEP, -STEP):
            offset = way * np.eye(2)[axis]
            near = np.maximum(1 / depth + slope @ offset, 0.2 / depth)
            rays = lens.unproject(ahead + offset, state.focal[seen.home, None], state.centre, state.distortion)
            there = np.einsum("pij,pj->pi", home[:, :3, :3], rays / near[:, None]) + home[:, :3, 3]
            ends.append(_projected(state, seen.view, there[seen.point])[0])
        out[:, :, axis] = (ends[0] - ends[1]) / (2 * STEP)
    return out


def _projected(state: State, view: Index, xyz: Array) -> tuple[Array, Array]:
    """Pixels [N, 2] and depth [N] of points [N, 3] in views [N]."""
    local = np.einsum("nij,nj->ni", state.pose[view, :3, :3], xyz) + state.pose[view, :3, 3]
    return lens.project(local, state.focal[view, None], state.centre, state.distortion), local[:, 2]


def _slopes(seen: _Seen, xy: Array, near: Array, width: int) -> Array:
    """[P, 2] by how much inverse depth, `near` [P] at the point, grows for each px in its home view: a plane's is even there.

    Told by the neighbours that the view sees; those at another depth belong to something else.
    """
    slope = np.zeros((len(near), 2))
    order = np.argsort(seen.view, kind="stable")
    edges = np.searchsorted(seen.view[order], np.arange(int(seen.view.max()) + 2))
    for view in np.unique(seen.home):
        rows = order[edges[view] : edges[view + 1]]
        mine = rows[seen.home[seen.point[rows]] == view]
        if len(rows) <= AROUND:
            continue
        others = rows[cKDTree(xy[rows]).query(xy[mine], k=AROUND + 1)[1][:, 1:]]
        gone, own = xy[others] - xy[mine][:, None], near[seen.point[mine]][:, None]
        more = near[seen.point[others]] - own
        weight = np.exp(-0.5 * (gone**2).sum(-1) / (WIDE * width) ** 2) / (1 + (more / own / APART) ** 2)
        square = np.einsum("nk,nki,nkj->nij", weight, gone, gone) + (STEADY * width) ** 2 * np.eye(2)
        slope[seen.point[mine]] = np.linalg.solve(square, np.einsum("nk,nki,nk->ni", weight, gone, more)[..., None])[..., 0]
    return slope


def _laid(seen: _Seen, xy: Array, stretch: Array, picture: Callable[[int], NDArray[np.uint8]]) -> Patches:
    """[N, S, S] what the pictures show about the observations, in the axes of their points' home views; a pixel wider than is compared."""
    side = 2 * HALF + 3
    offsets = np.stack(np.meshgrid(*2 * [np.arange(-HALF - 1, HALF + 2, dtype=np.float32)])).reshape(2, -1)
    out = np.empty((len(xy), side, side), np.float32)
    for view in np.unique(seen.view):
        rows = np.flatnonzero(seen.view == view)
        at = (stretch[rows].reshape(-1, 2) @ offsets).reshape(len(rows), 2, -1) + (xy[rows] - 0.5).astype(np.float32)[..., None]
        shown = cv2.remap(picture(int(view)).astype(np.float32), at[:, 0].copy(), at[:, 1].copy(), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        out[rows] = shown.reshape(-1, side, side)
    return out


def _steps(patches: Patches, seen: _Seen) -> Array:
    """[N, 2] px in the home view's axes by which each patch shows its point off the mean of all."""
    out, start, points = np.empty((len(patches), 2)), 0, len(seen.first)
    while start < points:
        stop = max(start + 1, int(np.searchsorted(seen.first, seen.first[start] + AT_ONCE)))
        rows = slice(seen.first[start], seen.first[stop] if stop < points else len(patches))
        out[rows] = _off(patches[rows], seen.first[start:stop] - rows.start, seen.count[start:stop])
        start = stop
    return out


def _off(patches: Patches, first: Index, count: Index) -> Patches:
    """The same of some points, whose patches begin at `first` [P] and are `count` [P]."""
    point, inner = np.repeat(np.arange(len(first)), count), np.arange(-HALF, HALF + 1, dtype=np.float32)
    window = np.exp(-0.5 * (inner[:, None] ** 2 + inner**2) / FALL**2).ravel()
    window /= window.sum()

    def mean(values: Patches) -> Patches:
        return np.add.reduceat(values, first, axis=0) / count[:, None].astype(np.float32)

    shown = patches[:, 1:-1, 1:-1].reshape(len(patches), -1)
    level = shown @ window
    contrast = np.sqrt(np.maximum((shown * shown) @ window - level**2, 0)) + 1  # at least a grey value
    even = (patches - level[:, None, None]) / contrast[:, None, None]
    whole = mean(even.reshape(len(patches), -1)).reshape(-1, *patches.shape[1:])
    middle = whole[:, 1:-1, 1:-1].reshape(len(first), -1)
    missed = even[:, 1:-1, 1:-1].reshape(len(patches), -1) - middle[point]
    # Where views differ, something else shows through: it counts less.
    unlike = mean(missed * missed)
    weight = window / (GRAIN**2 + unlike)
    slopes = np.stack([whole[:, 1:-1, 2:] - whole[:, 1:-1, :-2], whole[:, 2:, 1:-1] - whole[:, :-2, 1:-1]], -1).reshape(len(first), -1, 2) / 2
    light = np.stack([np.ones_like(middle), middle], -1)
    slopes = slopes - light @ _fitted(light, weight, slopes)  # what gain and offset do is no shift
    pull = _fitted(slopes, weight, None, DOUBT * (weight * unlike).sum(1))
    return np.einsum("nik,nk->ni", pull[point], missed)


def _fitted(columns: Patches, weight: Patches, values: Patches | None, more: Patches | float = 0.0) -> Patches:
    """Least squares: [P, K, C] columns, weights [P, K] -> what brings them nearest to values [P, K, D]: [P, C, D]; or for any: [P, C, K]."""
    weighed = (weight[..., None] * columns).transpose(0, 2, 1)
    square = weighed @ columns
    square = square + (more + TINY * (1 + np.trace(square, axis1=1, axis2=2)))[:, None, None] * np.eye(columns.shape[-1], dtype=np.float32)
    return np.linalg.solve(square, weighed if values is None else weighed @ values)
