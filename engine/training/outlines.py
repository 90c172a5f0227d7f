"""Training room: how far off a moving thing is as a whole, by what it hides, what hides it, and the camera's own unrest; numpy and OpenCV, no stage.

Growth tells how the distance changes, and nothing of the distance. A thing is nearer than every still point that it hides in any frame. It
is farther than what hides it: what shows along its lower half, unless that is no nearer than what it hides.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..dense.shot import Shot
from .followed import Cameras, Labels, Start, Table
from .occlusion import hidden
from .trajectory import nearness

Spans = NDArray[np.float64]
RING = 0.03  # of the picture's width: how far about the outline is looked at
LEAST = 20  # pixels below which a side of the outline tells nothing
CUT = 3  # px from the lower edge within which a thing's lower end is no longer in the picture
SLACK = 0.05  # of log depth by which a span may be missed at no cost
MISSED = 0.1  # the same at a cost of one
ERR = 2  # frames that may err about the span, on either side: fewer than three tell nothing
CERTAIN = 0.1  # confidence of a start that has seen the ground under a thing
FLOATING, WHILE = 0.1, 16  # log depth by which that ground may part from the thing in so many frames, if the thing stands on it
PULL = 0.5  # towards its likely part of the span
LIKELY = 0.4  # of the span: what moves is more often near what hides it than near the far wall
HOLD = 0.01  # cost of a shift by one, in log depth: a start that nothing speaks against stays
SURE = 0.1  # relative error that is left in what the camera's unrest tells
CLEARLY = 3.0  # errors by which it must tell that a thing is nearer
BEFORE = 0.15  # log depth by which what hides a thing is nearer than what that hides
LEVELS = np.linspace(-1.6, 1.2, 141)


def levels(shot: Shot, start: Start, labels: list[Labels], curves: Spans, table: Table, cameras: Cameras) -> Spans:
    """By how much the corrected log depths of every thing [things, frames] are to be shifted as a whole [things]."""
    near, far = spans(start, labels, len(curves))
    behind = hidden(shot, start, labels, len(curves))
    far = np.where(np.isfinite(behind), behind, far)
    told, error = nearness(table, cameras, curves)
    depth, sure = np.full(curves.shape, np.nan), np.zeros(curves.shape)
    for place, plane in enumerate(labels):
        for thing in np.unique(plane[plane > 0]):
            own = plane == thing
            sure[thing, place] = np.median(start.confidence[place][own])
            depth[thing, place] = np.log(np.median(start.depth[place][own])) + curves[thing, place]
    # Whoever films a thing goes along with it: that it seems to be farther tells nothing. Nearer it only seems where it is.
    told = np.where(told - 1 > CLEARLY * np.hypot(error, SURE * told), told, np.nan)
    # What was seen standing, if only in one frame, stays there, unless neither its growth nor the camera's unrest agree: then it hangs in the air.
    hangs = np.array([nearer > 1 and floats(curve[own > 0]) for own, curve, nearer in zip(sure, curves, told)], bool)
    near[hangs] = np.nan
    stays = (sure.max(1) >= CERTAIN) & ~hangs
    return np.array([0.0 if stood else level(*parts) for stood, *parts in zip(stays, depth, near, far, told)])


def floats(curve: Spans) -> bool:
    """Whether a thing's growth [frames] parts from the ground it seems to stand on, which then is only seen past it."""
    if len(curve) < 4:
        return False
    slope = np.polyfit(np.arange(len(curve)), curve, 1)[0]
    return bool(abs(slope) * min(len(curve), WHILE) > FLOATING)


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
            cut = own[-CUT:].any()
            for side, out in ((ring & above, far), (ring & ~above & ~cut, near)):
                if side.sum() >= LEAST:
                    out[thing, place] = np.log(np.percentile(start.depth[place][side], 25))
    return near, far


def level(curve: Spans, near: Spans, far: Spans, told: float = np.nan) -> float:
    """By how much the log depths of one thing [frames] are to be shifted as a whole.

    Into the span of all frames, to its likely part; and to the nearness `told` by the camera's unrest, against that of the curve.
    """
    low, high = _ends(curve, near, far)
    cost = HOLD * np.abs(LEVELS)
    for over in (LEVELS - high, low - LEVELS):
        cost = cost + np.log1p((np.nan_to_num(over - SLACK, nan=0.0).clip(0) / MISSED) ** 2)
    if np.isfinite(low + high):
        cost += PULL * ((LEVELS - low - LIKELY * (high - low)) / max(0.5 * (high - low), MISSED)) ** 2
    if np.isfinite(told):
        cost += np.log1p(((told - np.exp(-LEVELS)) / (SURE * told)) ** 2)
    return float(LEVELS[int(np.argmin(cost))])


def _ends(curve: Spans, near: Spans, far: Spans) -> tuple[float, float]:
    """The shifts that bring a curve to the near and the far end of its span; nan where there is none. A few frames err."""
    beyond = np.sort((far - curve)[np.isfinite(far - curve)])
    high = float(beyond[ERR]) if len(beyond) > ERR else np.nan
    # What is about as far off as what it hides does not hide it: the ground under what hangs in the air.
    before = np.sort((near - curve)[np.isfinite(near - curve)])
    before = before[~(before > high - BEFORE)]
    return float(before[-1 - ERR]) if len(before) > ERR else np.nan, high
