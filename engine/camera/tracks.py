"""Camera room: the table of points followed through the pictures; numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tracks:
    """One row per observation, sorted by view then track."""

    track: Index  # [N]
    view: Index  # [N] position in the list of frames
    xy: Array  # [N, 2] px, centres at +0.5
    moving: NDArray[np.bool_]  # [N] lies on what moves by itself

    def where(self, keep: NDArray[np.bool_]) -> Tracks:
        """The observations of a mask [N]."""
        return Tracks(self.track[keep], self.view[keep], self.xy[keep], self.moving[keep])

    def views(self, count: int) -> list[slice]:
        """The rows of each of `count` views."""
        edges = np.searchsorted(self.view, np.arange(count + 1))
        return [slice(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:])]

    def pair(self, a: slice, b: slice) -> tuple[Index, Index]:
        """Rows of the tracks that two views share."""
        _, i, j = np.intersect1d(self.track[a], self.track[b], assume_unique=True, return_indices=True)
        return i + a.start, j + b.start

    def shared(self, keep: NDArray[np.bool_], least: int = 2) -> NDArray[np.bool_]:
        """The observations in `keep` [N] whose track has at least `least` of them: one alone says nothing of a place."""
        return keep & (np.bincount(self.track[keep], minlength=int(self.track.max(initial=-1)) + 1) >= least)[self.track]

    def long(self, least: int) -> Tracks:
        """Only tracks seen in at least so many views, numbered afresh from 0."""
        label, again, count = np.unique(self.track, return_inverse=True, return_counts=True)
        keep = count[again] >= least
        number = np.cumsum(count >= least) - 1
        return Tracks(number[again][keep], self.view[keep], self.xy[keep], self.moving[keep])
