"""Camera room: points followed through the pictures; OpenCV and scipy, no pycolmap, no torch."""

from __future__ import annotations

from typing import Callable, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .tracks import Index, Tracks

Picture = NDArray[np.uint8]  # [H, W]
HOME = 0.4  # px by which a point may miss its start after going there and back
WINDOW = dict(winSize=(15, 15), criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01), flags=cv2.OPTFLOW_USE_INITIAL_FLOW)
FAR, BACK = 4, 2  # coarsest level of the pyramids where no speed is known, and on the way back, whose end is known
COARSE = 80  # px: width at which one begins to look where a speed leads
LOST = 0.6  # part of the points that may be lost there before one looks farther


def follow(
    pictures: Iterable[Picture], masks: Iterable[Picture | None], count: int, progress: Callable[[int], None] = lambda done: None
) -> Tracks:
    """Follow about `count` corners at a time through the pictures; only two pictures are in memory at once.

    Pyramidal Lucas-Kanade there and back (Bouguet 2000); corners by Shi and Tomasi 1994.
    """
    points, speed, names, fresh = np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32), np.zeros(0, np.int64), 0
    rows: list[tuple[Index, NDArray[np.float32], NDArray[np.bool_]]] = []
    before = None
    for view, (picture, mask) in enumerate(zip(pictures, masks)):
        if before is not None and len(points):
            there, kept = _advance(before, picture, points, speed, view > 1)
            points, speed, names = there, there - points[kept], names[kept]
        found = _detect(picture, points, count)
        if len(found):
            speed = np.concatenate([speed, _borrow(points, speed, found)])
            points = np.concatenate([points, found])
            names = np.concatenate([names, fresh + np.arange(len(found))])
            fresh += len(found)
        rows.append((names, points, _inside(mask, points)))
        before = picture
        progress(view + 1)
    return _table(rows)


def _advance(
    before: Picture, now: Picture, points: NDArray[np.float32], speed: NDArray[np.float32], known: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where the points went and which of them could be followed; where their speed is `known`, it is looked for near where that leads first."""
    near = int(np.clip(np.log2(max(now.shape) / COARSE).round(), 1, FAR))
    there, kept = _there_and_back(before, now, points, speed, near if known else FAR)
    if known and kept.mean() < 1 - LOST:  # a jolt, perhaps
        there, kept = _there_and_back(before, now, points, speed, FAR)
    return there[kept], kept


def _there_and_back(
    before: Picture, now: Picture, points: NDArray[np.float32], speed: NDArray[np.float32], level: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, now, points.reshape(-1, 1, 2), (points + speed).reshape(-1, 1, 2), maxLevel=level, **WINDOW)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(now, before, there, there - speed.reshape(-1, 1, 2), maxLevel=min(level, BACK), **WINDOW)
    there, home = there[:, 0], np.linalg.norm(back[:, 0] - points, axis=1)
    inside = (there > 2).all(1) & (there[:, 0] < now.shape[1] - 3) & (there[:, 1] < now.shape[0] - 3)
    return there, (found[:, 0] > 0) & (returned[:, 0] > 0) & (home < HOME) & inside


def _borrow(points: NDArray[np.float32], speed: NDArray[np.float32], fresh: NDArray[np.float32]) -> NDArray[np.float32]:
    """A new point's first speed is that of its nearest neighbour."""
    if not len(points):
        return np.zeros_like(fresh)
    return speed[cKDTree(points).query(fresh)[1]]


def _detect(picture: Picture, points: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    if len(points) > 0.9 * count:
        return np.zeros((0, 2), np.float32)
    spacing = max(4, round(0.6 * np.sqrt(picture.size / count)))
    free = np.full(picture.shape, 255, np.uint8)
    for x, y in np.round(points).astype(int):
        cv2.circle(free, (int(x), int(y)), spacing, 0, -1)
    corners = cv2.goodFeaturesToTrack(picture, count - len(points), 0.003, spacing, mask=free, blockSize=5)
    return np.zeros((0, 2), np.float32) if corners is None else corners[:, 0]


def _inside(mask: Picture | None, points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which points lie on white, by their pixel; positions here still count pixel centres from 0."""
    if mask is None or not len(points):
        return np.zeros(len(points), bool)
    x, y = np.round(points).astype(int).T
    return mask[y.clip(0, mask.shape[0] - 1), x.clip(0, mask.shape[1] - 1)] > 127


def _table(rows: list[tuple[Index, NDArray[np.float32], NDArray[np.bool_]]]) -> Tracks:
    order = [np.argsort(names, kind="stable") for names, _, _ in rows]
    track = np.concatenate([names[o] for (names, _, _), o in zip(rows, order)])
    xy = np.concatenate([points[o] for (_, points, _), o in zip(rows, order)]).astype(np.float64) + 0.5
    moving = np.concatenate([inside[o] for (_, _, inside), o in zip(rows, order)])
    view = np.repeat(np.arange(len(rows)), [len(o) for o in order])
    return Tracks(track.astype(np.int64), view.astype(np.int64), xy, moving)
