"""The slow-motion room, bands: a large picture in between is made a band of rows at a time, so that its working memory is that of a band."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import between
from .look import Map
from .motion import Bend, Course, Motion, Picture

WHOLE = 1 << 22  # px: pictures up to this size are made at once
TALL = 384  # rows of a band
FARTHEST = 512  # rows above and below a band that motion may come from: twice what flow search finds
AROUND = 32  # rows that the windows of a plan reach beyond that


def make(first: Picture, second: Picture, course: Course, t: float, overlay: Map | None = None) -> tuple[Picture, float]:
    """The picture at the time t in (0, 1), and which part of it is plain blending."""
    high, wide = first.shape[:2]
    if high * wide <= WHOLE:
        plan = between.plan(first, second, course, t, overlay)
        return between.render(plan, first, second), float(plan.plain.mean())
    light = between.light(first, second, course.motion.forward)
    out, plain = np.empty_like(first), 0.0
    for inner, outer in _spans(high, course):
        a, b = first[outer], second[outer]
        plan = between.plan(a, b, _cut(course, outer), t, None if overlay is None else overlay[outer], light)
        kept = slice(inner.start - outer.start, inner.stop - outer.start)
        out[inner] = between.render(plan, a, b)[kept]
        plain += float(plan.plain[kept].sum())
    return out, plain / (high * wide)


def _spans(high: int, course: Course) -> Iterator[tuple[slice, slice]]:
    """The rows of each band, and with them those that it may look at: a plan looks along a motion, and along the one it finds there."""
    flows = (course.motion.forward, course.motion.backward)
    far = min(FARTHEST, 2 * int(max(max(flow[..., 1].max(), -flow[..., 1].min()) for flow in flows))) + AROUND
    for start in range(0, high, TALL):
        end = min(high, start + TALL)
        yield slice(start, end), slice(max(0, start - far), min(high, end + far))


def _cut(course: Course, rows: slice) -> Course:
    def bend(whole: Bend | None) -> Bend | None:
        return None if whole is None else Bend(whole.own[rows], whole.other[rows])

    steady = None if course.unsteady is None else course.unsteady[rows]
    return Course(Motion(course.motion.forward[rows], course.motion.backward[rows]), bend(course.first), bend(course.second), steady)
