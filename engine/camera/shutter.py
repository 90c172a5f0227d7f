"""Camera room: whether a picture's rows were exposed one after another (rolling shutter), told from what a solve leaves; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def readout(track: Index, row: Index, xy: Array, miss: Array, height: float) -> tuple[float, float]:
    """The part of a frame's time over which its rows are read, and the standard error of that.

    A point in the lower half is seen later than one in the upper, so it is found further along its way. Observations [N] of tracks
    in rows of the camera, with their pixels and by how much they miss [N, 2]. The poses take up a part of it, so it is a lower bound.
    """
    order = np.lexsort((row, track))
    track, row, xy, miss = track[order], row[order], xy[order], miss[order]
    inner = np.flatnonzero((track[2:] == track[:-2]) & (row[2:] - row[:-2] == 2)) + 1
    if len(inner) < 100:
        return 0.0, 1.0
    late = (xy[inner + 1] - xy[inner - 1]) / 2 * (xy[inner, 1:] / height - 0.5)
    left = miss[inner]
    share, weight = 0.0, np.ones(len(inner))
    for _ in range(4):
        square = float((weight[:, None] * late**2).sum())
        share = float((weight[:, None] * late * left).sum()) / max(square, 1e-12)
        error = np.linalg.norm(left - share * late, axis=1)
        weight = 1 / (1 + (error / max(2 * float(np.median(error)), 1e-9)) ** 2)
    repeats = len(inner) / len(np.unique(track[inner]))
    return share, float(np.sqrt((weight * error**2).sum() / max(weight.sum(), 1) / 2 * repeats / max(square, 1e-12)))
