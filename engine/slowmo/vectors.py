"""The slow-motion room, vectors: how far each pixel of an output picture moves from the one before and to the one after; OpenCV and numpy.

They are written as Blender's render pass Vector, so that its Vector Blur node, and others that read it, give motion blur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..ahead import ahead, count, one_thread_each
from ..media.frames import Frames, write_exr
from . import between, pictures
from .courses import Courses
from .look import Flow, look
from .motion import Course, Picture
from .timeline import Moment, Timeline

BYTES = 400  # of working memory for each pixel in flight
LAYER = "Motion.Vector."  # Blender reads a layer and a pass out of such names


def write_all(room: Path, frames: Frames, track: Timeline, times: Sequence[float], size: int) -> Iterator[int]:
    """%06d.exr of each output frame that is missing; yields the numbers as they are done."""
    threads = count(frames.size, BYTES)
    picture = lru_cache(threads + 4)(partial(pictures.read, frames))
    courses = Courses(picture, track, size)
    todo = [number for number in range(1, len(times) + 1) if not (room / f"{number:06d}.exr").is_file()]

    def submit(pool: ThreadPoolExecutor, number: int) -> Future[None]:
        moment = _inside(track, track.locate(times[number - 1]))
        course = courses.start(pool, moment) if moment else None
        return pool.submit(_write, room / f"{number:06d}.exr", frames.size, picture, moment, course, _steps(times, number - 1))

    with one_thread_each():
        for number, _ in ahead(submit, todo, threads):
            yield number


def _inside(track: Timeline, moment: Moment) -> Moment | None:
    """The moment as a place in an interval, also at its ends; None where a picture stands alone in its shot."""
    if moment.before != moment.after:
        return moment
    left, right = track.neighbours(moment)
    if right is not None:
        return Moment(moment.before, right, 0.0)
    return None if left is None else Moment(left, moment.after, 1.0)


def _steps(times: Sequence[float], row: int) -> tuple[float, float]:
    """Source frames from the output frame before, and to the one after; at the ends, where there is one only, the same."""
    before = times[row] - times[row - 1] if row else None
    after = times[row + 1] - times[row] if row + 1 < len(times) else None
    only = before if before is not None else after if after is not None else 0.0
    return (only if before is None else before), (only if after is None else after)


def _write(
    path: Path, size: tuple[int, int], picture: Callable[[int], Picture], moment: Moment | None, course: Future[Course] | None,
    steps: tuple[float, float],
) -> None:
    if moment is None or course is None:
        back = onward = np.zeros((*size[::-1], 2), np.float32)
    else:
        span = moment.after - moment.before
        a, b = picture(moment.before), picture(moment.after)
        back, onward = moved(a, b, course.result(), moment.fraction, (-steps[0] / span, steps[1] / span))
    # Blender: previous minus own place, own minus next place; its y points up.
    write_exr(path, {LAYER + "X": back[..., 0], LAYER + "Y": -back[..., 1], LAYER + "Z": -onward[..., 0], LAYER + "W": onward[..., 1]})


def moved(first: Picture, second: Picture, course: Course, t: float, steps: Sequence[float]) -> list[Flow]:
    """How far each pixel of the picture at time t has come after each of `steps` (in intervals; less than 0 goes back), [H, W, 2] px."""
    if t == 0.0:
        return [course.from_first(step) for step in steps]
    if t == 1.0:
        return [course.from_second(1 + step) for step in steps]
    one, other = between.plan(first, second, course, t).hypotheses
    share = (one.weight / (one.weight + other.weight))[..., None]
    out = []
    for step in steps:
        a = look(course.from_first(t + step) - course.from_first(t), one.to_first)
        b = look(course.from_second(t + step) - course.from_second(t), other.to_second)
        out.append(b + (a - b) * share)
    return out
