"""Camera room: which frames carry the solve, by how far the picture has moved; numpy only."""

from __future__ import annotations

import numpy as np

from .tracks import Tracks

MOVED = 0.04  # part of the width
ALIVE = 0.35  # part of the tracks
SHARED = 150  # tracks that a key must share with the one before, so that three in a row still share some


def choose(tracks: Tracks, count: int, width: float, most: int = 400) -> list[int]:
    """Views from the first to the last, a new one where the median track has moved or most are lost; at most about `most`."""
    step = MOVED
    while True:
        keys = _walk(tracks, count, step * width)
        if len(keys) <= most:
            return keys
        step *= 1.3


def _walk(tracks: Tracks, count: int, moved: float) -> list[int]:
    views, keys = tracks.views(count), [0]
    for view in range(1, count):
        start = views[keys[-1]]
        a, b = tracks.pair(start, views[view])
        if len(a) < max(ALIVE * (start.stop - start.start), SHARED):
            # The frame before still shared more with the last key.
            keys.append(view - 1 if view - 1 > keys[-1] else view)
        elif np.median(np.linalg.norm(tracks.xy[b] - tracks.xy[a], axis=1)) > moved:
            keys.append(view)
    if keys[-1] != count - 1:
        keys.append(count - 1)
    return keys
