"""The slow-motion room, makers: one per method, each turns moments into finished PNG files, several at a time on threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from ..ahead import ahead, count, one_thread_each
from ..contract.options.interpolate import Interpolate
from ..media.frames import Frames
from ..stage import Inputs
from . import bands, between, grid, overlay, pictures
from .courses import Courses
from .motion import Course, Picture
from .timeline import Moment, Timeline

BYTES = 400  # of working memory for each pixel of a picture in flight


class Maker:
    """Gives the finished files of moments between two pictures. One object per run; `make` yields in the order asked."""

    def __init__(self, frames: Frames, threads: int) -> None:
        self.frames, self.threads = frames, threads
        self.picture = lru_cache(threads + 4)(partial(pictures.read, frames))

    def make(self, moments: Iterable[Moment]) -> Iterator[tuple[Moment, bytes]]:
        """Each moment's PNG; work runs ahead on threads, by a bounded distance."""
        return ahead(self.submit, moments, self.threads)

    def submit(self, pool: ThreadPoolExecutor, moment: Moment) -> Future[bytes]:
        """Start the work for one moment."""
        return pool.submit(self.one, moment)

    def one(self, moment: Moment) -> bytes:
        """The finished file of one moment."""
        raise NotImplementedError

    def figures(self) -> dict[str, Any]:
        """Facts worth keeping with the result."""
        return {}


class Nearest(Maker):
    """Repeats the nearest frame, byte for byte."""

    def one(self, moment: Moment) -> bytes:
        return self.frames.path(moment.nearest).read_bytes()


class Blend(Maker):
    """Cross-fades between neighbours."""

    def one(self, moment: Moment) -> bytes:
        a, b = self.picture(moment.before), self.picture(moment.after)
        return pictures.encode(a * (1 - moment.fraction) + b * moment.fraction, self.frames.bits)


class Flowing(Maker):
    """Optical flow. The motion of each pair is found once; its neighbours tell how it speeds up."""

    def __init__(self, frames: Frames, threads: int, track: Timeline, size: int) -> None:
        super().__init__(frames, threads)
        self.overlays = overlay.Overlays(partial(pictures.read, frames), track)
        self.courses = Courses(self.picture, track, size, self.overlays)
        self._plain: list[float] = []

    def submit(self, pool: ThreadPoolExecutor, moment: Moment) -> Future[bytes]:
        return pool.submit(self._synthesise, moment, self.courses.start(pool, moment))

    def _synthesise(self, moment: Moment, course: Future[Course]) -> bytes:
        a, b = self.picture(moment.before), self.picture(moment.after)
        still, here = self.overlays.over(moment.before), course.result()

        def make(a: Picture, b: Picture) -> Picture:
            made, plain = bands.make(a, b, here, moment.fraction, still)
            self._plain.append(plain)
            return made

        def smoothly(a: Picture, b: Picture) -> Picture:
            return grid.apart(make, a, b, squares)

        squares = grid.find(a)
        made = smoothly(a, b) if still is None else overlay.apart(smoothly, a, b, moment.fraction, still)
        return pictures.encode(made, self.frames.bits)

    def figures(self) -> dict[str, Any]:
        """How much of the new pictures is plain blending, because no motion explained them; in how many it is most; burnt-in overlays."""
        if not self._plain:
            return {}
        return {
            "blended_percent": round(100 * sum(self._plain) / len(self._plain), 2), "mostly_blended": sum(part > 0.5 * between.MOST for part in self._plain),
            "overlay_percent": round(100 * self.overlays.share, 3),
        }


@contextmanager
def choose(options: Interpolate, frames: Frames, track: Timeline, inputs: Inputs) -> Iterator[Maker]:
    """The maker of the method asked for. OpenCV runs single-threaded inside: DIS depends on its thread count, results must not."""
    threads = count(frames.size, BYTES)
    with one_thread_each():
        if options.method == "sample":
            yield Nearest(frames, threads)
        elif options.method == "blend":
            yield Blend(frames, threads)
        elif options.method == "flow":
            yield Flowing(frames, threads, track, options.size)
        elif options.method == "super_slomo":
            from .network import Network

            yield Network(frames, options.weights, inputs.device)
        else:
            from .blocks import Blocks

            yield Blocks(frames, track)
