"""Camera room: a shot that returns: points that were lost and found again become one track; OpenCV, no pycolmap, no torch.

Some views are compared by their tracks' own places: SIFT descriptors there (Lowe 2004) are matched, checked by epipolar geometry,
and each match is brought to sub-pixel agreement by following it from one picture into the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.evenly import evenly
from ..geometry.reprojection import sampson
from .epipolar import find_fundamental
from .tracks import Tracks

Picture = NDArray[np.uint8]
Array = NDArray[np.float64]
VIEWS = 16  # that are compared with one another
FEW = 60  # shared tracks below which two views are compared
ALIKE, AGREE = 20, 0.5  # matches that must obey one epipolar geometry, and their part of all
SMALL, PATCH = 320, 4.0  # px: longest side of the pictures in which places are described, and the size at which they are there
CLEAR = 0.8  # of the second best match's distance
NEAR = 2.0  # px by which following may differ from matching


@dataclass(frozen=True)
class _View:
    picture: Picture
    track: NDArray[np.int64]  # [N]
    xy: Array  # [N, 2] px, centres at +0.5
    words: NDArray[np.float32]  # [N, 128]


def closed(tracks: Tracks, views: int, picture: Callable[[int], Picture]) -> tuple[Tracks, int]:
    """The tracks with those joined that are seen again after they were lost, and how many were joined; `picture(view)` is grey."""
    rows, still = tracks.views(views), tracks.where(~tracks.moving)
    some = [v for v in evenly(views, VIEWS).tolist() if rows[v].stop > rows[v].start]
    pairs = [(a, b) for k, a in enumerate(some) for b in some[k + 2 :] if len(tracks.pair(rows[a], rows[b])[0]) < FEW]
    if not pairs:
        return tracks, 0
    count = int(tracks.track.max()) + 1
    first, last = np.full(count, views), np.full(count, -1)
    np.minimum.at(first, tracks.track, tracks.view)
    np.maximum.at(last, tracks.track, tracks.view)
    described: dict[int, _View] = {}
    name, shift = np.arange(count), np.zeros((count, 2))
    for a, b in pairs:
        for view in (a, b):
            if view not in described:
                described[view] = _describe(picture(view), still, view)
        for seen, new, step in _again(described[a], described[b]):
            old, group = int(name[seen]), name == new
            # Each joins once, with all that had joined it, and only what never stands side by side.
            if group[new] and old != new and last[old] < first[new]:
                name[group], last[old] = old, max(last[old], last[new])
                shift[group] += step + shift[seen]
    joined = int((name != np.arange(count)).sum())
    if not joined:
        return tracks, 0
    track, xy = name[tracks.track], tracks.xy + shift[tracks.track]
    order = np.lexsort((track, tracks.view))
    return Tracks(track[order], tracks.view[order], xy[order], tracks.moving[order]), joined


def _alike(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of descriptors [A, 128] and [B, 128] that are each other's nearest, clearly so."""
    square = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    best, back, rows = square.argmin(1), square.argmin(0), np.arange(len(a))
    nearest = square[rows, best]
    square[rows, best] = np.inf
    sure = (nearest < CLEAR**2 * square.min(1)) & (back[best] == rows)
    return np.flatnonzero(sure), best[sure]


def _describe(picture: Picture, tracks: Tracks, view: int) -> _View:
    rows = np.flatnonzero(tracks.view == view)
    scale = min(1.0, SMALL / max(picture.shape))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    spots = [cv2.KeyPoint(x, y, PATCH, 0.0, 0.0, 0, k) for k, (x, y) in enumerate((tracks.xy[rows] * scale - 0.5).tolist())]
    spots, words = cv2.SIFT_create().compute(small, spots)
    kept = rows[[spot.class_id for spot in spots]] if spots else rows[:0]
    return _View(picture, tracks.track[kept], tracks.xy[kept], np.zeros((0, 128), np.float32) if words is None else words)


def _again(a: _View, b: _View) -> list[tuple[int, int, Array]]:
    """Tracks of the first view that the second sees as other tracks, and by how much those must be shifted to mean the same place."""
    if min(len(a.track), len(b.track)) < ALIKE:
        return []
    # Bricks are all alike: only what stands out against the second best counts.
    i, j = _alike(a.words, b.words)
    fundamental = find_fundamental(a.xy[i], b.xy[j], 1.5) if len(i) >= ALIKE else None
    if fundamental is None:
        return []
    agrees = sampson(fundamental, a.xy[i], b.xy[j]) < 1.5
    if agrees.sum() < max(ALIKE, AGREE * len(i)):
        return []
    i, j = i[agrees], j[agrees]
    start, guess = ((xy - 0.5).astype(np.float32).reshape(-1, 1, 2) for xy in (a.xy[i], b.xy[j]))
    there, good, _ = cv2.calcOpticalFlowPyrLK(a.picture, b.picture, start, guess.copy(), winSize=(15, 15), maxLevel=1, flags=cv2.OPTFLOW_USE_INITIAL_FLOW)
    step = (there - guess)[:, 0].astype(np.float64)
    sure = (good[:, 0] > 0) & (np.linalg.norm(step, axis=1) < NEAR)
    return [(int(a.track[p]), int(b.track[q]), s) for p, q, s in zip(i[sure], j[sure], step[sure]) if a.track[p] != b.track[q]]
