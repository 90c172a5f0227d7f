"""Camera room: how much of a lens the shot tells: none of k1 k2 p1 p2, some, or all; pycolmap and our own adjustment fit, no torch.

A richer lens is taken where it explains the observations surely better: where the likelihood (Student's t with one degree of
freedom, as the Cauchy loss implies) grows by more than Schwarz's criterion asks for the freedom it adds. The errors of one track
hang together, so a track counts as one observation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import adjust, bundle, unknowns
from .bundle import MODELS, State
from .normal import DENSE
from .tracks import Tracks

FAR = 20.0  # px beyond which an error counts no more
ASKEW, SKEW = 0.015, 0.003  # the largest p1, p2 that a lens is believed to have, and their sigma before a shot is seen
PER_VIEW, ROUNDS = 200, 10  # of the adjustments that decide


def choose(pycolmap: Any, state: State, tracks: Tracks, use: NDArray[np.bool_], loss: float, known: bool) -> tuple[str, State]:
    """The lens model among bundle.MODELS that the observations in `use` [N] ask for, and the state with its distortion as a start."""
    seen = np.bincount(tracks.view[use], minlength=len(state.posed)) > 0
    part, of_use = replace(state, posed=state.posed & seen), tracks.where(use)
    count = len(np.unique(of_use.track))
    best, least, kept, fitted = "", np.inf, part, part
    for model in ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"):
        fitted = adjusted(pycolmap, fitted, tracks, use, loss, model, known, rounds=ROUNDS)
        cost = count * unlikely(fitted.errors(of_use), loss)
        if _worth(least - cost, len(MODELS[model]) - len(MODELS.get(best, ())), count):
            best, least, kept = model, cost, fitted
    tangential = _tangential(kept, tracks, use & np.isfinite(kept.points[tracks.track, 0]), loss, known)
    if tangential is not None:
        return "OPENCV", replace(state, focal=np.full_like(state.focal, tangential.focal[0]), distortion=tangential.distortion)
    return best, replace(state, distortion=kept.distortion)


def adjusted(
    pycolmap: Any, state: State, tracks: Tracks, use: NDArray[np.bool_], loss: float, model: str,
    known: bool = False, zoom: bool = False, rounds: int = 25,
) -> State:
    """Poses, points and lens that minimise a Cauchy loss of the reprojection error of the observations in `use` [N].

    By our own adjustment while all its views fit into one small matrix; by pycolmap's beyond, and for a zoom, where it gets further
    along the valley of lenses and depths that explain alike.
    """
    if not zoom and short(state):
        return adjust.refined(state, tracks, use, loss, MODELS[model], known, rounds)
    return bundle.adjusted(pycolmap, state, tracks, use, loss, model, known, zoom, rounds, fixed=model == "OPENCV")


def short(state: State) -> bool:
    """Whether all views fit into one small matrix."""
    return 6 * np.count_nonzero(state.posed) + 5 <= DENSE


def unlikely(error: NDArray[np.float64], loss: float) -> float:
    """Negative log likelihood of an observation, but for a constant; errors [N] in px."""
    return 1.5 * float(np.log1p((np.minimum(error, FAR) / loss) ** 2).mean())


def _worth(gain: float, freedom: int, count: int) -> bool:
    return gain > 0.5 * freedom * np.log(max(count, 2))


def _tangential(state: State, tracks: Tracks, use: NDArray[np.bool_], loss: float, known: bool) -> State | None:
    """The state with k1 k2 p1 p2 free, where that is worth it against k1 k2 alone; by our own adjustment, whose pixels are square."""
    start, few, posed = unknowns.of_state(state, tracks, use, PER_VIEW, known=known, free=(0, 1))
    common = adjust.adjust(start, few, loss, ROUNDS)
    # Both go on from there, or what is gained by going on would count as gained by the freer lens.
    plain, full = (adjust.adjust(replace(common, free=free), few, loss, ROUNDS) for free in ((0, 1), (0, 1, 2, 3)))
    count = len(np.unique(few.track))
    gain = count * (unlikely(np.linalg.norm(plain.residuals(few), axis=1), loss) - unlikely(np.linalg.norm(full.residuals(few), axis=1), loss))
    gain -= 0.5 * float(((full.distortion[2:] / SKEW) ** 2).sum())
    # A rolling shutter or a shifted picture also bends like that, but more than any lens does.
    if not _worth(gain, 2, count) or np.abs(full.distortion[2:]).max() > ASKEW:
        return None
    focal = state.focal if known else np.full_like(state.focal, np.exp(full.log_focal[0]))
    return replace(state, focal=focal, distortion=full.distortion)
