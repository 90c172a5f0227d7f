"""The mattes room, outlines: the contours of a subject as pieces whose points follow it from frame to frame; numpy and OpenCV only.

A piece is one closed contour over a run of frames with one number of points. It ends where its topology changes: where it splits,
joins another, vanishes, crosses a cut, or where its points no longer describe it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import contour
from ..geometry.contour import Loop

Field = tuple[NDArray[np.float32], NDArray[np.bool_]]  # flow [H, W, 2] px and where it holds [H, W]

SPECK = 6e-5  # part of the picture below which a contour is not worth a piece
SAME = 0.6  # overlap from which on two contours are the same one
INWARD = 2.0  # px of the flow: how far inside the edge its motion is read
EVEN = 0.1  # part by which uneven gaps between points are evened out with each frame
COUNTS = (8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512)
FINE, FINEST = 0.05, 0.25  # a small contour is held closer: by this part of its area over its length, down to so many px
WORSE = 2.0  # a piece ends when its points describe the contour so many times worse than is asked


@dataclass
class Piece:
    """One contour over a run of frames."""

    hole: bool
    gaps: NDArray[np.float64]  # share of the way round from each point to the next, as placed
    points: dict[int, Loop] = field(default_factory=dict)  # frame -> [count, 2] px

    def as_json(self) -> dict[str, Any]:
        """The piece as contours.json holds it."""
        frames = sorted(self.points)
        return {
            "hole": self.hole, "closed": True, "first": frames[0], "last": frames[-1],
            "points": {str(frame): np.round(self.points[frame], 2).tolist() for frame in frames},
        }


class Outliner:
    """Frames come in order; pieces collect in `pieces`. `size` (W, H) px, `most` points per piece, `exact` px of error at most."""

    def __init__(self, size: tuple[int, int], most: int, exact: float = 1.0) -> None:
        self.size, self.most, self.exact = size, most, exact
        self.pieces: list[Piece] = []
        self.errors: list[float] = []  # px, mean distance from contour to curve, per piece and frame
        self._open: list[Piece] = []
        self._before = 0

    def step(self, frame: int, alpha: NDArray[np.floating], way: Field | None) -> None:
        """Add a frame. `way` is the flow, at any size, from the frame before to this one; None where there is none."""
        smooth = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), 0.8)
        loops = [loop for loop in contour.trace(smooth) if abs(contour.area(loop)) > SPECK * self.size[0] * self.size[1]]
        carried = [(piece, self._carry(piece, way)) for piece in self._open] if way else []
        owner = self._owners(carried, loops)
        self._open = []
        for at, loop in enumerate(loops):
            piece, points = self._follow(*owner[at], loop) if at in owner else (None, None)
            if piece is None or points is None:
                piece, points = self._start(loop)
                self.pieces.append(piece)
            piece.points[frame] = points
            self._open.append(piece)
        self._before = frame

    def _carry(self, piece: Piece, way: Field) -> Loop:
        """The piece's points where the flow takes them."""
        points = piece.points[self._before]
        flow, valid = way
        scale = np.array([flow.shape[1] / self.size[0], flow.shape[0] / self.size[1]])
        inside = points * scale - INWARD * contour.normals(points)
        x, y = (inside.astype(np.float32) - np.float32(0.5)).T
        sampled = cv2.remap(np.dstack([flow, valid.astype(np.float32)]), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
        trust = 0.02 + sampled[:, 2:].astype(np.float64)
        moved = contour.smooth(sampled[:, :2] * trust, 0.8) / np.maximum(contour.smooth(trust, 0.8), 1e-3)
        return points + moved / scale

    def _owners(self, carried: list[tuple[Piece, Loop]], loops: list[Loop]) -> dict[int, tuple[Piece, Loop]]:
        """Number of a contour -> the piece that it continues, with the points carried here."""
        ours = [_fill(points, self.size) for _, points in carried]
        owner: dict[int, tuple[Piece, Loop]] = {}
        for at, loop in enumerate(loops):
            here = _fill(loop, self.size)
            overlap = [
                _overlap(before, here) if piece.hole == (contour.area(loop) < 0) else 0.0 for (piece, _), before in zip(carried, ours)
            ]
            if overlap and max(overlap) > SAME:
                owner[at] = carried[int(np.argmax(overlap))]
        return owner

    def _follow(self, piece: Piece, points: Loop, loop: Loop) -> tuple[Piece | None, Loop | None]:
        """The piece's points on its new contour, or nothing where they would not describe it."""
        along = contour.lengths(points)
        gaps = np.diff(along) / along[-1]
        total = contour.lengths(loop)[-1]
        where = _evened(contour.match(points, contour.normals(points), loop, gaps), piece.gaps, total)
        fresh = contour.sample(loop, where)
        error = contour.deviation(fresh, loop)
        if np.percentile(error, 95) > WORSE * self._exact(loop):
            return None, None
        self.errors.append(float(error.mean()))
        return piece, fresh

    def _exact(self, loop: Loop) -> float:
        """px within which 95 % of a contour are described: a px of error all round weighs more on a small or a thin one."""
        return min(self.exact, max(FINEST, FINE * abs(contour.area(loop)) / contour.lengths(loop)[-1]))

    def _start(self, loop: Loop) -> tuple[Piece, Loop]:
        """A new piece with as few points as describe the contour."""
        points = loop
        for count in (c for c in COUNTS if c <= self.most):
            points = contour.sample(loop, contour.place(loop, count))
            error = contour.deviation(points, loop)
            if np.percentile(error, 95) < self._exact(loop):
                break
        self.errors.append(float(error.mean()))
        along = contour.lengths(points)
        return Piece(contour.area(loop) < 0, np.diff(along) / along[-1]), points


def _evened(where: NDArray[np.float64], target: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """Each point a little towards where the gaps before and after it have the proportion that they were placed with."""
    gap = np.diff(np.append(where, where[0] + total))
    before, wanted = np.roll(gap, 1), target / (target + np.roll(target, 1))
    return where + EVEN * (before + gap) * ((1 - wanted) - before / np.maximum(before + gap, 1e-9))


def _fill(loop: Loop, size: tuple[int, int]) -> NDArray[np.uint8]:
    scale = min(1.0, 240 / max(size))
    picture = np.zeros((round(size[1] * scale) + 1, round(size[0] * scale) + 1), np.uint8)
    return cv2.fillPoly(picture, [np.round((loop * scale - 0.5) * 16).astype(np.int32)], 1, shift=4)


def _overlap(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return np.count_nonzero(one & other) / max(1, np.count_nonzero(one | other))
