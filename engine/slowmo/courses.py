"""The slow-motion room, courses: the motion of each pair of pictures, found once on threads, with what its neighbours add."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from . import motion
from .motion import Course, Motion, Picture
from .overlay import Overlays, freed
from .timeline import Moment, Timeline

Pair = tuple[int, int]


class Courses:
    """Asked for from one thread, in the order of the clip. A job waits only for jobs that were started before it.

    Only what the next pair needs is kept: at 4K a course is 400 MB.
    """

    def __init__(self, picture: Callable[[int], Picture], track: Timeline, size: int = 0, overlays: Overlays | None = None) -> None:
        self.picture, self.track, self.size, self.overlays = picture, track, size, overlays
        self._motions: OrderedDict[Pair, Future[Motion]] = OrderedDict()
        self._courses: OrderedDict[Pair, Future[Course]] = OrderedDict()

    def start(self, pool: ThreadPoolExecutor, moment: Moment) -> Future[Course]:
        """The course of the pair around a moment, to come."""
        pair = (moment.before, moment.after)
        if pair not in self._courses:
            left, right = self.track.neighbours(moment)
            here = self._motion(pool, pair)
            before = None if left is None else self._motion(pool, (left, pair[0]))
            after = None if right is None else self._motion(pool, (pair[1], right))
            span = pair[1] - pair[0]
            gaps = (1.0 if left is None else (pair[0] - left) / span, 1.0 if right is None else (right - pair[1]) / span)
            self._courses[pair] = pool.submit(_join, here, before, after, gaps)
            _forget(self._courses, 2)
        return self._courses[pair]

    def _motion(self, pool: ThreadPoolExecutor, pair: Pair) -> Future[Motion]:
        if pair not in self._motions:
            self._motions[pair] = pool.submit(self._find, pair)
            _forget(self._motions, 4)
        return self._motions[pair]

    def _find(self, pair: Pair) -> Motion:
        found = motion.find(self.picture(pair[0]), self.picture(pair[1]), self.size)
        overlay = self.overlays.over(pair[0]) if self.overlays else None
        return found if overlay is None else Motion(freed(found.forward, overlay), freed(found.backward, overlay))


def _join(here: Future[Motion], before: Future[Motion] | None, after: Future[Motion] | None, gaps: tuple[float, float]) -> Course:
    back = None if before is None else before.result().backward
    onward = None if after is None else after.result().forward
    return motion.course(here.result(), back, onward, gaps)


def _forget(store: OrderedDict, keep: int) -> None:
    while len(store) > keep:
        store.popitem(last=False)
