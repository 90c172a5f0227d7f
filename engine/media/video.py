"""The media room's decoder of containers, through PyAV: turns, mirrors, squares pixels, keeps true times; never imports torch."""

from __future__ import annotations

import logging
import struct
import threading
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable, Iterator

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.reformatter import ColorRange, VideoReformatter

from ..failures import ClipFailure
from .clip import Frame, Warn, upright_size
from .colour import BT709, Colour
from .fields import progressive
from .film import EXACT
from .timing import Timing

_COVER = Disposition.attached_pic | Disposition.timed_thumbnails
_HDR = {16: "PQ (HDR10)", 18: "HLG"}
_local = threading.local()
logging.getLogger("libav").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Upright:
    """How a stored picture becomes upright: transpose, then flip; then pixels are made square."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False
    aspect: Fraction = Fraction(1)

    @classmethod
    def of(cls, frame: Any, aspect: Fraction) -> Upright:
        """From the display matrix [a b u; c d v; x y w] that sends a stored point (x, y) to (a x + c y, b x + d y)."""
        try:
            data = frame.side_data.get(SideData.DISPLAYMATRIX)
        except ValueError:  # PyAV meets a kind of side data that it does not know; it still tells the plain rotation
            clockwise = -frame.rotation % 360
            return cls(clockwise in (90, 270), clockwise in (90, 180), clockwise in (180, 270), aspect)
        if data is None:
            return cls(aspect=aspect)
        a, b, _, c, d = struct.unpack("=9i", bytes(data))[:5]
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0, aspect)
        return cls(True, c < 0, b < 0, aspect)

    @property
    def turn(self) -> int:
        """Degrees clockwise, after the mirror where there is one."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    @property
    def mirrored(self) -> bool:
        """Whether left and right change places."""
        return (self.transpose + self.flip_x + self.flip_y) % 2 == 1

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """[H, W, 3] as stored -> upright with square pixels."""
        height, width = picture.shape[:2]
        if self.transpose:
            picture = cv2.transpose(picture)
        if self.flip_x or self.flip_y:
            picture = cv2.flip(picture, -1 if self.flip_x and self.flip_y else int(self.flip_x))
        size = upright_size(width, height, self.aspect, self.transpose)
        if size != (picture.shape[1], picture.shape[0]):
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        return picture


class Video:
    """A container with a video stream. See clip.Clip."""

    kind = "video"
    first = 1
    layer = ""

    def __init__(self, path: Path, warn: Warn, deinterlace: bool = False) -> None:
        self.path, self.warn, self.deinterlace = path, warn, deinterlace
        with self._open() as container:
            self.audio = bool(container.streams.audio)
            self._index = _pick(container, path)
        with self._open() as container:
            stream = container.streams[self._index]
            self.aspect = _sane(Fraction(stream.sample_aspect_ratio or 1))
            self._timing = Timing.scan(container, stream)
        self.count, self.fps, self.constant = self._timing.count, self._timing.fps, self._timing.constant
        frame = self._first_frame()
        self.upright = Upright.of(frame, self.aspect)
        self.turn, self.mirrored = self.upright.turn, self.upright.mirrored
        self.source_size = (frame.width, frame.height)
        self.size = upright_size(frame.width, frame.height, self.aspect, self.upright.transpose)
        self.bits = 16 if _depth(frame) > 8 else 8
        self.colour = _colour(frame)
        self._remark(frame)

    def frames(self, wanted: Callable[[int], bool] = lambda number: True, last: int | None = None) -> Iterator[Frame]:
        """See clip.Clip. What cannot be decoded is passed over and said at the end."""
        trouble = _Trouble()
        clock = self._timing.clock()
        frames = self._decode(trouble)
        for frame in progressive(self._alike(frames, trouble)) if self.deinterlace else frames:
            number, time = clock(frame)
            if last is not None and number > last:
                break
            trouble.number = number
            if (frame.width, frame.height) != self.source_size:
                trouble.resized.append(number)
            elif wanted(number):
                yield Frame(number, time, _lazy(frame, self.bits, self.upright))
        for sentence in trouble.sentences(self.path.name):
            self.warn(sentence)

    def _alike(self, frames: Iterator[Any], trouble: _Trouble) -> Iterator[Any]:
        """Those of the clip's size: the deinterlacer looks at several at once."""
        for frame in frames:
            if (frame.width, frame.height) == self.source_size:
                yield frame
            else:
                trouble.resized.append(trouble.number + 1)

    def _open(self) -> Any:
        try:  # a playlist inside a file must not reach into the network
            return av.open(str(self.path), options={"protocol_whitelist": "file,crypto,data"}, metadata_errors="replace")
        except (av.FFmpegError, ValueError, OSError) as error:
            raise ClipFailure(
                "clip-not-video", "The clip cannot be opened.",
                f"{self.path.name} is not a video that FFmpeg can read, or its header is damaged ({error.__class__.__name__}).",
                "Choose another file, or copy it again from its source.",
            ) from None

    def _decode(self, trouble: _Trouble) -> Iterator[Any]:
        av.logging.set_level(av.logging.ERROR)  # some decoders tell of damage in their log alone
        with self._open() as container:
            stream = container.streams[self._index]
            stream.thread_type = "SLICE"  # decoding several frames at once conceals damage in another way on each run
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                except StopIteration:
                    return
                except (av.FFmpegError, OSError):
                    trouble.errors += 1
                    return
                with av.logging.Capture(local=False) as words:
                    try:
                        pictures = packet.decode()
                    except av.FFmpegError:
                        trouble.errors += 1
                        continue
                if words:
                    trouble.complaints += 1
                    trouble.since = trouble.since or trouble.number + 1
                yield from pictures

    def _first_frame(self) -> Any:
        for frame in self._decode(_Trouble()):
            return frame
        raise ClipFailure(
            "clip-damaged", "No frame of the clip can be decoded.",
            f"{self.path.name} has a video stream, but its data is damaged or cut off.",
            "Copy it again from its source, or convert it with another program.",
        )

    def _remark(self, frame: Any) -> None:
        if min(self.size) < 16:
            raise ClipFailure(
                "clip-too-small", "The frames are too small.", f"{self.path.name} has {self.size[0]} x {self.size[1]} px.",
                "Use footage of at least 16 px on its short side.",
            )
        if frame.color_trc in _HDR:
            self.warn(f"The clip is HDR, {_HDR[frame.color_trc]}: it is read as it is, without tone mapping.")
        if frame.interlaced_frame and not self.deinterlace:
            self.warn("The clip is interlaced: it is read as whole frames, both fields together. Where it looks combed, tick 'Deinterlace'.")


@dataclass
class _Trouble:
    """What went wrong while decoding."""

    errors: int = 0  # packets that gave nothing
    complaints: int = 0  # packets that the decoder had to mend
    since: int = 0  # frame at which the mending began
    number: int = 0  # frame that came out last
    resized: list[int] = field(default_factory=list)

    def sentences(self, name: str) -> Iterator[str]:
        """For the user."""
        if self.errors:
            yield f"{name} is damaged: {_count(self.errors, 'packet')} could not be decoded; the other frames were read."
        if self.complaints:
            yield f"{name} is damaged: {_count(self.complaints, 'frame')} may hold wrong pixels, from about frame {self.since} on."
        if self.resized:
            yield f"{name} changes its size: {_count(len(self.resized), 'frame')} left out, the first is frame {self.resized[0]}."


def _pick(container: Any, path: Path) -> int:
    """Index of the stream that is the shot: not a cover picture, with most packets; of equals the largest, then the first."""
    streams = [stream for stream in container.streams.video if stream.codec_context is not None and not stream.disposition & _COVER]
    if not streams:
        raise ClipFailure(
            "clip-no-video", "The clip has no pictures.",
            f"{path.name} holds {_contents(container)}, but no video stream that can be decoded.",
            "Choose the file that holds the picture, or convert it with another program.",
        )
    if len(streams) == 1:
        return int(streams[0].index)
    packets = dict.fromkeys((stream.index for stream in streams), 0)
    for count, packet in enumerate(container.demux(streams)):
        packets[packet.stream.index] += packet.size > 0
        if count > 3000:  # long enough to tell the shot from a track of thumbnails
            break
    most = max(packets.values())
    steady = [stream for stream in streams if packets[stream.index] * 2 > most]
    return int(max(steady, key=lambda stream: (stream.width * stream.height, -stream.index)).index)


def _contents(container: Any) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type not in ("video", "data")})
    return " and ".join(kinds) if kinds else "nothing"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _depth(frame: Any) -> int:
    return max(component.bits for component in frame.format.components)


def _sane(aspect: Fraction) -> Fraction:
    """Pixel aspects that no camera has are mistakes of the file."""
    return aspect if Fraction(1, 4) <= aspect <= 4 else Fraction(1)


def _matrix(frame: Any) -> int:
    """The YUV matrix as FFmpeg numbers it; where the file does not say, BT.709 for HD and BT.601 below, as players do."""
    if frame.colorspace in (1, 4, 5, 6, 7, 9, 10):
        return {6: 5, 10: 9}.get(frame.colorspace, frame.colorspace)
    return 1 if frame.width >= 1280 or frame.height > 576 else 5


def _colour(frame: Any) -> Colour:
    """The tags for films in this clip's colours. RGB has no matrix to keep; what the file leaves open is BT.709 in films, as players take it."""
    told = [code if code not in (0, 2) else BT709 for code in (int(frame.color_primaries), int(frame.color_trc))]
    if frame.format.is_rgb:
        return Colour(*told)
    return Colour(*told, _matrix(frame), _range(frame) == ColorRange.JPEG)


def _range(frame: Any) -> ColorRange:
    """Full range where the file says so or the format implies it (yuvj, RGB)."""
    if frame.color_range == ColorRange.UNSPECIFIED:
        full = frame.format.name.startswith("yuvj") or frame.format.is_rgb
        return ColorRange.JPEG if full else ColorRange.MPEG
    return ColorRange(frame.color_range)


def to_rgb(frame: Any, bits: int) -> np.ndarray:
    """A decoded frame as stored -> [H, W, 3] uint8 or uint16 RGB, full range; the same bytes on every run."""
    if not hasattr(_local, "reformatter"):
        _local.reformatter = VideoReformatter()
    matrix, span = _matrix(frame), _range(frame)
    rgb = _local.reformatter.reformat(
        frame, format="rgb24" if bits == 8 else "rgb48le", src_colorspace=matrix, dst_colorspace=matrix,
        src_color_range=span, dst_color_range=ColorRange.JPEG, interpolation=EXACT, threads=1,
    )
    picture = np.ascontiguousarray(rgb.to_ndarray())
    return picture if frame.format.is_rgb else _stretched(picture, _depth(frame), span == ColorRange.MPEG, frame.format.name.startswith("gray"))


def _stretched(picture: np.ndarray, depth: int, limited: bool, gray: bool) -> np.ndarray:
    """What FFmpeg's converter leaves undone on the way to full range, so that white is 65535 (255 for 8 bit).

    It multiplies instead of repeating bits: 16 bit white comes out as 255 * 256 from limited range, as (2^depth - 1) shifted
    from full range. Of gray it never expands a limited range.
    """
    if gray and limited:
        low, high = (level * (257 if picture.dtype == np.uint16 else 1) for level in (16, 235))
        top = np.iinfo(picture.dtype).max
        return np.rint((picture.astype(np.float32) - low).clip(0) * (top / (high - low))).clip(0, top).astype(picture.dtype)
    if picture.dtype == np.uint8:
        return picture
    return cv2.add(picture, picture >> (8 if limited else depth))


def _lazy(frame: Any, bits: int, upright: Upright) -> Callable[[], np.ndarray]:
    return lambda: upright(to_rgb(frame, bits))
