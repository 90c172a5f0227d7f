"""Camera room: how far a solved path may be off, from the bundle's covariance; numpy, scipy, no torch, no pycolmap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..geometry.similarity import align
from . import equations, normal, unknowns
from .bundle import State, carrying, spread
from .mapping import per_view as steering
from .tracks import Tracks

Array = NDArray[np.float64]
MOST, PER_VIEW = 120, 100  # views and observations of each that are looked at
DRAWS = 24


def path_sigmas(
    state: State, tracks: Tracks, fits: NDArray[np.bool_], loss: float, zoom: bool, known: bool
) -> tuple[float | None, float | None]:
    """What the camera's places are likely off by (root mean square, aligned by a similarity), as part of the path's length, and by how
    much the log of the scale may differ between the path's halves.

    Draws from the covariance of all unknowns together, the lens among them; None where it is not to be had.
    """
    some = spread(state, MOST)
    seen = tracks.shared(np.isfinite(state.points[tracks.track, 0]) & fits & some[tracks.view])
    bundle, few, _ = unknowns.of_state(replace(state, posed=some), tracks, seen, PER_VIEW, zooming=zoom, known=known, free=(0,) if zoom else (0, 1))
    place = -np.einsum("vji,vj->vi", bundle.rotation, bundle.translation)
    length = float(np.linalg.norm(np.diff(place, axis=0), axis=1).sum())
    if len(place) < 3 or length < 1e-9:
        return None, None
    try:
        steps = _draws(bundle, few, loss, place)
    except np.linalg.LinAlgError:
        return None, None
    turn, shift = steps[:, :, :3], steps[:, :, 3:6]
    moved = place - np.einsum("vji,dvj->dvi", bundle.rotation, shift - np.cross(turn, bundle.translation[None]))
    off = [np.sqrt((np.linalg.norm(align(there, place).points(there) - place, axis=1) ** 2).mean()) for there in moved]
    # The solve itself rests on more observations than are looked at here.
    every = carrying(tracks, seen, steering(len(state.posed))).sum()
    calmer = float(np.sqrt(len(few.track) / max(every, 1)))
    return calmer * float(np.median(off)) / length, _drift(moved, place, calmer)


def _drift(moved: Array, place: Array, calmer: float) -> float | None:
    """Root mean square of the log ratio of scale, second half of the path to first, over draws [D, V, 3] of its places [V, 3]."""
    half = len(place) // 2
    if half < 3 or min(np.ptp(part, axis=0).max() for part in (place[:half], place[half:])) < 1e-9:
        return None
    ratio = [align(place[half:], there[half:]).scale / max(align(place[:half], there[:half]).scale, 1e-9) for there in moved]
    return calmer * float(np.sqrt((np.log(np.maximum(ratio, 1e-9)) ** 2).mean()))


def _draws(bundle: unknowns.Bundle, tracks: Tracks, loss: float, place: Array) -> Array:
    """Steps [D, V, own] of the views' unknowns as the observations' noise would have them."""
    system = equations.System(bundle, tracks, loss)
    reduced = normal.dense(system.reduced(0.0))
    # The size of the world is nobody's: it is held, as the first view is.
    views, own = len(bundle.rotation), bundle.own
    grow = np.zeros((views, own))
    grow[:, 3:6] = -np.einsum("vij,vj->vi", bundle.rotation, place - place[0])
    grow = np.concatenate([grow.ravel(), np.zeros(len(reduced) - views * own)])
    reduced += np.outer(grow, grow) * (1e3 * reduced.diagonal()[6:].max() / (grow @ grow))
    half = scipy.linalg.cholesky(reduced, lower=True)
    noise = np.random.default_rng(0).normal(size=(len(reduced), DRAWS))
    steps = scipy.linalg.solve_triangular(half.T, noise) * np.sqrt(system.spread * system.length)
    return steps[: views * own].T.reshape(DRAWS, views, own)
