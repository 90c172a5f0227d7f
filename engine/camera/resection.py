"""Camera room: the keyframes of a short shot placed one after another: two by their epipolar geometry, each further one by the points
that those before see (Hartley and Zisserman 2004, sections 9.6 and 7.2); OpenCV and our own adjustment, no torch, no pycolmap.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import reprojection
from ..geometry.evenly import evenly
from . import adjust, pairs, unknowns
from .bundle import State, triangulated
from .tracks import Tracks

Array = NDArray[np.float64]
MOST = 20  # keyframes: errors of one after another add up
SEEN = 25  # points that a view must see to be placed
WIDE, NEAR = 8.0, 4.0  # px by which an observation may miss its point while cameras are placed, and when all are adjusted
LOOSE, ROUNDS = 1.0, 8  # px, scale of the Cauchy loss of those adjustments, and their rounds
ENOUGH = 200  # points that a pose is found from


def mapped(state: State, tracks: Tracks, keys: list[int], known: bool, zoom: bool = False) -> State:
    """Poses for the keyframes `keys`, and the lens, from `tracks` [N] of what stands still; none where they do not hang together.

    The state's focal length is kept where it is `known`, else the pictures tell it. That of a `zoom` stays as pairs of keyframes tell it.
    """
    tracks, views = tracks.long(2), len(state.posed)
    points = np.full((int(tracks.track.max(initial=-1)) + 1, 3), np.nan)
    blank = replace(state, posed=np.zeros_like(state.posed), points=points, distortion=np.zeros(4))
    found = pairs.chosen(tracks, keys, views) if 2 < len(keys) <= MOST else []
    if not found:
        return blank
    if not known:
        blank = replace(blank, focal=np.exp(pairs.focals(found, views, state.size, zoom)))
    state = _two(blank, tracks, found[0])
    return _grown(state, tracks, keys, known or zoom) if state.posed.any() else blank


def _two(state: State, tracks: Tracks, pair: pairs.Pair) -> State:
    """The state with two views posed, one unit apart, and the points that both see."""
    lens = [np.array([[state.focal[view], 0, state.centre[0]], [0, state.focal[view], state.centre[1]], [0, 0, 1.0]]) for view in (pair.a, pair.b)]
    p, q = ((tracks.xy[rows] - state.centre) / state.focal[view] for rows, view in ((pair.first, pair.a), (pair.second, pair.b)))
    lined = reprojection.sampson(pair.fundamental, tracks.xy[pair.first], tracks.xy[pair.second]) < pairs.LINED
    if lined.sum() < SEEN:
        return state
    _, turn, way, _ = cv2.recoverPose(lens[1].T @ pair.fundamental @ lens[0], p[lined], q[lined], np.eye(3))
    pose, posed = state.pose.copy(), state.posed.copy()
    pose[[pair.a, pair.b]] = np.eye(4)
    pose[pair.b, :3, :3], pose[pair.b, :3, 3], posed[[pair.a, pair.b]] = turn, way[:, 0], True
    return triangulated(replace(state, pose=pose, posed=posed), tracks, WIDE, least=2)


def _grown(state: State, tracks: Tracks, keys: list[int], known: bool) -> State:
    """Each further keyframe placed by the points it sees, most first, all adjusted now and then."""
    open_, adjusted_at = [key for key in keys if not state.posed[key]], 4
    rows = tracks.views(len(state.posed))
    while open_:
        seen = [int(np.isfinite(state.points[tracks.track[rows[key]], 0]).sum()) for key in open_]
        best = int(np.argmax(seen))
        if seen[best] < SEEN:
            break
        state = resected(state, tracks, open_.pop(best))
        state = triangulated(state, tracks, WIDE, least=2)
        if open_ and state.posed.sum() == adjusted_at:
            state, adjusted_at = _adjusted(state, tracks, known, WIDE, 2), 2 * adjusted_at
    if state.posed.sum() >= 3:
        for limit in (WIDE, NEAR):
            state = _adjusted(triangulated(state, tracks, limit), tracks, known, limit, 3)
    return state


def _adjusted(state: State, tracks: Tracks, known: bool, limit: float, least: int) -> State:
    use = tracks.shared(state.errors(tracks) < limit)
    start, few = unknowns.of_state(state, tracks, use, len(tracks.track), known=known)
    return triangulated(unknowns.to_state(adjust.adjust(start, few, LOOSE, ROUNDS, adjust.ROUGHLY), state), tracks, limit, least=least)


def completed(state: State, tracks: Tracks) -> State:
    """The state with a pose for every view that sees enough points."""
    for view in np.flatnonzero(~state.posed):
        state = resected(state, tracks, int(view))
    return state


def grown_back(state: State, tracks: Tracks, limit: float) -> State:
    """The state with the views that have no pose placed one after another, whichever sees most points first, and points found anew after each."""
    state, open_ = triangulated(state, tracks, limit), np.flatnonzero(~state.posed)
    while len(open_):
        seen = np.bincount(tracks.view[np.isfinite(state.points[tracks.track, 0])], minlength=len(state.posed))
        view = int(open_[seen[open_].argmax()])
        state = resected(state, tracks, view)
        if not state.posed[view]:
            break
        state, open_ = triangulated(state, tracks, limit), open_[open_ != view]
    return state


def resected(state: State, tracks: Tracks, view: int, least: int = 12) -> State:
    """The state with a pose for a view by the points it sees (absolute pose by RANSAC, then refined), where there are enough of them."""
    rows = tracks.views(len(state.posed))[view]
    chosen = np.arange(rows.start, rows.stop)[np.isfinite(state.points[tracks.track[rows], 0])]
    if len(chosen) < least:
        return state
    chosen = chosen[evenly(len(chosen), ENOUGH)]
    few = Tracks(tracks.track[chosen], tracks.view[chosen], tracks.xy[chosen], tracks.moving[chosen])
    rays, points = state.rays(few), state.points[few.track]
    flat, focal = rays[:, :2] / rays[:, 2:], float(state.focal[view])
    try:
        found, turn, way, good = cv2.solvePnPRansac(
            points, flat, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP, reprojectionError=4.0 / focal, iterationsCount=100, confidence=0.999,
        )
    except cv2.error:  # a map that has shrunk to one place
        return state
    if not found or good is None or len(good) < max(least, 0.3 * len(chosen)):
        return state
    turn, way = cv2.solvePnPRefineLM(points[good[:, 0]], flat[good[:, 0]], np.eye(3), None, turn, way)
    pose, posed = state.pose.copy(), state.posed.copy()
    pose[view, :3, :3], pose[view, :3, 3], posed[view] = cv2.Rodrigues(turn)[0], way[:, 0], True
    return replace(state, pose=pose, posed=posed)
