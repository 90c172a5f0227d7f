"""The slow-motion room, tracks: the solve's tracked points at times between the frames; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .timeline import Moment, Timeline

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tracks:
    """One row per observation: which track [N], on which frame [N], where [N, 2] px."""

    track: NDArray[np.int64]
    frame: NDArray[np.int64]
    xy: Array

    def save(self, path: Path) -> None:
        """As the camera's tracks.npz."""
        with open(path, "wb") as file:
            np.savez(file, track=self.track, frame=self.frame, xy=self.xy)


def load(path: Path) -> Tracks:
    """A tracks.npz."""
    with np.load(path, allow_pickle=False) as file:
        return Tracks(file["track"].astype(np.int64), file["frame"].astype(np.int64), file["xy"].astype(np.float64))


def retimed(tracks: Tracks, track: Timeline, moments: Sequence[Moment]) -> Tracks:
    """The tracks on the output's frames, numbered from 1: each runs on a smooth curve through its places (cubic, Catmull-Rom).

    It is there where both frames around the moment have seen it. A repeated frame is no place of its own: there time went on.
    """
    seen = _Seen(tracks)
    rows: list[tuple[NDArray[np.int64], int, Array]] = []
    for number, moment in enumerate(moments, 1):
        here, start = seen.on(moment.before)
        if moment.fraction > 0:
            there, end = seen.on(moment.after)
            here, i, j = np.intersect1d(here, there, assume_unique=True, return_indices=True)
            start = _between(seen, track, moment, here, start[i], end[j])
        rows.append((here, number, start))
    which = np.concatenate([here for here, _, _ in rows]) if rows else np.zeros(0, np.int64)
    frame = np.repeat([number for _, number, _ in rows], [len(here) for here, _, _ in rows]).astype(np.int64)
    return Tracks(which, frame, np.concatenate([xy for _, _, xy in rows]) if rows else np.zeros((0, 2)))


class _Seen:
    """Observations by frame, tracks ascending."""

    def __init__(self, tracks: Tracks) -> None:
        order = np.lexsort((tracks.track, tracks.frame))
        self.track, self.frame, self.xy = tracks.track[order], tracks.frame[order], tracks.xy[order]

    def on(self, frame: int) -> tuple[NDArray[np.int64], Array]:
        """Tracks [M] seen on a frame, and their places [M, 2]."""
        inside = slice(*np.searchsorted(self.frame, [frame, frame + 1]))
        return self.track[inside], self.xy[inside]

    def of(self, wanted: NDArray[np.int64], frame: int | None) -> Array:
        """Places [M, 2] of the wanted tracks on a frame, NaN where it has not seen them."""
        out = np.full((len(wanted), 2), np.nan)
        if frame is not None:
            known, xy = self.on(frame)
            _, i, j = np.intersect1d(wanted, known, assume_unique=True, return_indices=True)
            out[i] = xy[j]
        return out


def _between(seen: _Seen, track: Timeline, moment: Moment, which: NDArray[np.int64], start: Array, end: Array) -> Array:
    """Hermite's cubic from start to end [M, 2]; slopes by the places before and after, straight where there are none."""
    left, right = track.neighbours(moment)
    span, straight, t = moment.after - moment.before, end - start, moment.fraction
    into, out = straight, straight
    if left is not None:
        into = _slope(seen.of(which, left), start, end, moment.before - left, span)
    if right is not None:
        out = _slope(start, end, seen.of(which, right), span, right - moment.after, last=True)
    into, out = np.where(np.isnan(into), straight, into), np.where(np.isnan(out), straight, out)
    return (
        (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * into + (3 * t**2 - 2 * t**3) * end + (t**3 - t**2) * out
    )


def _slope(a: Array, b: Array, c: Array, before: float, after: float, last: bool = False) -> Array:
    """Of the parabola through a, b, c at b, per interval a-b where `last`, else per interval b-c."""
    slope = (after * (b - a) / before + before * (c - b) / after) / (before + after)
    return slope * (before if last else after)
