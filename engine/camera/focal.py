"""Camera room: the focal length of a shot that hardly tells it; our own adjustment weighs, no torch, no pycolmap.

Straight ahead, or with little turn, a longer lens and a deeper world explain nearly the same pictures, and an adjustment of all at
once creeps along that bent valley and stops anywhere. So the valley is walked: the focal length is held while all else is adjusted,
then it is moved by what the slope and the bend of the cost say there (Newton's step on the profile likelihood), the world stretched
to it, and so on. What lenses usually are is counted in.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.pose import invert, mean_rotation, pose, rotation_from_vector, vector_from_rotation
from . import adjust
from .bundle import State, spread, triangulated
from .tracks import Tracks

Array = NDArray[np.float64]
MOST = 120  # views that are looked at
LONGEST = 0.25  # step of log focal length
WALKS = ((4.0, 100, 8), (2.0, 250, 4))  # px by which an observation may miss its point, observations of a view, steps at most
FULL = 24000, 600  # observations of all views and of one, at last
ROUNDS = 10  # of each adjustment
CLOSE = 0.2  # of a standard error: a step that calls for no further one


def settled(state: State, tracks: Tracks, loss: float) -> tuple[State, float]:
    """The state with the likeliest focal length, and the standard error of its log.

    All `tracks` are asked again, also those that the state leaves out: with a wrong lens the near ones do not fit.
    """
    if odd(state):
        state = replace(state, distortion=np.zeros(4))
    sigma = 1.0
    for limit, per_view, steps in WALKS:
        before = 0.0
        for _ in range(steps):
            state, step, sigma = _step(triangulated(state, tracks, limit), tracks, loss, limit, per_view)
            step = _paced(step, before)
            state, before = stretched(state, float(np.exp(step))), step
            if abs(step) < CLOSE * sigma:
                break
    views = np.count_nonzero(state.posed)
    state, *_ = _held(triangulated(state, tracks, limit), tracks, loss, limit, min(FULL[1], max(FULL[0] // views, WALKS[0][1])), views)
    return triangulated(state, tracks, limit), sigma


def _paced(step: float, before: float) -> float:
    """A step longer where the ones before were too short, shorter where they went too far, and never too long."""
    share = step / before if before else 0.0
    if 0 < share < 0.6:  # the bend was taken for more than it is: each step is the same part of the one before
        step /= 1 - share
    longest = min(LONGEST, abs(before) / 2) if share < 0 else LONGEST
    return float(np.clip(step, -longest, longest))


def odd(state: State) -> bool:
    """Whether the lens bends the picture's corners as none does: some swell by half, none is pinched by a tenth of the radius."""
    square = float((state.centre**2).sum()) / float(np.median(state.focal)) ** 2
    bent = float(state.distortion[:2] @ [square, square**2])
    return not -0.5 < bent < 0.1


def stretched(state: State, ratio: float) -> State:
    """The state with its focal length times `ratio` and its world as much deeper along the mean view, so that it looks nearly the same."""
    mean = mean_rotation(state.pose[state.posed, :3, :3])
    deeper = mean.T @ np.diag([1.0, 1.0, ratio]) @ mean
    place = invert(state.pose)[:, :3, 3] @ deeper.T
    # Across the view a turn shifts the picture by focal length times angle; about it, by the angle alone.
    turn = rotation_from_vector(vector_from_rotation(state.pose[:, :3, :3] @ mean.T) / [ratio, ratio, 1.0]) @ mean
    return replace(
        state, focal=state.focal * ratio, pose=pose(turn, -np.einsum("vij,vj->vi", turn, place)), points=state.points @ deeper.T,
    )


def _step(state: State, tracks: Tracks, loss: float, limit: float, per_view: int) -> tuple[State, float, float]:
    """The state adjusted with its focal length held, the step of log focal length that leads to the least cost, and its standard error."""
    state, best, few = _held(state, tracks, loss, limit, per_view, MOST)
    freed = replace(best, known=False)
    step, _ = adjust.System(freed, few, loss, bent=True).step(0.0)
    return state, float(step[len(best.rotation) * best.own]), adjust.System(freed, few, loss).focal_sigma() or 1.0


def _held(state: State, tracks: Tracks, loss: float, limit: float, per_view: int, most: int) -> tuple[State, adjust.Bundle, Tracks]:
    """The state adjusted with its focal length held, and what was adjusted.

    No more than `most` views are, by observations that miss by less than `limit` px.
    """
    some = spread(state, most)
    seen = np.isfinite(state.points[tracks.track, 0]) & (state.errors(tracks) < limit) & some[tracks.view]
    seen &= np.bincount(tracks.track[seen], minlength=len(state.points))[tracks.track] >= 2
    free = tuple(sorted({0, *(int(k) for k in np.flatnonzero(state.distortion))}))
    start, few, rows = adjust.of_state(replace(state, posed=some), tracks, seen, per_view, known=True, free=free)
    best = adjust.adjust(replace(start, grain=float(np.sqrt(adjust.spread(start, few, loss)))), few, loss, ROUNDS)
    return adjust.to_state(best, state, rows), best, few
