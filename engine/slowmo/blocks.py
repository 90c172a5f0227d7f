"""The slow-motion room, block motion compensation: FFmpeg's minterpolate, shot by shot, streamed; PyAV, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ..failures import SetupFailure
from ..media.frames import Frames
from . import pictures
from .makers import Maker
from .timeline import Moment, Timeline

FINEST = 64  # parts of an interval; other fractions are rounded to these
MODE = "mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none"
Knot = tuple[int, int]  # place in the timeline, part of the interval after it


class Blocks(Maker):
    """The filter gives evenly spaced pictures only, so all fractions of a run share one denominator."""

    def __init__(self, frames: Frames, track: Timeline, mode: str = MODE) -> None:
        super().__init__(frames, 1)
        self.track, self.mode = track, mode

    def make(self, moments: Iterable[Moment]) -> Iterator[tuple[Moment, bytes]]:
        asked = list(moments)
        parts = _denominator([moment.fraction for moment in asked])
        places: dict[Knot, list[Moment]] = {}
        for moment in asked:
            knot = int(np.searchsorted(self.track.frame, moment.before))
            places.setdefault((knot, min(parts - 1, max(1, round(moment.fraction * parts)))), []).append(moment)
        for shot in np.unique(self.track.shot):
            knots = np.flatnonzero(self.track.shot == shot)
            first, last = (int(end) for end in (knots[0], knots[-1]))
            inside = [knot for knot, _ in places if first <= knot <= last]
            if inside:
                yield from self._shot(max(first, min(inside) - 2), min(last, max(inside) + 3), parts, places)

    def _shot(self, first: int, last: int, parts: int, places: dict[Knot, list[Moment]]) -> Iterator[tuple[Moment, bytes]]:
        stream = (self.picture(int(self.track.frame[knot])) for knot in range(first, last + 1))
        for at, picture in interpolated(stream, parts, self.mode):
            for moment in places.get((first + at // parts, at % parts), ()):
                yield moment, pictures.encode(picture, 8)


def interpolated(stream: Iterable[NDArray[np.float32]], parts: int, mode: str = MODE) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Pictures RGB 0..255 through the filter: (k, picture) shows the time k / parts, counted in pictures."""
    graph: av.filter.Graph | None = None
    count, picture = 0, None
    for count, picture in enumerate(stream, 1):
        if graph is None:
            graph = _graph(picture.shape[1], picture.shape[0], parts, mode)
        graph.push(_frame(picture, count - 1))
        yield from _pulled(graph)
    if graph is None or picture is None:
        return
    for more in range(2):  # the filter holds the last interval back until pictures follow it
        graph.push(_frame(picture, count + more))
    graph.push(None)
    yield from ((at, made) for at, made in _pulled(graph) if at <= (count - 1) * parts)


def _graph(wide: int, high: int, parts: int, mode: str) -> av.filter.Graph:
    graph = av.filter.Graph()
    try:
        nodes = [
            graph.add_buffer(width=wide, height=high, format="rgb24", time_base=Fraction(1, 1)),
            graph.add("minterpolate", f"fps={parts}:{mode}"), graph.add("format", "rgb24"), graph.add("buffersink"),
        ]
    except (ValueError, av.FFmpegError) as error:
        raise SetupFailure(
            "package-missing", "Block motion compensation is not there.", f"This FFmpeg has no filter minterpolate ({error}).",
            "Take the method 'flow'.", {"interpolate": {"method": "flow"}},
        ) from None
    for node, following in zip(nodes, nodes[1:]):
        node.link_to(following)
    graph.configure()
    return graph


def _frame(picture: NDArray[np.float32], at: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(cv2.convertScaleAbs(picture), format="rgb24")
    frame.pts, frame.time_base = at, Fraction(1, 1)
    return frame


def _pulled(graph: av.filter.Graph) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield frame.pts, frame.to_ndarray(format="rgb24")


def _denominator(fractions: list[float]) -> int:
    """The smallest number of parts that holds every fraction, or FINEST."""
    values = np.asarray(fractions)
    return next((n for n in range(2, FINEST) if np.abs(values * n - np.rint(values * n)).max() < 1e-6), FINEST)
