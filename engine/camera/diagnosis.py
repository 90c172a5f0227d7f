"""Camera room: what kind of shot this is, told from the tracks before anything is solved; no torch, no pycolmap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.evenly import evenly
from ..geometry.reprojection import sampson, transfer
from .epipolar import find_fundamental, find_homography
from .tracks import Tracks

Array = NDArray[np.float64]
FOCALS = np.geomspace(0.4, 4.0, 14)  # of the width
SAMPLES = 160  # points of a pair
NO_TRACKS, NO_MOTION = 30, 0.004  # tracks; part of the width
KINDS = ("tracks", "motion", "tripod", "tripod zoom", "free")


@dataclass(frozen=True)
class Diagnosis:
    """Lengths are parts of the picture's width. Residuals: 80th percentile, median over pairs of views some frames apart."""

    alive: float  # median number of tracks in a view that live for five views
    motion: float  # widest median displacement between two views
    moved: float  # median displacement in the pairs of the residuals
    turn: float  # what a mere turn of the camera leaves unexplained
    turn_zoom: float  # the same where the lens may zoom as well
    flat: float  # what a homography leaves
    lined: float  # what an epipolar geometry leaves
    focal: float  # focal length at which turns explain most

    @property
    def kind(self) -> str:
        """tracks (too few), motion (too little), tripod, tripod zoom, or free."""
        if self.alive < NO_TRACKS:
            return "tracks"
        if self.motion < NO_MOTION:
            return "motion"
        if self.turn < 0.0014 + 0.004 * self.moved:
            return "tripod"
        zooms = self.turn_zoom < 1.4 * self.flat + 0.001 and self.turn > 3 * self.turn_zoom
        return "tripod zoom" if zooms and not self.deep else "free"

    @property
    def deep(self) -> bool:
        """Whether no homography explains what an epipolar geometry does."""
        return self.flat > 4 * self.lined + 0.0008 or self.flat > 0.04 * self.moved + 0.0008


def look(tracks: Tracks, views: int, size: tuple[int, int]) -> Diagnosis:
    """Diagnose the still tracks [N] of a span of `views` frames."""
    lasting = tracks.long(min(5, max(2, views)))
    if not len(lasting.track):
        return Diagnosis(0, 0, 0, 0, 0, 0, 0, 1)
    rows, width = lasting.views(views), size[0]
    alive = float(np.median([r.stop - r.start for r in rows]))
    motion = _widest(lasting, rows) / width
    pairs = _apart(lasting, rows, int(np.clip(views // 3, min(4, views - 1), 16)))
    if len(pairs) < 3:
        pairs = _apart(lasting, rows, int(np.clip(views // 6, min(4, views - 1), 8)))
    if not pairs:
        return Diagnosis(alive, motion, 0, 0, 0, 0, 0, 1)
    moved = float(np.median([np.median(np.linalg.norm(b - a, axis=1)) for a, b in pairs])) / width
    focal, turn = turn_only(pairs, size)
    flat = float(np.median([_flat_residual(a, b) for a, b in pairs])) / width
    lined = float(np.median([_lined_residual(a, b) for a, b in pairs])) / width
    # A zoom on the spot has no depth either: where there is some, nobody needs to look for it.
    found = Diagnosis(alive, motion, moved, turn, turn, flat, lined, focal)
    if found.deep:
        return found
    zoomed, turn_zoom = turn_only(pairs, size, True)
    found = replace(found, turn_zoom=turn_zoom)
    return replace(found, focal=zoomed) if found.kind == "tripod zoom" else found


def _widest(tracks: Tracks, rows: list[slice]) -> float:
    """The widest median displacement in px between two of a few views that share tracks."""
    views = evenly(len(rows), 16)
    widest = 0.0
    for i, a in enumerate(views):
        for b in views[i + 1 :]:
            first, second = tracks.pair(rows[a], rows[b])
            if len(first) >= 20:
                widest = max(widest, float(np.median(np.linalg.norm(tracks.xy[second] - tracks.xy[first], axis=1))))
    return widest


def _apart(tracks: Tracks, rows: list[slice], gap: int) -> list[tuple[Array, Array]]:
    """Some ten pairs of views that lie `gap` apart and share enough tracks: their pixels."""
    found = []
    for view in range(0, len(rows) - gap, max(1, (len(rows) - gap) // 10)):
        first, second = tracks.pair(rows[view], rows[view + gap])
        if len(first) >= 40:
            every = slice(None, None, 1 + len(first) // SAMPLES)
            found.append((tracks.xy[first[every]], tracks.xy[second[every]]))
    return found


def _flat_residual(a: Array, b: Array) -> float:
    homography = find_homography(a, b, 2.0)
    return np.inf if homography is None else float(np.quantile(np.linalg.norm(transfer(homography, a) - b, axis=1), 0.8))


def _lined_residual(a: Array, b: Array) -> float:
    fundamental = find_fundamental(a, b, 1.0)
    return 0.0 if fundamental is None else float(np.quantile(sampson(fundamental, a, b), 0.8))


def turn_only(pairs: list[tuple[Array, Array]], size: tuple[int, int], zoom: bool = False) -> tuple[float, float]:
    """Focal length in widths at which turns alone explain pairs of pixels best, and the residual in widths (80th percentile).

    With `zoom`, each pair may also change the focal length.
    """
    width, centre = size[0], np.asarray(size, np.float64) / 2
    focal = (FOCALS * width)[:, None, None]
    left = np.array([np.quantile(rotation_between((a - centre) / focal, (b - centre) / focal, zoom)[2], 0.8, axis=-1) for a, b in pairs])
    left = np.median(left, axis=0) * FOCALS
    best = int(left.argmin())
    return float(FOCALS[best]), float(left[best])


def rotation_between(a: Array, b: Array, zoom: bool = False) -> tuple[Array, Array, Array]:
    """The rotation [..., 3, 3] and growth [...] that best carry normalised points a onto b [..., N, 2], and what they leave [..., N].

    Kabsch's rotation, re-weighted, in turns with the growth where the lens may `zoom`.
    """
    spread = [np.median(np.linalg.norm(x - np.median(x, axis=-2, keepdims=True), axis=-1), axis=-1) for x in (a, b)]
    growth = spread[1] / np.maximum(spread[0], 1e-9) if zoom else np.ones(a.shape[:-2])
    p, weight = _bearings(a), np.ones(a.shape[:-1])
    for _ in range(8 if zoom else 4):
        q = _bearings(b / growth[..., None, None]) * weight[..., None]
        u, _, vt = np.linalg.svd(np.swapaxes(q, -1, -2) @ p)
        upright = np.ones(u.shape[:-1])
        upright[..., 2] = np.sign(np.linalg.det(u @ vt))
        rotation = (u * upright[..., None, :]) @ vt
        turned = p @ np.swapaxes(rotation, -1, -2)
        flat = turned[..., :2] / turned[..., 2:]
        if zoom:
            growth = np.maximum((weight * (flat * b).sum(-1)).sum(-1) / (weight * (flat**2).sum(-1)).sum(-1), 0.05)
        error = np.linalg.norm(flat * growth[..., None, None] - b, axis=-1)
        weight = 1 / (1 + (error / np.maximum(2 * np.median(error, axis=-1, keepdims=True), 1e-9)) ** 2)
    return rotation, growth, error


def _bearings(flat: Array) -> Array:
    rays = np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], -1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)
