"""The slow-motion room, contours: a subject's animated outline at times between the frames; numpy and SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from .timeline import Moment, Timeline


def retimed(contours: dict[str, Any], track: Timeline, moments: Sequence[Moment]) -> dict[str, Any]:
    """contours.json at the output's numbers (from 1): each point runs on a smooth curve through its places on the frames.

    A piece is there where both frames around the moment have it; where only one has it, while that one is the nearer.
    """
    pieces = [_piece(piece, track, moments) for piece in contours["pieces"]]
    return {**contours, "pieces": [piece for piece in pieces if piece["points"]]}


def _piece(piece: dict[str, Any], track: Timeline, moments: Sequence[Moment]) -> dict[str, Any]:
    shots = dict(zip(track.frame.tolist(), track.shot.tolist()))
    known = {int(number): np.asarray(points, np.float64) for number, points in piece["points"].items()}
    curves = {shot: _curve({n: p for n, p in known.items() if shots.get(n) == shot}) for shot in {shots[n] for n in known if n in shots}}
    points = {}
    for number, moment in enumerate(moments, 1):
        if moment.before in known and moment.after in known and moment.before in shots:
            at = moment.before + moment.fraction * (moment.after - moment.before)
            points[str(number)] = np.round(curves[shots[moment.before]](at), 3).tolist()
        elif moment.nearest in known:
            points[str(number)] = np.round(known[moment.nearest], 3).tolist()
    numbers = [int(number) for number in points]
    return {**piece, "points": points, "first": min(numbers, default=0), "last": max(numbers, default=0)}


def _curve(known: dict[int, NDArray[np.float64]]) -> CubicHermiteSpline | Any:
    frames = np.array(sorted(known), np.float64)
    places = np.stack([known[int(frame)] for frame in frames])
    if len(frames) == 1:
        return lambda at: places[0]
    return CubicHermiteSpline(frames, places, np.gradient(places, frames, axis=0))
