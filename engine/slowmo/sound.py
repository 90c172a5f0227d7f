"""The slow-motion room, sound: a clip's audio made longer or shorter with its pitch kept, laid under a finished film; PyAV only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av

from ..store import beside

SLOWEST, FASTEST = 0.5, 2.0  # what one atempo filter does well; more is a chain of them


def lay_under(film: Path, source: Path, start: float, end: float, tempo: float) -> bool:
    """Add the source's sound from `start` to `end` (s) at `tempo` (0.5 = half speed) to the film, in place; False without sound.

    The pictures are copied, not coded again.
    """
    with av.open(str(source)) as heard, av.open(str(film)) as seen:
        if not heard.streams.audio:
            return False
        with beside(film) as fresh:
            with av.open(str(fresh), "w", format="mp4", options={"movflags": "+faststart"}) as out:
                pictures = out.add_stream_from_template(seen.streams.video[0])
                sound = out.add_stream("aac", rate=48000, layout="stereo")
                for packet in seen.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = pictures
                        out.mux(packet)
                for frame in _stretched(heard, start, end, tempo):
                    out.mux(sound.encode(frame))
                out.mux(sound.encode())
        return True


def _stretched(heard: av.container.InputContainer, start: float, end: float, tempo: float) -> Iterator[av.AudioFrame]:
    stream = heard.streams.audio[0]
    graph = av.filter.Graph()
    chain = f"atrim=start={start:.6f}:end={end:.6f},asetpts=PTS-STARTPTS," + "".join(f"atempo={part:.9f}," for part in tempos(tempo))
    nodes = [graph.add_abuffer(template=stream)]
    for step in (chain + "aresample=48000,aformat=sample_fmts=fltp:channel_layouts=stereo").split(","):
        nodes.append(graph.add(*step.split("=", 1)))
    nodes.append(graph.add("abuffersink"))
    graph.link_nodes(*nodes).configure()
    offset = stream.start_time or 0
    for frame in heard.decode(stream):
        if frame.pts is not None:
            frame.pts -= offset
        try:
            graph.push(frame)
        except av.error.EOFError:  # the trim has all it wants
            break
        yield from _pulled(graph)
    else:
        graph.push(None)
    yield from _pulled(graph)


def _pulled(graph: av.filter.Graph) -> Iterator[av.AudioFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def tempos(tempo: float) -> list[float]:
    """Factors between SLOWEST and FASTEST whose product is the tempo."""
    out = []
    while tempo < SLOWEST or tempo > FASTEST:
        step = SLOWEST if tempo < SLOWEST else FASTEST
        out.append(step)
        tempo /= step
    return out + [tempo]
