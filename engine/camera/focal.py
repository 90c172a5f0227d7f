"""Camera room: the focal length of a shot that hardly tells it; our own adjustment weighs, no torch, no pycolmap.

Straight ahead, or with little turn, a longer lens and a deeper world explain the same pictures, and the adjustment stops anywhere
along that valley. So the valley is walked: each focal length with the world stretched to it, the same effort for each, and what
lenses usually are counted in.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.pose import invert, mean_rotation, pose, rotation_from_vector, vector_from_rotation
from . import adjust, lenses
from .bundle import State, spread, triangulated
from .tracks import Tracks

Array = NDArray[np.float64]
SPREAD = adjust.USUAL  # of what lenses usually are
STEPS = (0.1, 0.35)  # least and most of log focal length between those that are tried
MOST = 120  # views that are looked at
ROUNDS = 10
SURE = 0.04  # standard error of log focal length that needs no second look
COARSE, FINE = 4.0, 2.0  # px by which an observation may miss its point


def settled(state: State, tracks: Tracks, loss: float, sigma: float) -> tuple[State, float]:
    """The state with the likeliest focal length, whose log the state knows to `sigma`, and how well that is known after all.

    All `tracks` are asked again, also those that the state leaves out: with a wrong lens the near ones do not fit. Where a quick
    look confirms what the state has, it stays.
    """
    given, usual, now = state, float(np.log(adjust.WIDTHS * max(state.size))), float(np.log(np.median(state.focal)))
    trust = 1 / max(sigma, 0.01) ** 2
    middle = (now * trust + usual / SPREAD**2) / (trust + 1 / SPREAD**2)
    if odd(state):
        state = replace(state, distortion=np.zeros(4))
    for limit, per_view in ((COARSE, 100), (FINE, 400)):
        step = float(np.clip(2 * sigma, *STEPS))
        state = triangulated(stretched(state, float(np.exp(middle)) / float(np.median(state.focal))), tracks, limit)
        state, _ = _fitted(state, tracks, loss, limit, 100)
        state = triangulated(state, tracks, limit)
        costs = [
            _fitted(stretched(state, float(np.exp(k * step))), tracks, loss, limit, per_view, state)[1] + 0.5 * ((middle + k * step - usual) / SPREAD) ** 2
            for k in (-1, 0, 1)
        ]
        bend = max((costs[0] - 2 * costs[1] + costs[2]) / step**2, 1 / SPREAD**2)
        sigma = float(1 / np.sqrt(bend))
        middle += float(np.clip((costs[0] - costs[2]) / (2 * step * bend), -1.5 * step, 1.5 * step))
        if limit == COARSE and sigma < SURE and abs(middle - now) < 2 * sigma and not odd(given):
            return given, sigma
    state = stretched(state, float(np.exp(middle)) / float(np.median(state.focal)))
    state, _ = _fitted(state, tracks, loss, FINE, 150)
    return triangulated(state, tracks, FINE), sigma


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


def _fitted(state: State, tracks: Tracks, loss: float, limit: float, per_view: int, judge: State | None = None) -> tuple[State, float]:
    """The state adjusted with its focal length held, and how unlikely its observations are; those count that fit `judge`, or itself.

    With a `judge` only some views are adjusted.
    """
    some = state.posed if judge is None else spread(state, MOST)
    base = judge or state
    seen = np.isfinite(base.points[tracks.track, 0]) & (base.errors(tracks) < limit) & some[tracks.view]
    seen &= np.bincount(tracks.track[seen], minlength=len(base.points))[tracks.track] >= 2
    start, few, rows = adjust.of_state(replace(state, posed=some), tracks, seen, per_view, known=True)
    best, _ = adjust.adjust(start, few, loss, ROUNDS)
    count = len(np.unique(few.track))
    matrices = state.pose.copy()
    matrices[rows] = pose(best.rotation, best.translation)
    cost = count * lenses.unlikely(np.linalg.norm(best.residuals(few), axis=1), loss)
    return replace(state, pose=matrices, distortion=best.distortion), cost
