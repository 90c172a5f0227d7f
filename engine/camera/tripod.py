"""Camera room: a camera that only turns (and perhaps zooms): turns and focal lengths from the directions of the tracks; no pycolmap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.evenly import evenly
from ..geometry.pose import pose
from ..geometry.reprojection import sum_by
from . import bundle, equations, lenses, unknowns
from .adjust import NEARLY, ROUGHLY, adjust
from .bundle import State
from .diagnosis import rotation_between
from .tracks import Tracks

Array = NDArray[np.float64]
FITS = 2.0  # px by which an observation may miss its direction
PER_VIEW = 200
LEFT = 2  # of several focal lengths that are looked at twice
STARTS = (0.7, 1.1, 1.8, 3.0)  # focal lengths, in widths
LINK, SAMPLES = 25, 200  # tracks that two neighbours must share, and those of them that say how one is turned against the other


def solve(
    tracks: Tracks, views: int, size: tuple[int, int], focal: float, zoom: bool, known: bool, loss: float, bends: bool = True
) -> tuple[State, NDArray[np.bool_], float | None]:
    """Turns of all views from tracks [N] (px at `size`), the observations that fit, and the standard error of log focal length.

    Points are directions of length 1 from the camera, which stands at the origin. `bends` asks the tracks for the lens's distortion.
    """
    still = tracks.where(~tracks.moving)
    # A wrong focal length bends a turn into something that almost fits, so several are tried.
    guesses = (focal,) if known else (focal, *(share * size[0] for share in STARTS))
    count, usual = len(np.unique(still.track)), float(np.log(unknowns.WIDTHS * size[0]))
    starts, posed = _chained(still, views, size, np.array(guesses), zoom)
    seen = posed[tracks.view] & ~tracks.moving
    starts = [replace(start, zooming=zoom, known=known, free=(), usual=usual, points=_directions(start, tracks, seen)) for start in starts]

    def unlikely(start: unknowns.Bundle) -> float:
        error = np.linalg.norm(start.residuals(still), axis=1)[posed[still.view]]
        unusual = 0.5 * ((float(np.mean(start.log_focal)) - usual) / equations.USUAL) ** 2  # decides between focal lengths that fit alike
        return count * lenses.unlikely(error, loss) + unusual

    for limit, rounds, left in ((30.0, 6, LEFT), (8.0, 8, 1)):
        starts = [_refined(start, tracks, posed, loss, limit, rounds, PER_VIEW // 3, ROUGHLY)[0] for start in starts]
        starts = sorted(starts, key=unlikely)[:left]
    start, *_ = _refined(replace(starts[0], free=(0,) if bends else ()), tracks, posed, loss, 4.0, 10, PER_VIEW, ROUGHLY)
    start, keep, few = _refined(start, tracks, posed, loss, FITS, 20, PER_VIEW, NEARLY)
    sigma = equations.System(*_alone(start, few), loss).focal_sigma(2 * start.centre[0] * equations.ASIDE)
    error = np.linalg.norm(start.residuals(tracks), axis=1)
    seen = np.bincount(tracks.track[posed[tracks.view]], minlength=len(start.points))
    fits = keep & (error < FITS)
    good = np.bincount(tracks.track[fits], minlength=len(start.points)) >= np.maximum(3, 0.7 * seen)
    points = np.where(good[:, None], start.points, np.nan)
    state = State(size, np.exp(start.log_focal), start.distortion, pose(start.rotation, np.zeros((views, 3))), posed, points)
    return state, fits & good[tracks.track], sigma


def _refined(
    start: unknowns.Bundle, tracks: Tracks, posed: NDArray[np.bool_], loss: float, limit: float, rounds: int, per_view: int, settled: float
) -> tuple[unknowns.Bundle, NDArray[np.bool_], Tracks]:
    """Adjusted by `per_view` of each view's observations that miss by less than `limit` px; all of these [N]; and those that were asked."""
    error = np.linalg.norm(start.residuals(tracks), axis=1)
    ahead = np.einsum("nj,nj->n", start.rotation[tracks.view][:, 2], start.points[tracks.track]) > 0.05
    keep = posed[tracks.view] & ahead & (error < limit)
    few = tracks.where(bundle.carrying(tracks, keep, per_view))
    best = adjust(*_alone(start, few), loss, rounds, settled)
    return replace(best, points=_directions(best, tracks, keep)), keep, few


def _alone(start: unknowns.Bundle, tracks: Tracks) -> tuple[unknowns.Bundle, Tracks]:
    """The bundle with the points of these tracks alone, and these, numbered afresh."""
    number, again = np.unique(tracks.track, return_inverse=True)
    return replace(start, points=start.points[number]), replace(tracks, track=again)


def _chained(tracks: Tracks, views: int, size: tuple[int, int], focal: Array, zoom: bool) -> tuple[list[unknowns.Bundle], NDArray[np.bool_]]:
    """First guesses, one for each focal length [F]: each view turned against the one before, its focal length grown by how the points spread.

    Where two neighbours share next to nothing the chain breaks; its longest piece is kept.
    """
    rows, centre = tracks.views(views), np.asarray(size, np.float64) / 2
    rotation, piece = np.tile(np.eye(3), (len(focal), views, 1, 1)), np.zeros(views, np.int64)
    log_focal = np.tile(np.log(focal)[:, None], (1, views))
    for view in range(1, views):
        a, b = tracks.pair(rows[view - 1], rows[view])
        rotation[:, view], log_focal[:, view], piece[view] = rotation[:, view - 1], log_focal[:, view - 1], piece[view - 1]
        if len(a) < LINK:
            piece[view] += 1
            continue
        some = evenly(len(a), SAMPLES)
        p, q = ((tracks.xy[x[some]] - centre) / np.exp(log_focal[:, view])[:, None, None] for x in (a, b))
        step, growth, _ = rotation_between(p, q, zoom)
        log_focal[:, view] += np.log(growth)
        rotation[:, view] = step @ rotation[:, view - 1]
    longest = int(np.bincount(piece).argmax())
    points = np.zeros((int(tracks.track.max()) + 1, 3))
    chains = [unknowns.Bundle(r, np.zeros((views, 3)), f, np.zeros(4), points, centre, turning=True) for r, f in zip(rotation, log_focal)]
    return chains, piece == longest


def _directions(start: unknowns.Bundle, tracks: Tracks, keep: NDArray[np.bool_]) -> Array:
    """The mean direction [P, 3] of each track over the views in `keep` (over all of them where none is)."""
    flat = (tracks.xy - start.centre) / np.exp(start.log_focal[tracks.view])[:, None]
    flat = flat / (1 + start.distortion[0] * (flat**2).sum(1))[:, None]  # the inverse of a weak distortion
    rays = np.concatenate([flat, np.ones((len(flat), 1))], 1)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    world = np.einsum("nji,nj->ni", start.rotation[tracks.view], rays)
    count = int(tracks.track.max()) + 1
    some = sum_by(tracks.track[keep], world[keep], count)
    every = sum_by(tracks.track, world, count)
    mean = np.where((np.linalg.norm(some, axis=1) > 0.1)[:, None], some, every)
    return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
