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
) -> tuple[float | None, float | None, float]:
    """What the camera's places are likely off by (root mean square, aligned by a similarity), as part of the path's length, by how
    much the log of the scale may differ between the path's halves, and how far log focal length may be off for a principal point that
    is not in the middle of the picture.

    Draws from the covariance of all unknowns together, the lens among them, and of the principal point; None where it is not to be had.
    """
    some = spread(state, MOST)
    seen = tracks.shared(np.isfinite(state.points[tracks.track, 0]) & fits & some[tracks.view])
    bundle, few = unknowns.of_state(replace(state, posed=some), tracks, seen, PER_VIEW, zooming=zoom, known=known, free=(0,) if zoom else (0, 1))
    place = -np.einsum("vji,vj->vi", bundle.rotation, bundle.translation)
    length = float(np.linalg.norm(np.diff(place, axis=0), axis=1).sum())
    if len(place) < 3 or length < 1e-9:
        return None, None, 0.0
    # The solve itself rests on more observations than are looked at here.
    every = carrying(tracks, seen, steering(len(state.posed))).sum()
    try:
        steps, lens = _draws(bundle, few, loss, place, float(np.sqrt(len(few.track) / max(every, 1))))
    except np.linalg.LinAlgError:
        return None, None, 0.0
    turn, shift = steps[:, :, :3], steps[:, :, 3:6]
    moved = place - np.einsum("vji,dvj->dvi", bundle.rotation, shift - np.cross(turn, bundle.translation[None]))
    off = [np.sqrt((np.linalg.norm(align(there, place).points(there) - place, axis=1) ** 2).mean()) for there in moved]
    return float(np.median(off)) / length, _drift(moved, place), lens


def _drift(moved: Array, place: Array) -> float | None:
    """Root mean square of the log ratio of scale, second half of the path to first, over draws [D, V, 3] of its places [V, 3]."""
    half = len(place) // 2
    if half < 3 or min(np.ptp(part, axis=0).max() for part in (place[:half], place[half:])) < 1e-9:
        return None
    ratio = [align(place[half:], there[half:]).scale / max(align(place[:half], there[:half]).scale, 1e-9) for there in moved]
    return float(np.sqrt((np.log(np.maximum(ratio, 1e-9)) ** 2).mean()))


def _draws(bundle: unknowns.Bundle, tracks: Tracks, loss: float, place: Array, calmer: float) -> tuple[Array, float]:
    """Steps [D, V, own] of the views' unknowns as the observations' noise, `calmer` times as large, and the principal point would have
    them; and the sigma of log focal length that the latter makes."""
    system = equations.System(bundle, tracks, loss)
    reduced = normal.dense(system.reduced(0.0))
    # The size of the world is nobody's: it is held, as the first view is.
    views, own = len(bundle.rotation), bundle.own
    grow = np.zeros((views, own))
    grow[:, 3:6] = -np.einsum("vij,vj->vi", bundle.rotation, place - place[0])
    grow = np.concatenate([grow.ravel(), np.zeros(len(reduced) - views * own)])
    reduced += np.outer(grow, grow) * (1e3 * reduced.diagonal()[6:].max() / (grow @ grow))
    half = scipy.linalg.cholesky(reduced, lower=True)
    random = np.random.default_rng(0)
    steps = scipy.linalg.solve_triangular(half.T, random.normal(size=(len(reduced), DRAWS))) * np.sqrt(system.spread * system.length)
    aside = system.by_centre() * equations.ASIDE * 2 * bundle.centre[0]
    steps = calmer * steps + aside.T @ random.normal(size=(2, DRAWS))
    return steps[: views * own].T.reshape(DRAWS, views, own), float(np.linalg.norm(aside @ system.focal_pick()))
