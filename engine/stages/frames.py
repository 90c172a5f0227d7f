"""The stage 'frames': reads the clip once and lays its frames down as upright PNG, with their numbers, times, cuts and duplicates."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from .. import device, store
from ..contract.artifacts import FRAME
from ..contract.job import Request
from ..contract.options import Frames as Options
from ..failures import ClipFailure, RequestFailure
from ..media import sound, tags
from ..media.clip import Clip, Frame, open_clip
from ..media.cuts import Watch, look
from ..media.frames import read_png, resize, working_size, write_png
from ..stage import Inputs, Report

_STORED = 16 << 20  # bytes; every stage reads the frames, so up to this size they are not compressed


def run(inputs: Inputs, options: Options, report: Report, room: Path) -> None:
    """Decode in this thread, convert and compress in others; only a handful of frames is in memory at any time."""
    request = inputs.request
    clip = open_clip(request.clip, report.warning, request.fps, options.deinterlace)
    first = clip.first if request.first is None else request.first
    size = working_size(clip.size, options.size)
    watch = Watch()
    numbers: list[int] = []
    times: list[float] = []
    bounds: list[int] = []
    expected = _expected(clip, request)

    def settle(frame: Frame, done: Future[Any]) -> None:
        watch.add(frame.number, done.result())
        numbers.append(frame.number)
        times.append(frame.time)
        report.progress(len(numbers), max(expected, len(numbers) + 1))

    def wanted(number: int) -> bool:
        bounds.append(number)
        del bounds[2:-1]
        return number >= first and (number - first) % request.step == 0

    threads = _threads(clip.size, clip.bits)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Frame, Future[Any]]] = deque()
        try:
            for frame in clip.frames(wanted, request.last):
                waiting.append((frame, pool.submit(_lay_down, frame, room / f"{FRAME % frame.number}.png", size)))
                if len(waiting) > 2 * threads:
                    settle(*waiting.popleft())
            while waiting:
                settle(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)
    if not numbers:
        raise _nothing(clip, request, bounds)
    _finish(clip, options, report, room, size, numbers, times, watch)


def _threads(size: tuple[int, int], bits: int) -> int:
    """As many as there are cores, but no more than hold their frames in some 2 GB: one of 8K has 200 MB."""
    frame = size[0] * size[1] * 3 * bits // 8
    return max(1, min(device.threads(), (2 << 30) // (4 * frame)))


def _lay_down(frame: Frame, path: Path, size: tuple[int, int]) -> np.ndarray:
    """Write one frame where it does not stand yet; returns what the search for cuts looks at."""
    if path.is_file():
        return look(read_png(path))
    picture = resize(frame.picture(), size)
    write_png(path, picture, level=0 if picture.nbytes <= _STORED else 1)
    return look(picture)


def _expected(clip: Clip, request: Request) -> int:
    """How many frames will come, for the progress bar."""
    last = clip.first + clip.count - 1
    span = min(last, request.last or last) - max(clip.first, request.first or clip.first) + 1
    return max(1, span // request.step)


def _finish(
    clip: Clip, options: Options, report: Report, room: Path, size: tuple[int, int], numbers: list[int], times: list[float], watch: Watch,
) -> None:
    cuts = watch.cuts() if options.cuts else []
    duplicates = watch.duplicates() if options.duplicates else []
    store.write_json(room / "clip.json", {
        "size": list(size), "source_size": list(clip.source_size), "fps": _text(clip.fps), "constant": clip.constant,
        "frames": numbers, "times": [round(time, 9) for time in times], "cuts": cuts, "duplicates": duplicates,
        "bits": clip.bits, "source": str(clip.path), "kind": clip.kind, "audio": _sound(clip, report, room, times), "colour": clip.colour.write(),
        "focal_35mm": tags.focal_35mm(clip.path),
        "turn": clip.turn, "mirrored": clip.mirrored, "aspect": _text(clip.aspect), "layer": clip.layer,
    })
    report.progress(len(numbers), len(numbers))
    report.used = (
        f"{len(numbers)} frames, {numbers[0]} to {numbers[-1]}, {size[0]} x {size[1]} px, {clip.bits} bit, "
        f"{float(clip.fps):.5g} fps{'' if clip.constant else ' on average'}"
    )
    report.figures.update(frames=len(numbers), cuts=len(cuts), duplicates=len(duplicates), size=list(size), fps=_text(clip.fps))


def _sound(clip: Clip, report: Report, room: Path, times: list[float]) -> bool:
    """sound.flac under these frames; whether there is any."""
    if not clip.audio:
        return False
    try:
        return sound.stretch(clip.path, room / "sound.flac", times[0], times[-1] + float(1 / clip.fps))
    except av.FFmpegError as error:
        report.warning(f"The clip's sound cannot be read ({error.__class__.__name__}): films made of it are silent.")
        return False


def _nothing(clip: Clip, request: Request, bounds: list[int]) -> Exception:
    if not bounds:
        return ClipFailure(
            "clip-damaged", "No frame of the clip can be decoded.", f"{clip.path.name} gave no picture.",
            "Copy it again from its source, or convert it with another program.",
        )
    asked = f"{'the start' if request.first is None else request.first} to {'the end' if request.last is None else request.last}"
    return RequestFailure(
        "wrong-range", "There are no frames in the chosen range.",
        f"The clip has the frames {bounds[0]} to {bounds[-1]}; asked were {asked}.",
        "Choose a range inside the clip.",
    )


def _text(number: Fraction) -> str:
    return f"{number.numerator}/{number.denominator}"
