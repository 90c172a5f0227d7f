"""Camera room: what our own adjustment adjusts, the pixels that follow from it, and their slopes; numpy.

A turning camera has no translations: its points are directions. A zooming lens has a focal length for every view, held smooth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import lens
from ..geometry.pose import pose, rotation_from_vector
from .bundle import State, carrying
from .tracks import Tracks

Array = NDArray[np.float64]
Index = NDArray[np.int64]
WIDTHS = 0.85  # a usual focal length of moving pictures


@dataclass(frozen=True)
class Bundle:
    """What is adjusted; every view is posed. A view's unknowns: turn (3), place (3, unless turning), log focal (1, if zooming)."""

    rotation: Array  # [V, 3, 3] camera from world
    translation: Array  # [V, 3]
    log_focal: Array  # [V] of focal length in px
    distortion: Array  # [4] k1 k2 p1 p2
    points: Array  # [P, 3]
    centre: Array  # [2] px
    turning: bool = False
    zooming: bool = False
    free: tuple[int, ...] = (0,)  # which of k1 k2 p1 p2 are
    known: bool = False  # the focal length is given
    smooth: float = 0.004  # change of log focal per view and view that counts as one sigma, if zooming
    usual: float | None = None  # log of a usual focal length, believed only where the shot says nothing (a zoom without any turn)
    grain: float | None = None  # px of noise against which that is weighed; the scale of the loss where it is None
    late: Array | None = None  # [N, 2] px by which an observation lies further on for each frame's time of readout, where that is adjusted
    readout: float = 0.0  # in frames' times, beyond what the observations are already freed of
    views: Index | None = None  # [V] which views of a state these are
    names: Index | None = None  # [P] which of its tracks have these points

    @property
    def own(self) -> int:
        """Unknowns of each view."""
        return 3 + 3 * (not self.turning) + self.zooming

    @property
    def shared(self) -> int:
        """Unknowns of all views together: log focal, distortion, readout."""
        return int(not self.zooming and not self.known) + len(self.free) + (self.late is not None)

    def residuals(self, tracks: Tracks) -> Array:
        """[N, 2] px."""
        return self._missed(tracks, self._seen(tracks)[0]).T

    def _missed(self, tracks: Tracks, seen: Array) -> Array:
        """[2, N] px by which pixels [2, N], counted from the picture's centre, miss the observations."""
        error = seen + (self.centre - tracks.xy).T
        return error if self.late is None else error + self.readout * self.late.T

    def _seen(self, tracks: Tracks) -> tuple[Array, Array, Array, Array, Array, Array]:
        """Pixels [2, N] from the picture's centre; then what leads there: rotation [3, 3, N], turned point [3, N], ideal coordinates
        [2, N], inverse depth [N] and focal length [N]. Observations come last: what is done to each of them is done to all in a row."""
        turn = self.rotation.transpose(1, 2, 0).take(tracks.view, 2)  # an index would lay them down with the observations first
        x, y, z = self.points.T.take(tracks.track, 1)
        turned = turn[:, 0] * x
        turned += turn[:, 1] * y
        turned += turn[:, 2] * z
        x, y, z = turned + self.translation.T.take(tracks.view, 1)
        near = 1 / np.where(np.abs(z) < 1e-9, 1e-9, z)
        flat = np.stack([x * near, y * near])
        focal = np.exp(self.log_focal)[tracks.view]
        return np.stack(lens.bent(*flat, self.distortion)) * focal, turn, turned, flat, near, focal

    def slopes(self, tracks: Tracks) -> tuple[Array, Array, Array, Array]:
        """The residuals [2, N], and their slopes by the view's unknowns [own, 2, N], the shared ones [shared, 2, N], and the point [3, 2, N]."""
        seen, turn, turned, (x, y), near, focal = self._seen(tracks)
        along, cross, down = (part * (focal * near) for part in lens.slopes(x, y, self.distortion))
        by_local = np.array([(along, cross), (cross, down), (-(along * x + cross * y), -(cross * x + down * y))])
        tx, ty, tz = turned
        by_turn = np.stack([ty * by_local[2] - tz * by_local[1], tz * by_local[0] - tx * by_local[2], tx * by_local[1] - ty * by_local[0]])
        by_focal = seen[None]
        own = [by_turn] + ([] if self.turning else [by_local]) + ([by_focal] if self.zooming else [])
        shared = [np.zeros((0, 2, len(x)))] + ([] if self.zooming or self.known else [by_focal])
        r2, xx, yy, xy2 = x * x + y * y, x * x, y * y, 2 * x * y
        by_lens = ((x * r2, y * r2), (x * r2 * r2, y * r2 * r2), (xy2, r2 + 2 * yy), (r2 + 2 * xx, xy2))
        shared += [(np.stack(by_lens[k]) * focal)[None] for k in self.free]
        shared += [] if self.late is None else [self.late.T[None]]
        by_point = np.stack([by_local[0] * turn[0, j] + by_local[1] * turn[1, j] + by_local[2] * turn[2, j] for j in range(3)])
        return self._missed(tracks, seen), np.concatenate(own), np.concatenate(shared), by_point

    def moved(self, step: Array, points: Array) -> Bundle:
        """After a step of all unknowns and of the points."""
        views = len(self.rotation)
        own = step[: views * self.own].reshape(views, self.own)
        shared = step[views * self.own :]
        place = self.translation if self.turning else self.translation + own[:, 3:6]
        focal, distortion, readout = self.log_focal, self.distortion.copy(), self.readout
        if self.zooming:
            focal = focal + own[:, -1]
        elif not self.known:
            focal, shared = focal + shared[0], shared[1:]
        if self.late is not None:
            readout, shared = readout + float(shared[-1]), shared[:-1]
        distortion[list(self.free)] += shared
        fresh = self.points + points
        if self.turning:
            fresh = fresh / np.linalg.norm(fresh, axis=1, keepdims=True)
        return replace(
            self, rotation=rotation_from_vector(own[:, :3]) @ self.rotation, translation=place, log_focal=focal, distortion=distortion,
            points=fresh, readout=readout,
        )


def of_state(
    state: State, tracks: Tracks, use: NDArray[np.bool_], per_view: int, mixed: bool = False, **more: Any
) -> tuple[Bundle, Tracks]:
    """A travelling bundle of `per_view` observations in `use` [N] of each posed view, and those observations."""
    few = tracks.where(carrying(tracks, use & state.posed[tracks.view], per_view, mixed))
    posed = np.flatnonzero(state.posed)
    number, again = np.unique(few.track, return_inverse=True)
    few = replace(few, track=again, view=np.searchsorted(posed, few.view))
    start = Bundle(
        state.pose[posed, :3, :3], state.pose[posed, :3, 3], np.log(state.focal[posed]), state.distortion, state.points[number], state.centre,
        usual=float(np.log(WIDTHS * max(state.size))), views=posed, names=number, **more,
    )
    return start, few


def to_state(bundle: Bundle, state: State) -> State:
    """The state with the poses, the lens and the points of a bundle that was made of it; what the bundle did not hold stays."""
    matrices, focal, points = state.pose.copy(), state.focal.copy(), state.points.copy()
    matrices[bundle.views], points[bundle.names] = pose(bundle.rotation, bundle.translation), bundle.points
    if bundle.zooming:
        focal[bundle.views] = np.exp(bundle.log_focal)
    elif not bundle.known:
        focal = np.full_like(focal, np.exp(bundle.log_focal[0]))
    return replace(state, pose=matrices, focal=focal, distortion=bundle.distortion, points=points)
