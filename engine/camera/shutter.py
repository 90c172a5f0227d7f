"""Camera room: a picture whose rows are exposed one after another (rolling shutter): told from a solve, and taken out of its tracks.

A pose is that of the middle row's instant. What another row shows is moved there, along the path through the frame's pose and those of
its neighbours. Numpy and our own adjustment; no torch, no pycolmap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry import lens
from ..geometry.pose import rotation_from_vector, vector_from_rotation
from ..geometry.reprojection import sum_by
from . import equations, unknowns
from .adjust import adjust
from .bundle import State, triangulated
from .tracks import Tracks

Array = NDArray[np.float64]
Index = NDArray[np.int64]
AXES = {"rows": 1, "columns": 0}
VIEWS, PER_VIEW = 120, 100  # that are looked at, and observations of each
MOST, UNKNOWN = 1.5, 10.0  # of a frame's time: no readout is longer; standard error where nothing tells it
LEAST = 100  # observations without which nothing tells it
ROUNDS, AGAIN = 5, 4  # of an adjustment, and of adjustments with the path found anew
STILL = 0.005  # change of the readout that calls for no further one
STEP = 1e-3  # of a frame's time, for derivatives
FAR = 2.0  # median distances at which what has no point is taken to lie


@dataclass(frozen=True)
class Readout:
    """Over which part of the time from frame to frame a picture is read; positive from the top down, or from left to right."""

    share: float
    sigma: float  # standard error; 0 where the share was given
    axis: str = "rows"  # read one after another: rows or columns, the latter of a phone held upright

    @property
    def surely(self) -> float:
        """The share in standard errors."""
        return abs(self.share) / max(self.sigma, 1e-9)


def told(
    state: State, tracks: Tracks, loss: float, limit: float, start: Readout, *, zoom: bool, known: bool, turning: bool
) -> tuple[Readout, State, State]:
    """The readout, the state as adjusted without it and with it: of what was asked, poses and lens alone.

    It is the one that poses, points, lens and observations [N] (px as the picture has them) agree on, adjusted together with them.

    Of a long shot only the stretch that moves most is asked. `limit` is the px by which an observation may miss its point.
    """
    state = replace(state, posed=state.posed & _liveliest(tracks, len(state.posed)))
    share, sigma, plain = start.share, UNKNOWN, None
    for _ in range(AGAIN):
        straight = straightened(state, tracks, replace(start, share=share))
        state = _aimed(state, straight) if turning else triangulated(state, straight, limit)
        use = tracks.shared(state.errors(straight) < limit)
        if use.sum() < LEAST:
            return replace(start, sigma=UNKNOWN), state, state
        bundle, few = unknowns.of_state(
            state, straight, use, PER_VIEW, zooming=zoom, known=known, turning=turning, free=(0,) if zoom or turning else (0, 1),
        )
        late = _slope(state, replace(few, view=bundle.views[few.view]), bundle.points[few.track], share, start.axis)
        plain = plain or unknowns.to_state(adjust(bundle, few, loss, ROUNDS), state)
        best = adjust(replace(bundle, late=late), few, loss, ROUNDS)
        sigma = equations.System(best, few, loss).readout_sigma() or UNKNOWN
        share = float(np.clip(share + best.readout, -MOST, MOST))
        state = unknowns.to_state(best, state)
        if abs(best.readout) < STILL or abs(share) < 2 * sigma:
            break
    return Readout(share, sigma, start.axis), plain or state, state


def _aimed(state: State, tracks: Tracks) -> State:
    """The state of a camera that only turns, with the mean direction of each track that has a point."""
    rays = np.einsum("nji,nj->ni", state.pose[tracks.view, :3, :3], state.rays(tracks))
    rays = np.where(state.posed[tracks.view, None], rays / np.linalg.norm(rays, axis=1, keepdims=True), 0.0)
    mean = sum_by(tracks.track, rays, len(state.points))
    mean = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
    return replace(state, points=np.where(np.isfinite(state.points), mean, np.nan))


def _liveliest(tracks: Tracks, views: int) -> NDArray[np.bool_]:
    """The [V] views in a row, no more than VIEWS, whose tracks move most."""
    order = np.lexsort((tracks.view, tracks.track))
    track, view, xy = tracks.track[order], tracks.view[order], tracks.xy[order]
    next_ = np.flatnonzero((np.diff(track) == 0) & (np.diff(view) == 1))
    far = np.bincount(view[next_], np.linalg.norm(xy[next_ + 1] - xy[next_], axis=1), views) / np.maximum(np.bincount(view[next_], minlength=views), 1)
    gone = np.concatenate([[0.0], np.cumsum(far)])
    start = int((gone[VIEWS:] - gone[:-VIEWS]).argmax()) if views >= VIEWS else 0
    return (np.arange(views) >= start) & (np.arange(views) < start + VIEWS)


def straightened(state: State, tracks: Tracks, readout: Readout) -> Tracks:
    """The observations [N] where the middle row's instant would have them."""
    return replace(tracks, xy=tracks.xy - _shift(state, tracks, readout))


def _shift(state: State, tracks: Tracks, readout: Readout) -> Array:
    """[N, 2] px by which the picture shows each observation away from where the middle row's instant would have it."""
    if not readout.share:
        return np.zeros_like(tracks.xy)
    points = _points(state, tracks)
    path = sweep(state.pose, state.posed)
    time = readout.share * _part(tracks, state, readout.axis)
    there, here = (_seen(state, path, tracks.view, points, moment) for moment in (time, 0 * time))
    shift = there - here
    return np.where(np.isfinite(shift).all(1, keepdims=True) & state.posed[tracks.view, None], shift, 0.0)


def _slope(state: State, tracks: Tracks, points: Array, share: float, axis: str) -> Array:
    """[N, 2] px by which each observation of `points` [N, 3] lies further on for each whole frame's time of readout."""
    part, path = _part(tracks, state, axis), sweep(state.pose, state.posed)
    ahead, behind = (_seen(state, path, tracks.view, points, share * part + step) for step in (STEP, -STEP))
    return (ahead - behind) / (2 * STEP) * part[:, None]


def _part(tracks: Tracks, state: State, axis: str) -> Array:
    """Where in the picture's height (or width) each observation lies, from -0.5 to 0.5."""
    return tracks.xy[:, AXES[axis]] / state.size[AXES[axis]] - 0.5


def _points(state: State, tracks: Tracks) -> Array:
    """[N, 3] the observations' points; what has none lies far along its ray."""
    points, pose = state.points[tracks.track], state.pose[tracks.view]
    depth = np.nanmedian(np.einsum("nij,nj->ni", pose[:, :3, :3], points)[:, 2] + pose[:, 2, 3])
    local = FAR * (depth if np.isfinite(depth) else 1.0) * state.rays(tracks) - pose[:, :3, 3]
    return np.where(np.isfinite(points[:, :1]), points, np.einsum("nji,nj->ni", pose[:, :3, :3], local))


def _seen(state: State, path: tuple[Array, Array, Array, Array], view: Index, points: Array, time: Array) -> Array:
    """[N, 2] px of points [N, 3] from the path of each one's view, `time` [N] frames from it."""
    spin, bend, speed, curve = (part[view] for part in path)
    pose, t = state.pose[view], time[:, None]
    local = np.einsum("nij,nj->ni", pose[:, :3, :3], points) + pose[:, :3, 3]
    local = np.einsum("nij,nj->ni", rotation_from_vector(t * spin + t**2 * bend), local - t * speed - t**2 * curve)
    return lens.project(local, state.focal[view, None], state.centre, state.distortion)


def sweep(pose: Array, posed: NDArray[np.bool_]) -> tuple[Array, Array, Array, Array]:
    """Parabolas through each posed view of `pose` [V, 4, 4] (camera_from_world) and its neighbours, in its own axes.

    [V, 3] each: turn by frame and by frame squared (rotation vectors), place by frame and by frame squared; 0 where nothing is posed.
    """
    rows = np.flatnonzero(posed)
    terms = tuple(np.zeros((len(posed), 3)) for _ in range(4))
    if len(rows) < 2:
        return terms
    turn = pose[rows, :3, :3]
    place = -np.einsum("vji,vj->vi", turn, pose[rows, :3, 3])
    gap = np.diff(rows).astype(np.float64)[:, None]
    spin = vector_from_rotation(turn[1:] @ np.swapaxes(turn[:-1], 1, 2)) / gap  # from each to the next, the same in the axes of both
    speed = np.diff(place, axis=0) / gap
    for step, slope, bend in ((spin, terms[0], terms[1]), (speed, terms[2], terms[3])):
        slope[rows[0]], slope[rows[-1]] = step[0], step[-1]
        both = gap[:-1] + gap[1:]
        slope[rows[1:-1]] = (step[:-1] * gap[1:] + step[1:] * gap[:-1]) / both
        bend[rows[1:-1]] = (step[1:] - step[:-1]) / both
    for term in terms[2:]:
        term[rows] = np.einsum("vij,vj->vi", turn, term[rows])
    return terms
