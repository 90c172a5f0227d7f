"""The media room's reader of numbered pictures: PNG, JPEG, TIFF, EXR, DPX and what else OpenCV or FFmpeg knows; never imports torch."""

from __future__ import annotations

import re
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Callable, Iterator

import av
import cv2
import numpy as np

from .. import device
from ..contract.sequence import Sequence
from ..failures import ClipFailure, RequestFailure
from . import exr
from .clip import Frame, Warn, upright_size
from .colour import Colour

_FALLBACK_FPS = Fraction(24)


class Stills:
    """An image sequence. See clip.Clip. Frame numbers are those in the file names; a gap counts as time."""

    kind = "sequence"
    audio = False
    colour = Colour()
    turn, mirrored = 0, False
    constant = True

    def __init__(self, path: Path, sequence: Sequence, warn: Warn, fps: str = "") -> None:
        self.path, self.warn, self._files = path, warn, sequence.files
        self.first, self.count = next(iter(sequence.files)), len(sequence.files)
        picture, about = self._first_readable()
        height, width = picture.shape[:2]
        self.source_size, self.aspect = (width, height), about.aspect
        self.size = upright_size(width, height, self.aspect, False)
        self.bits, self.layer = 8 * picture.itemsize, about.layer
        self.fps = self._rate(fps, about.fps)
        self._remark(sequence, about)

    def frames(self, wanted: Callable[[int], bool] = lambda number: True, last: int | None = None) -> Iterator[Frame]:
        """See clip.Clip. Files that cannot be read, or have another size, are left out and named."""
        taken = odd = 0
        for number, file, picture in self._read_ahead([n for n in self._files if wanted(n) and (last is None or n <= last)]):
            if isinstance(picture, ClipFailure):
                self.warn(f"Frame {number} was left out: {picture.why}")
                continue
            size = (picture.shape[1], picture.shape[0])
            if size != self.source_size:
                odd += 1
                self.warn(f"Frame {number} was left out: {file.name} is {_by(size)} while the sequence is {_by(self.source_size)}.")
                continue
            taken += 1
            yield Frame(number, float((number - self.first) / self.fps), partial(self._finish, picture))
        if odd > taken:
            raise ClipFailure(
                "clip-mixed-sizes", "The pictures have different sizes.",
                f"{odd} of {odd + taken} pictures are not {_by(self.source_size)} like {self._files[self.first].name}.",
                "Put the pictures of one shot, all of one size, into a folder of their own.",
            )

    def _read_ahead(self, numbers: list[int]) -> Iterator[tuple[int, Path, np.ndarray | ClipFailure]]:
        """Files are read and decoded in threads, a few ahead, and come out in order."""
        with ThreadPoolExecutor(device.threads()) as pool:
            waiting: deque[tuple[int, Future[np.ndarray | ClipFailure]]] = deque()
            try:
                for number in numbers:
                    waiting.append((number, pool.submit(_try, self._files[number])))
                    if len(waiting) > 2 * device.threads():
                        first, future = waiting.popleft()
                        yield first, self._files[first], future.result()
                for first, future in waiting:
                    yield first, self._files[first], future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _first_readable(self) -> tuple[np.ndarray, exr.About]:
        why = ""
        for file in self._files.values():
            try:
                return read_picture(file)
            except ClipFailure as failure:
                why = why or failure.why
        raise ClipFailure(
            "clip-damaged", "None of the pictures can be read.", why, "Export the sequence again, as PNG, JPEG, TIFF, EXR or DPX.",
        )

    def _rate(self, asked: str, told: Fraction | None) -> Fraction:
        if asked:
            return _asked_rate(asked)
        if told:
            return told
        self.warn(f"An image sequence carries no frame rate: {_FALLBACK_FPS} fps is assumed.")
        return _FALLBACK_FPS

    def _remark(self, sequence: Sequence, about: exr.About) -> None:
        if min(self.size) < 16:
            raise ClipFailure(
                "clip-too-small", "The frames are too small.", f"{self._files[self.first].name} has {_by(self.size)} px.",
                "Use footage of at least 16 px on its short side.",
            )
        missing = sequence.missing
        if missing:
            shown = ", ".join(map(str, missing[:8])) + (" and more" if len(missing) > 8 else "")
            self.warn(f"Frames missing in the sequence: {shown}. They count as time.")
        if sequence.others and self.path.is_dir():
            name = self._files[self.first].name
            self.warn(f"{sequence.others} other pictures in the folder do not belong to the sequence {name} and were not read.")
        if about.remark:
            self.warn(about.remark)

    def _finish(self, picture: np.ndarray) -> np.ndarray:
        if self.size == self.source_size:
            return picture
        return cv2.resize(picture, self.size, interpolation=cv2.INTER_CUBIC)


def _try(path: Path) -> np.ndarray | ClipFailure:
    try:
        return read_picture(path)[0]
    except ClipFailure as failure:
        return failure


def _asked_rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 10000:
        raise RequestFailure(
            "wrong-option", "The frame rate cannot be used.", f"'{text}' is no number above 0.", "Give it as 24, 23.976 or 24000/1001.",
        )
    return rate


def read_picture(path: Path) -> tuple[np.ndarray, exr.About]:
    """One picture file as [H, W, 3] uint8 or uint16 display-referred RGB; ClipFailure where it cannot be read."""
    try:
        if path.suffix.lower() == ".exr":
            return exr.read_display(path)
        content = path.read_bytes()
        if content.startswith(b"\xff\xd8") and not _ends(content):
            raise _unreadable(path, "the picture is cut off")  # decoders fill the rest with grey and say nothing
        data = np.frombuffer(content, np.uint8)
        # COLOR drops alpha and turns as the EXIF tag says; ANYDEPTH keeps 16 bit and float.
        # Not COLOR_RGB, which mixes up the values of 16 bit TIFF (OpenCV 5.0).
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except (OSError, cv2.error, ValueError, RuntimeError) as error:
        raise _unreadable(path, str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__) from None
    if picture is None:
        return _through_ffmpeg(path)
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    if picture.dtype not in (np.uint8, np.uint16):
        return exr.to_display(picture.astype(np.float32)), exr.About(remark=exr.REMARK)
    return picture, exr.About()


def _ends(jpeg: bytes) -> bool:
    """Whether a JPEG comes to its end marker: segments tell their length, data between them hides its 0xFF."""
    marker = _MARKER.search(jpeg, 2)
    while marker and marker[0] != b"\xff\xd9":
        marker = _MARKER.search(jpeg, marker.end() + int.from_bytes(jpeg[marker.end():marker.end() + 2], "big"))
    return marker is not None


def _through_ffmpeg(path: Path) -> tuple[np.ndarray, exr.About]:
    """DPX and other formats that OpenCV does not know."""
    from .video import to_rgb

    try:
        with av.open(str(path), format=_DEMUXERS.get(path.suffix.lower()), options={"protocol_whitelist": "file"}) as container:
            frame = next(container.decode(video=0))
            deep = max(component.bits for component in frame.format.components) > 8
            aspect = Fraction(container.streams.video[0].sample_aspect_ratio or 1)
            about = exr.About(aspect=aspect if Fraction(1, 4) <= aspect <= 4 else Fraction(1), remark=_CURVES.get(_dpx_curve(path) or frame.color_trc, ""))
            return to_rgb(frame, 16 if deep else 8), about
    except (av.FFmpegError, StopIteration, IndexError, ValueError, OSError) as error:
        raise _unreadable(path, type(error).__name__) from None


def _dpx_curve(path: Path) -> int:
    """9 where the header of a DPX (SMPTE 268M, first element) tells of printing density or logarithmic light, on which FFmpeg is silent; else 0."""
    with path.open("rb") as file:
        head = file.read(802)
    return 9 if head[:4] in (b"SDPX", b"XPDS") and head[801:802] in (b"\1", b"\3") else 0


_CURVES = {
    8: "The pictures hold linear light: they are read as they are and will look dark.",
    9: "The pictures hold logarithmic light (film density): they are read as they are and will look flat.",
}
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_DEMUXERS = {".dpx": "dpx_pipe"}  # by content, so that digits or percent signs in the name mean nothing


def _unreadable(path: Path, why: str) -> ClipFailure:
    return ClipFailure(
        "clip-damaged", "A picture cannot be read.", f"{path.name} is damaged or of an unknown kind ({why}).",
        "Export it again, as PNG, JPEG, TIFF, EXR or DPX.",
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
