"""Camera room: how much of a lens the shot tells: none of k1 k2 p1 p2, some, or all; pycolmap or our own adjustment fit, no torch.

A richer lens is taken where it explains the observations surely better: where the likelihood (Student's t with one degree of
freedom, as the Cauchy loss implies) grows by more than Schwarz's criterion asks for the freedom it adds. The errors of one track
hang together, so a track counts as one observation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import adjust, bundle, equations, normal, unknowns
from .bundle import MODELS, State
from .normal import DENSE
from .tracks import Tracks

FAR = 20.0  # px beyond which an error counts no more
ASKEW, SKEW = 0.015, 0.003  # the largest p1, p2 that a lens is believed to have, and their sigma before a shot is seen
PER_VIEW, ROUNDS, MOST = 200, 10, 120  # of the adjustment that decides: observations of a view, rounds, views


def choose(state: State, tracks: Tracks, use: NDArray[np.bool_], loss: float, known: bool) -> tuple[str, State, float | None]:
    """The lens model among bundle.MODELS that the observations in `use` [N] ask for, the state with its distortion as a start, and the
    standard error of log focal length by that model.

    All four numbers are adjusted once; what a poorer lens would explain less follows from their covariance (Wald's test).
    """
    seen = np.bincount(tracks.view[use], minlength=len(state.posed)) > 0
    part = replace(state, posed=bundle.spread(replace(state, posed=state.posed & seen), MOST))
    start, few = unknowns.of_state(part, tracks, tracks.shared(use & part.posed[tracks.view]), PER_VIEW, known=known, free=(0, 1, 2, 3))
    best = adjust.adjust(start, few, loss, ROUNDS)
    system = equations.System(best, few, loss, bent=True)
    last = np.eye(system.size)[-4:]
    apart = normal.solver(normal.raised(system.reduced(0.0), -system.belief))  # what is usual is no word of the shot's
    told = np.linalg.inv(np.array([apart(row) for row in last]) @ last.T) * 1.5 / loss**2 / system.length  # in log likelihood
    count, bends = len(best.points), best.distortion
    skewed = float(bends[2:] @ np.linalg.inv(np.linalg.inv(told)[2:, 2:]) @ bends[2:]) - 0.5 * float(((bends[2:] / SKEW) ** 2).sum())
    # A rolling shutter or a shifted picture also bends like that, but more than any lens does.
    if worth(skewed, 2, count) and np.abs(bends[2:]).max() <= ASKEW:
        focal = state.focal if known else np.full_like(state.focal, np.exp(best.log_focal[0]))
        model, state = "OPENCV", replace(state, focal=focal, distortion=bends)
    else:
        model, state = _radial(state, bends[:2] + np.linalg.solve(told[:2, :2], told[:2, 2:] @ bends[2:]), told[:2, :2], count)
    return model, state, equations.System(replace(best, free=state.bends), few, loss).focal_sigma()


def _radial(state: State, bends: NDArray[np.float64], told: NDArray[np.float64], count: int) -> tuple[str, State]:
    """The same without p1 p2, of k1 k2 [2] and their information [2, 2]."""
    alone = np.array([bends[0] + told[0, 1] / told[0, 0] * bends[1], 0.0])  # k1 where there is no k2
    lost = {"SIMPLE_PINHOLE": bends @ told @ bends, "SIMPLE_RADIAL": (bends - alone) @ told @ (bends - alone), "RADIAL": 0.0}
    kept = {"SIMPLE_PINHOLE": 0 * bends, "SIMPLE_RADIAL": alone, "RADIAL": bends}
    best = "SIMPLE_PINHOLE"
    for model in ("SIMPLE_RADIAL", "RADIAL"):
        if worth(float(lost[best] - lost[model]), len(MODELS[model]) - len(MODELS[best]), count):
            best = model
    return best, replace(state, distortion=np.array([*kept[best], 0.0, 0.0]))


def adjusted(
    pycolmap: Any, state: State, tracks: Tracks, use: NDArray[np.bool_], loss: float, model: str,
    known: bool = False, zoom: bool = False, rounds: int = 25, settled: float = adjust.SETTLED,
) -> State:
    """Poses, points and lens that minimise a Cauchy loss of the reprojection error of the observations in `use` [N].

    By our own adjustment while all its views fit into one small matrix; by pycolmap's beyond, and for a zoom that it has mapped, where it
    gets further along the valley of lenses and depths that explain alike.
    """
    if short(np.count_nonzero(state.posed)) and not (zoom and pycolmap):
        return adjust.refined(state, tracks, use, loss, MODELS[model], known, rounds, zoom, settled)
    return bundle.adjusted(pycolmap, state, tracks, use, loss, model, known, zoom, rounds, fixed=model == "OPENCV")


def short(views: int) -> bool:
    """Whether so many views fit into one small matrix."""
    return 6 * views + 5 <= DENSE


def unlikely(error: NDArray[np.float64], loss: float) -> float:
    """Negative log likelihood of an observation, but for a constant; errors [N] in px."""
    return 1.5 * float(np.log1p((np.minimum(error, FAR) / loss) ** 2).mean())


def worth(gain: float, freedom: int, count: int) -> bool:
    """Whether so much more log likelihood is worth the freedom, by Schwarz's criterion on `count` tracks."""
    return gain > 0.5 * freedom * np.log(max(count, 2))
