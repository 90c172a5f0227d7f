"""Camera room: which frames carry the solve, by how far the picture has moved; numpy only."""

from __future__ import annotations

import numpy as np

from .tracks import Tracks

MOVED = 0.04  # part of the width
ALIVE = 0.35  # part of the tracks
FEWEST = 6  # keys that a map should rest on
LEAST = 20  # tracks without which a view is no key
SHARED = 150  # tracks that a key must share with the one before, so that three in a row still share some


def choose(tracks: Tracks, count: int, width: float, most: int = 400) -> list[int]:
    """Views from the first to the last, a new one where the median track has moved or most are lost; at most about `most`.

    Where the whole shot moves little, its small steps must do: two keys alone carry no map.
    """
    step = MOVED
    while len(_walk(tracks, count, step * width)) < min(FEWEST, count) and step > MOVED / 16:
        step /= 1.5
    while True:
        keys = _walk(tracks, count, step * width)
        if len(keys) <= most:
            return keys
        step *= 1.3


def _walk(tracks: Tracks, count: int, moved: float) -> list[int]:
    views = tracks.views(count)
    full = [view for view in range(count) if views[view].stop - views[view].start >= LEAST]
    if len(full) < 2:
        return full
    keys = [full[0]]
    for before, view in zip(full[:-1], full[1:]):
        start = views[keys[-1]]
        a, b = tracks.pair(start, views[view])
        if len(a) < max(ALIVE * (start.stop - start.start), SHARED):
            # The view before still shared more with the last key.
            keys.append(before if before > keys[-1] else view)
        elif np.median(np.linalg.norm(tracks.xy[b] - tracks.xy[a], axis=1)) > moved:
            keys.append(view)
    if keys[-1] != full[-1]:
        keys.append(full[-1])
    return keys
