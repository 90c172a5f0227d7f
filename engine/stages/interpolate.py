"""Stage 'interpolate': frames in between, at any source times; reads frames only, knows nothing of cameras or Blender."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from .. import store
from ..contract.options.interpolate import Interpolate
from ..media import sound
from ..media.colour import Colour
from ..media.film import CODECS, VideoWriter
from ..media.frames import Frames, read_png
from ..slowmo import makers, pictures, timeline, vectors
from ..slowmo.timeline import Moment
from ..stage import Inputs, Report

USED = {
    "flow": "optical flow (DIS both ways, inverted at each time, weighed by visibility)",
    "super_slomo": "Super SloMo networks",
    "blocks": "block motion compensation (FFmpeg minterpolate)",
    "blend": "frame blending",
    "sample": "nearest frame",
}


def run(inputs: Inputs, options: Interpolate, report: Report, room: Path) -> None:
    """Output frames numbered from 1, and times.npz with the source time of each."""
    frames = Frames(inputs["frames"])
    clip = frames.about
    track, times = timeline.read(clip), timeline.wanted(options, clip)
    moments = [track.locate(time) for time in times]
    _write_times(room / "times.npz", times, moments, timeline.output_fps(options, clip))
    todo = _missing(room, moments)
    done, total = len(times) - sum(map(len, todo.values())), len(times)
    steps = total * (1 + options.vectors)
    report.progress(done, steps)
    copied = {moment for moment in todo if moment.fraction == 0.0}
    with makers.choose(options, frames, track, inputs) as maker:
        for moment, content in itertools.chain(_copies(frames, copied), maker.make([m for m in todo if m not in copied])):
            for number in todo[moment]:
                pictures.write(room / (pictures.NAME % number), content)
                done += 1
            report.progress(done, steps)
            if done % 24 == 0:
                report.preview(todo[moment][0], room / (pictures.NAME % todo[moment][0]))
        report.figures.update(maker.figures())
    if options.vectors:
        for number in vectors.write_all(room / "vectors", frames, track, times, options.size):
            report.progress(total + number, steps, "vectors")
    _sound(room, frames, options)
    if options.output == "video":
        _film(room, frames, options, total)
    _tell(report, options, clip, track, moments)


def _sound(room: Path, frames: Frames, options: Interpolate) -> None:
    """sound.flac as long as the pictures, where one speed holds throughout."""
    curved = bool(options.times.strip() or options.speed.strip())
    if options.sound and frames.about["audio"] and not curved and not (room / "sound.flac").is_file():
        length = float(frames.times[-1] - frames.times[0] + 1 / frames.fps)
        sound.stretch(frames.folder / "sound.flac", room / "sound.flac", 0.0, length, 1.0 if options.fps.strip() else 1 / options.factor)


def _film(room: Path, frames: Frames, options: Interpolate, total: int) -> None:
    """The finished pictures as one film in the clip's own colour tags, with the sound where there is any."""
    path = room / f"slowmo{CODECS[options.codec].suffix}"
    if path.is_file():
        return
    silent = path.with_stem("silent")
    colour = Colour.read(frames.about["colour"])
    with VideoWriter(silent, frames.size, timeline.output_fps(options, frames.about), options.crf, options.codec, colour) as film:
        for number in range(1, total + 1):
            film.write(read_png(room / (pictures.NAME % number)))
    if (room / "sound.flac").is_file():
        sound.lay_under(silent, room / "sound.flac")
    silent.replace(path)


def _missing(room: Path, moments: list[Moment]) -> dict[Moment, list[int]]:
    """Output numbers still to be written, by moment, in the order of the source."""
    todo: dict[Moment, list[int]] = {}
    for number, moment in enumerate(moments, 1):
        if not (room / (pictures.NAME % number)).is_file():
            todo.setdefault(moment, []).append(number)
    return dict(sorted(todo.items(), key=lambda item: (item[0].before, item[0].after, item[0].fraction)))


def _copies(frames: Frames, moments: set[Moment]) -> Iterator[tuple[Moment, bytes]]:
    for moment in sorted(moments, key=lambda m: m.before):
        yield moment, frames.path(moment.before).read_bytes()


def _write_times(path: Path, times: np.ndarray, moments: list[Moment], fps: Fraction) -> None:
    """What the pictures show: the time asked for, and the two frames it lies between; and how fast they play."""
    with store.writing(path) as file:
        np.savez(
            file, time=times, before=np.array([m.before for m in moments], np.int64),
            after=np.array([m.after for m in moments], np.int64), fraction=np.array([m.fraction for m in moments]),
            fps=np.array([fps.numerator, fps.denominator]),
        )


def _tell(report: Report, options: Interpolate, clip: dict, track: timeline.Timeline, moments: list[Moment]) -> None:
    kept = Counter(moment.fraction == 0.0 for moment in moments)
    report.used = USED[options.method]
    report.figures.update(
        frames=len(moments), made=kept[False], copied=kept[True], repeats_as_time=len(clip["frames"]) - len(track.frame),
        cuts=int(track.shot[-1]), fps=str(timeline.output_fps(options, clip)),
    )
