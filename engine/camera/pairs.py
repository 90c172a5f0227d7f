"""Camera room: pairs of keyframes, and the focal lengths that their epipolar geometries alone tell; OpenCV and numpy, no pycolmap.

With the right focal lengths a fundamental matrix becomes an essential one, whose two singular values are equal (Hartley and Zisserman
2004, section 9.6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import reprojection
from ..geometry.evenly import evenly
from .epipolar import find_fundamental, find_homography
from .tracks import Tracks
from .unknowns import WIDTHS

Array = NDArray[np.float64]
Index = NDArray[np.int64]
PAIRS, SHARED, SAMPLES = 6, 60, 250  # pairs of keyframes that are looked at, tracks they must share, and those of them that are asked
LINED = 2.0  # px from its epipolar line within which a track follows a pair's geometry
FOCALS = np.geomspace(0.4, 3.0, 28)  # in widths
GROWTHS = np.linspace(-0.8, 0.8, 33)  # of log focal length, from the first frame to the last
HABIT = 0.05  # how much a focal length that is e times the usual one is disliked, in parts by which singular values differ
ZOOMS, CLEARLY = 0.004, 4.0  # by how much, and how many times, a growing lens must make them more alike to be tried first


@dataclass(frozen=True)
class Pair:
    """Two keyframes, the rows of the tracks that they share, and their fundamental matrix."""

    a: int
    b: int
    first: Index
    second: Index
    fundamental: Array  # [3, 3]


def chosen(tracks: Tracks, keys: list[int], views: int) -> list[Pair]:
    """Some pairs of keyframes, the one that shows most parallax first."""
    rows, near = tracks.views(views), []
    for i, a in enumerate(keys):
        for b in keys[i + 1 :]:
            first, second = tracks.pair(rows[a], rows[b])
            if len(first) >= SHARED:
                gone = float(np.median(np.linalg.norm(tracks.xy[second] - tracks.xy[first], axis=1)))
                near.append((gone * np.sqrt(len(first)), a, b, first, second))
    near.sort(key=lambda pair: -pair[0])
    found = []
    for _, a, b, first, second in [near[k] for k in evenly(len(near), 2 * PAIRS)][:PAIRS]:
        some = evenly(len(first), SAMPLES)
        p, q = tracks.xy[first[some]], tracks.xy[second[some]]
        fundamental, homography = find_fundamental(p, q, 1.0), find_homography(p, q, 2.0)
        if fundamental is None or homography is None:
            continue
        lined = reprojection.sampson(fundamental, p, q) < LINED
        flat = np.linalg.norm(reprojection.transfer(homography, p) - q, axis=1)[lined]
        share = float(np.median(flat)) * np.sqrt(lined.mean() * len(first)) if len(flat) else 0.0
        found.append((share, Pair(a, b, first, second, fundamental)))
    return [pair for _, pair in sorted(found, key=lambda entry: -entry[0])]


def focals(pairs: list[Pair], views: int, size: tuple[int, int], zoom: bool) -> Array:
    """Log focal lengths [V] of px that the pairs tell: one for all views, or one that grows evenly where the lens may `zoom`."""
    cost, growths = _costs(pairs, views, size, zoom)
    focal, growth = np.unravel_index(cost.argmin(), cost.shape)
    return np.log(FOCALS[focal] * max(size)) + growths[growth] * _time(np.arange(views), views)


def zooms(pairs: list[Pair], views: int, size: tuple[int, int]) -> bool:
    """Whether a lens that grows or shrinks explains the pairs far better than any that stays."""
    cost, growths = _costs(pairs, views, size, True)
    best, fixed = float(cost.min()), float(cost[:, np.abs(growths).argmin()].min())
    return fixed - best > ZOOMS and fixed > CLEARLY * best


def _time(view: Array, views: int) -> Array:
    return view / max(views - 1, 1) - 0.5


def _costs(pairs: list[Pair], views: int, size: tuple[int, int], zoom: bool) -> tuple[Array, Array]:
    """How unlike the singular values are [F, G], mean over the pairs, for each of FOCALS and of the growths, and these."""
    growths, width, centre = GROWTHS if zoom else np.zeros(1), max(size), np.asarray(size) / 2
    to_pixels = np.array([[1, 0, centre[0]], [0, 1, centre[1]], [0, 0, 1.0]])
    cost = np.repeat(HABIT * np.log(FOCALS / WIDTHS)[:, None] ** 2, len(growths), 1)
    for pair in pairs:
        a, b = (FOCALS[:, None] * width * np.exp(growths * _time(view, views)) for view in (pair.a, pair.b))
        cost += _unlike(to_pixels.T @ pair.fundamental @ to_pixels, a, b) / len(pairs)
    return cost, growths


def _unlike(centred: Array, a: Array, b: Array) -> Array:
    """By what part the singular values differ with focal lengths a and b [...] of the first and the second view."""
    scale = np.stack([np.stack([b * a, b * a, b], -1), np.stack([b * a, b * a, b], -1), np.stack([a, a, np.ones_like(a)], -1)], -2)
    values = np.linalg.svd(scale * centred, compute_uv=False)
    return 1 - values[..., 1] / values[..., 0]
