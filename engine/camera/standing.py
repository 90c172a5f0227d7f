"""Camera room: points that keep their place in the picture while others leave theirs: they go with the camera (a cockpit, the edge of a matte
box, dirt on the lens) or are burnt in (a logo, a ticker), and say nothing of the scene; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.reprojection import sum_by
from .tracks import Tracks

FEW = 0.01  # part of the observations below which it is chance: 0.003 of one shot in forty, 0.15 of a ticker, 0.21 of a cockpit
LEAST = 8  # views for which a point must have stood
PLACED = 0.25  # px of scatter about its place: what follows points is as exact; of forty shots without such things one track in a thousand had less
MOVED, WITHIN = 3.0, (7, 15, 31)  # px by which half of all others must have moved meanwhile, within so many views: most of them leave soon


def standing(tracks: Tracks) -> NDArray[np.bool_]:
    """Observations [N] of tracks that stand in the picture. What is far, ahead of a drive without a turn, may be among them."""
    count, views = int(tracks.track.max(initial=-1)) + 1, int(tracks.view.max(initial=-1)) + 1
    seen = np.maximum(np.bincount(tracks.track, minlength=count), 1)
    place = sum_by(tracks.track, tracks.xy, count) / seen[:, None]
    scatter = np.sqrt(np.bincount(tracks.track, ((tracks.xy - place[tracks.track]) ** 2).sum(1), count) / seen)
    first, last = np.full(count, views), np.zeros(count, np.int64)
    np.minimum.at(first, tracks.track, tracks.view)
    np.maximum.at(last, tracks.track, tracks.view)
    found = np.zeros(count, bool)
    still = (seen >= LEAST) & (scatter < PLACED)
    if still.any():
        for gap, moved in ((gap, _moved(tracks, views, gap)) for gap in WITHIN):
            before = np.concatenate([[0], np.cumsum(moved > MOVED)])
            found |= before[np.clip(last - gap + 1, 0, views)] > before[np.clip(first, 0, views)]
    return (still & found)[tracks.track]


def _moved(tracks: Tracks, views: int, gap: int) -> NDArray[np.float64]:
    """[V] px by which half of the tracks outside masks are elsewhere `gap` views after each; 0 where there are none."""
    rows, moved = tracks.views(views), np.zeros(views)
    for view in range(views - gap):
        one, other = tracks.pair(rows[view], rows[view + gap])
        far = np.linalg.norm(tracks.xy[other] - tracks.xy[one], axis=1)[~tracks.moving[one]]
        moved[view] = np.median(far) if len(far) else 0.0
    return moved


def without(tracks: Tracks) -> tuple[Tracks, int]:
    """The tracks without those that stand in the picture, and how many of them that is. No mask would do: what fits is taken back from masks,
    and some lens is found that fits these. A few may be chance, and are no harm."""
    stands = standing(tracks)
    if np.count_nonzero(stands) < FEW * len(stands):
        return tracks, 0
    return tracks.where(~stands), len(np.unique(tracks.track[stands]))
