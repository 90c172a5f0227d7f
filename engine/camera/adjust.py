"""Camera room: our own bundle adjustment, for what pycolmap's cannot do: a camera that only turns, a lens that zooms; numpy.

Levenberg and Marquardt's method on a Cauchy loss, the points eliminated (Triggs et al. 2000, Bundle adjustment, section 6). A longer
lens and a deeper world explain nearly the same pictures, a narrow, curved valley: steps are bent along it (Transtrum and Sethna 2012,
Improvements to the Levenberg-Marquardt algorithm).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .bundle import State
from .equations import ROUND, USUAL, System, repeats
from .tracks import Tracks
from .unknowns import Bundle, of_state, to_state

SETTLED = 0.02  # growth of the log likelihood in a round that calls for no further one: a fifth of a standard error is left
NEARLY, ROUGHLY = 0.1, 1.0  # the same where all is adjusted again with what fits better, and where it is only to be found what fits
CREEPS = 1e-3  # the same of a zoom, whose many focal lengths gain little by little
TRIES = {False: 6, True: 2}  # dampings, each ten times the last, that a step is tried with; it is rarely damping that a bent loss lacks
BENT, CLOSE = 0.01, 1.0  # gain of a round, part of the cost or (a zoom, whose valley is long) of the log likelihood, below which the loss bends too


def refined(
    state: State, tracks: Tracks, use: NDArray[np.bool_], loss: float, free: tuple[int, ...], known: bool = False, rounds: int = 25,
    zoom: bool = False, settled: float = SETTLED,
) -> State:
    """The state with poses, points and lens that minimise the Cauchy loss of the observations in `use` [N]; other points are lost."""
    use = tracks.shared(use & np.isfinite(state.points[tracks.track, 0]))
    start, few = of_state(state, tracks, use, len(tracks.track), known=known, free=free, zooming=zoom)
    start = replace(start, usual=None, distortion=np.where(np.isin(np.arange(4), free), start.distortion, 0.0))
    return to_state(adjust(start, few, loss, rounds, settled), replace(state, points=np.full_like(state.points, np.nan)))


def adjust(bundle: Bundle, tracks: Tracks, loss: float, rounds: int = 25, settled: float = SETTLED) -> Bundle:
    """The bundle that minimises the Cauchy loss (scale `loss` px) of its residuals, until a round gains less than `settled`; as it is without any."""
    if not len(tracks.track):
        return bundle
    damping, best, near = 1e-6, _cost(bundle, tracks, loss), False
    for _ in range(rounds):
        system, start = System(bundle, tracks, loss, near), damping
        for _ in range(TRIES[near]):
            trial = bundle.moved(*system.step(damping))
            cost = _cost(trial, tracks, loss)
            if cost < best:
                break
            damping *= 10
        else:
            if not near:
                break
            near, damping = False, start  # perhaps the straight way still leads down
            continue
        told, gain = (best - cost) / (2 * system.spread * system.length), (best - cost) / best
        bundle, best, near = trial, cost, told < CLOSE if bundle.zooming else gain < BENT
        damping = damping if damping > start else max(damping / 10, 1e-10)
        if told < (settled if not bundle.zooming else CREEPS):
            break
    return bundle


def _cost(bundle: Bundle, tracks: Tracks, loss: float) -> float:
    square = (bundle.residuals(tracks) ** 2).sum(1)
    cost = float((loss**2 * np.log1p(square / loss**2)).sum())
    if bundle.zooming:
        bend = np.diff(bundle.log_focal, 2) / bundle.smooth
        cost += loss**2 * float(np.log1p(bend**2).sum())
    if bundle.usual is not None:
        unusual = float(((bundle.log_focal - bundle.usual) ** 2).mean()) / USUAL**2 + float((bundle.distortion**2).sum()) / ROUND**2
        cost += (bundle.grain or loss) ** 2 * repeats(tracks) * unusual
    return cost
