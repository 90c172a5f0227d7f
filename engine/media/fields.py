"""The media room's deinterlacer: of two fields that were shot one after the other, the first one as a whole frame; FFmpeg's bwdif; never imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av

FILTER = "mode=send_frame:deint=interlaced"  # a frame for each frame, and those that are none of fields as they are


def progressive(frames: Iterator[Any]) -> Iterator[Any]:
    """The decoded frames with every second row of interlaced ones made anew from its surroundings in place and time; times stay."""
    graph = None
    for frame in frames:
        graph = graph or _graph(frame)
        graph.push(frame)
        yield from _ready(graph)
    if graph is not None:
        graph.push(None)
        yield from _ready(graph)


def _graph(frame: Any) -> Any:
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base),
        graph.add("bwdif", FILTER), graph.add("buffersink"),
    ).configure()
    return graph


def _ready(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):  # it looks one frame ahead
            return
