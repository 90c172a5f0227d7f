"""Training room: how near and how far a moving thing may be, by what shows about its outline; numpy and OpenCV, no stage.

It hides what is seen along its upper half, and is hidden by, or stands behind, what is seen along its lower half. One frame leaves a wide
span; all frames together, once it is known how the distance changes, leave a narrow one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .followed import Labels, Start

Spans = NDArray[np.float64]
RING = 0.03  # of the picture's width: how far about the outline is looked at
LEAST = 20  # pixels below which a side of the outline tells nothing
SLACK = 0.05  # of log depth by which a span may be missed at no cost
MISSED = 0.1  # the same at a cost of one
CERTAIN = 0.1  # confidence of a start that has seen the ground under a thing
PULL = 0.5  # towards its likely part of the span
LIKELY = (0.25, 0.55)  # of the span: what moves is more often near what hides it than near the far wall
HOLD = 0.01  # cost of a shift by one, in log depth: a start that lies there stays
LEVELS = np.linspace(-1.0, 1.0, 81)


def spans(start: Start, labels: list[Labels], things: int) -> tuple[Spans, Spans]:
    """Log depth in scene units [things, frames] that each thing cannot be nearer, and cannot be farther; nan where nothing tells."""
    near, far = (np.full((things, len(labels)), np.nan) for _ in range(2))
    reach = max(3, round(RING * start.size[0]))
    wide, slim = (np.ones((2 * r + 1, 2 * r + 1), np.uint8) for r in (reach, max(1, reach // 3)))
    for place, plane in enumerate(labels):
        usable = (cv2.dilate(start.moving[place].astype(np.uint8), slim) == 0) & (start.depth[place] > 0) & (start.confidence[place] > 0.3)
        for thing in np.unique(plane[plane > 0]):
            own = plane == thing
            ring = (cv2.dilate(own.astype(np.uint8), wide) > 0) & usable
            above = np.arange(len(plane))[:, None] < np.flatnonzero(own.any(1)).mean()
            for side, out in ((ring & above, far), (ring & ~above, near)):
                if side.sum() >= LEAST:
                    out[thing, place] = np.log(np.percentile(start.depth[place][side], 25))
    return near, far


def levels(start: Start, labels: list[Labels], curves: Spans) -> Spans:
    """By how much the corrected log depths of every thing [things, frames] are to be shifted as a whole [things]."""
    near, far = spans(start, labels, len(curves))
    depth, sure = np.full(curves.shape, np.nan), np.zeros(curves.shape)
    for place, plane in enumerate(labels):
        for thing in np.unique(plane[plane > 0]):
            own = plane == thing
            sure[thing, place] = np.median(start.confidence[place][own])
            depth[thing, place] = np.log(np.median(start.depth[place][own])) + curves[thing, place]
    # What was seen standing, if only in one frame, stays there.
    return np.array([0.0 if own.max() >= CERTAIN else level(*parts) for own, *parts in zip(sure, depth, near, far)])


def level(curve: Spans, near: Spans, far: Spans) -> float:
    """By how much the log depths of one thing [frames] are to be shifted as a whole: into the span of all frames, to its likely part."""
    known = np.isfinite(curve)
    if not (known & np.isfinite(near + far)).any():
        return 0.0
    tried = curve[None, known] + LEVELS[:, None]
    over = np.nan_to_num(np.maximum(tried - far[known], near[known] - tried) - SLACK, nan=0.0).clip(0) / MISSED
    cost = np.log1p(over**2).mean(1)
    low, high = float(np.nanmax((near - curve)[known])), float(np.nanmin((far - curve)[known]))
    first, last = (low + part * (high - low) for part in LIKELY)
    off = np.maximum(np.maximum(min(first, last) - LEVELS, LEVELS - max(first, last)), 0)
    cost += PULL * (off / max(0.5 * (high - low), MISSED)) ** 2 + HOLD * np.abs(LEVELS)
    return float(LEVELS[int(np.argmin(cost))])
