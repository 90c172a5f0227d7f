"""The media room's sound: a clip's audio cut to its frames, made longer or shorter with its pitch kept, laid under films; PyAV only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av

from ..store import beside

RATE = 48000  # Hz; FLAC of 16 bit in stereo
SLOWEST, FASTEST = 0.5, 2.0  # what one atempo filter does well; more is a chain of them
CODERS = {".mp4": "aac", ".mov": "pcm_s16le"}


def stretch(source: Path, path: Path, start: float, end: float, tempo: float = 1.0) -> bool:
    """The source's sound from `start` to `end` (s from its first picture) at `tempo` (0.5 = half speed) as FLAC; False where it has none.

    Raises av.FFmpegError where the sound cannot be decoded.
    """
    with av.open(str(source)) as heard:
        if not heard.streams.audio:
            return False
        with beside(path) as fresh, av.open(str(fresh), "w", format="flac") as out:
            stream = out.add_stream("flac", rate=RATE, layout="stereo", format="s16")
            for frame in _stretched(heard, start, end, tempo):
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
    return True


def lay_under(film: Path, heard: Path) -> None:
    """Add a file that `stretch` wrote to a film, in place. The pictures are copied, not coded again."""
    kind = film.suffix
    with av.open(str(heard)) as sound, av.open(str(film)) as seen, beside(film) as fresh:
        with av.open(str(fresh), "w", format=kind[1:], options={"movflags": "+faststart"}) as out:
            pictures = out.add_stream_from_template(seen.streams.video[0])
            track = out.add_stream(CODERS[kind], rate=RATE, layout="stereo")
            for packet in seen.demux(video=0):
                if packet.dts is not None:
                    packet.stream = pictures
                    out.mux(packet)
            for frame in sound.decode(audio=0):
                out.mux(track.encode(frame))
            out.mux(track.encode())


def _stretched(heard: av.container.InputContainer, start: float, end: float, tempo: float) -> Iterator[av.AudioFrame]:
    stream = heard.streams.audio[0]
    graph = av.filter.Graph()
    chain = (
        f"aresample={RATE}:async=1:first_pts=0,aformat=sample_fmts=s16:channel_layouts=stereo,"  # gaps and a late start become silence
        f"atrim=start={start:.6f}:end={end:.6f},asetpts=PTS-STARTPTS," + "".join(f"atempo={part:.9f}," for part in tempos(tempo))
        + "aformat=sample_fmts=s16:channel_layouts=stereo"
    )
    nodes = [graph.add_abuffer(template=stream)]
    for step in chain.split(","):
        nodes.append(graph.add(*step.split("=", 1)))
    nodes.append(graph.add("abuffersink"))
    graph.link_nodes(*nodes).configure()
    offset = round(_first_picture(heard) / stream.time_base)
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


def _first_picture(heard: av.container.InputContainer) -> float:
    """When the pictures begin in the container's own time, s: sound is counted from there."""
    starts = [stream.start_time * stream.time_base for stream in heard.streams.video if stream.start_time is not None]
    return min(starts, default=0)


def _pulled(graph: av.filter.Graph) -> Iterator[av.AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        frame.pts = None  # one after the other: the coder counts
        yield frame


def tempos(tempo: float) -> list[float]:
    """Factors between SLOWEST and FASTEST whose product is the tempo."""
    out = []
    while tempo < SLOWEST or tempo > FASTEST:
        step = SLOWEST if tempo < SLOWEST else FASTEST
        out.append(step)
        tempo /= step
    return out + [tempo]
