"""Camera room: the focal length of a shot that hardly tells it; our own adjustment weighs, no torch, no pycolmap.

Straight ahead, or with little turn, a longer lens and a deeper world explain nearly the same pictures. So some views are adjusted with
all that the tracks say, what fits is asked anew, and so on, until the lens stays; what lenses usually are is counted in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator

import numpy as np
from numpy.typing import NDArray

from ..geometry.pose import invert, mean_rotation, pose, rotation_from_vector, vector_from_rotation
from . import equations, unknowns
from .adjust import NEARLY, adjust
from .bundle import State, carrying, spread, triangulated
from .refusals import unsolved
from .tracks import Tracks

Array = NDArray[np.float64]
MOST = 120  # views that are looked at
WALKS = ((4.0, 100, 4), (2.0, 250, 3))  # px by which an observation may miss its point, observations of a view, adjustments at most
FULL = 24000  # observations of all views of a long shot, at last
ROUNDS = 10  # of each adjustment
LOOSE = 0.02  # standard error of log focal length above which it is looked at more closely
JUDGED, STEER = 400, 120  # views and observations of each by which that is told: thousands would fill memory where a shot returns
CLOSE = 0.2  # of a standard error: a change that calls for no further adjustment
# What tracks that drift together, focus and stabilisers do to the log of a real clip's focal length: 34 pairs of stretches, no frame in
# common, of 16 clips differ by 2.3 times what is stated without it, by 1.8 times with it, all but three of the pairs by 1.1.
FOOTAGE = 0.03
HALF_VIEWS, HALF, HALF_TIMES = 40, 125, 3  # views of which halves of the tracks are asked, observations of each and half, adjustments at most


def sigma(state: State, tracks: Tracks, fits: NDArray[np.bool_], loss: float, zoom: bool = False) -> float | None:
    """The standard error of the state's log focal length, by the observations in `fits` [N]."""
    some = spread(state, JUDGED)
    use = tracks.shared(fits & some[tracks.view])
    there, few = unknowns.of_state(replace(state, posed=some), tracks, use, STEER, zooming=zoom, free=(0,) if zoom else state.bends)
    return equations.System(there, few, loss).focal_sigma()


def loose(state: State, sigma: float | None) -> bool:
    """Whether the shot hardly tells the lens, or the lens that was found cannot be."""
    return sigma is None or sigma > LOOSE or odd(state)


def settled(state: State, tracks: Tracks, loss: float) -> tuple[State, float]:
    """The state with the likeliest focal length, and the standard error of its log.

    All `tracks` are asked again, also those that the state leaves out: with a wrong lens the near ones do not fit.
    """
    if odd(state):
        state = replace(state, distortion=np.zeros(4))
    some, error = replace(state, posed=spread(state, MOST), points=np.full_like(state.points, np.nan)), 1.0
    for limit, per_view, times in WALKS:
        some, error = _at_rest(some, tracks, loss, limit, per_view, times)
    views = np.count_nonzero(state.posed)
    if views > MOST:
        some = replace(stretched(state, float(some.focal[0] / state.focal[0])), distortion=some.distortion)
        some, *_ = _adjusted(some, tracks, loss, limit, max(FULL // views, WALKS[0][1]), held=True)
    return triangulated(some, tracks, limit), error


def held(state: State, tracks: Tracks, loss: float, ratio: float) -> Iterator[State]:
    """The state with its focal length times `ratio`, and all else ever nearer to what that lens would have it."""
    some, least = replace(stretched(state, ratio), posed=spread(state, MOST)), WALKS[-1][0]
    for limit, per_view, times in WALKS:
        for _ in range(times - 1):
            some, *_ = _adjusted(some, tracks, loss, limit, per_view, held=True)
            yield triangulated(some, tracks, least)


def scatter(state: State, tracks: Tracks, loss: float, sigma: float) -> float:
    """How far log focal length moves, root mean square, where either half of the still tracks is asked alone; `sigma` is its standard error.

    Each half settles anew, with what fits: that shows where another lens is about as good, as no slope at the answer does, and what
    depends on which tracks are asked.
    """
    some, moved = replace(state, posed=spread(state, HALF_VIEWS)), []
    few = tracks.where(carrying(tracks, tracks.shared(~tracks.moving & some.posed[tracks.view], 3), 2 * HALF, mixed=True)).long(3)
    if len(few.track) < HALF * np.count_nonzero(some.posed):
        return 0.0
    first, limit = np.random.default_rng(0).random(int(few.track.max()) + 1) < 0.5, WALKS[0][0]
    for side in (first, ~first):
        half = few.where(side[few.track]).long(3)
        there, _ = _at_rest(replace(some, points=np.full((int(half.track.max(initial=-1)) + 1, 3), np.nan)), half, loss, limit, 2 * HALF, HALF_TIMES, sigma)
        moved.append(np.log(there.focal[0] / state.focal[0]))
    return float(np.sqrt(np.mean(np.square(moved))))


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


def _at_rest(
    state: State, tracks: Tracks, loss: float, limit: float, per_view: int, times: int, sigma: float | None = None
) -> tuple[State, float]:
    """The state adjusted so many times, or until its focal length moves by less than its standard error, and that error: `sigma` where it is known."""
    error = 1.0 if sigma is None else sigma
    for _ in range(times):
        before = state.focal[0]
        state, best, few = _adjusted(state, tracks, loss, limit, per_view)
        if sigma is None:
            error = equations.System(best, few, loss).focal_sigma() or 1.0
        if abs(np.log(state.focal[0] / before)) < CLOSE * error:
            break
    return state, error


def _adjusted(
    state: State, tracks: Tracks, loss: float, limit: float, per_view: int, held: bool = False
) -> tuple[State, unknowns.Bundle, Tracks]:
    """The state adjusted by observations that miss points found anew by less than `limit` px, perhaps with its focal length held, and what was
    adjusted. Points that the state has, which were adjusted before, are where it begins; others than it adjusts are lost.

    Raises the failure of a mapping that fell apart where nothing fits.
    """
    found = triangulated(state, tracks, limit)
    seen = tracks.shared(np.isfinite(found.points[tracks.track, 0]) & (found.errors(tracks) < limit))
    if not seen.any():
        raise unsolved(0, len(state.posed))
    # Long tracks are of what is far: a lens that they alone ask for is not that of the shot.
    start, few = unknowns.of_state(found, tracks, seen, per_view, mixed=True, known=held, free=state.bends)
    before = state.points[start.names]
    start = replace(start, points=np.where(np.isfinite(before), before, start.points))
    best = adjust(replace(start, grain=float(np.sqrt(equations.spread(start, few, loss)))), few, loss, ROUNDS, NEARLY)
    return unknowns.to_state(best, replace(state, points=np.full_like(state.points, np.nan))), best, few
