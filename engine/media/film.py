"""The media room's writer of video files, in codecs that Blender and editing programs read; never imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from .colour import Colour

EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class Codec:
    """How a film is coded. The same frames shall give the same bytes: one thread, and nothing that differs from run to run."""

    encoder: str
    pixels: str
    suffix: str = ".mp4"
    knobs: dict[str, str] = field(default_factory=dict)
    crf: bool = True  # whether it has a rate factor
    full: bool = True  # whether it knows full range


CODECS = {
    # mbtree differs from run to run (x264 165)
    "h264": Codec("libx264", "yuv420p", knobs={"preset": "fast", "threads": "1", "x264-params": "mbtree=0"}),
    "h265": Codec("libx265", "yuv420p10le", knobs={"preset": "fast", "tag": "hvc1", "x265-params": "pools=none:frame-threads=1:log-level=none"}),
    "prores": Codec("prores_ks", "yuv422p10le", ".mov", {"profile": "hq", "threads": "1", "vendor": "apl0"}, crf=False, full=False),
}


class VideoWriter:
    """A context: `write` takes [H, W, 3] RGB frames, uint8 or uint16; the file gets its name when all were written well."""

    def __init__(
        self, path: Path, size: tuple[int, int], fps: Fraction | int, crf: int = 18, codec: str = "h264", colour: Colour = Colour(),
    ) -> None:
        self._path, self._fresh = Path(path), Path(path).with_name(f".writing-{Path(path).name}")
        self._even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        self._size, self._reformatter, self._codec, self._colour = size, VideoReformatter(), CODECS[codec], colour
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._fresh), "w", format=self._codec.suffix[1:], options={"movflags": "+faststart"})
        knobs = self._codec.knobs | ({"crf": str(crf)} if self._codec.crf else {})
        self._stream = self._container.add_stream(self._codec.encoder, rate=Fraction(fps), options=knobs)
        self._stream.width, self._stream.height, self._stream.pix_fmt = *self._even, self._codec.pixels
        context = self._stream.codec_context
        context.colorspace, context.color_trc, context.color_primaries = colour.matrix, colour.transfer, colour.primaries
        context.color_range = self._range = ColorRange.JPEG if colour.full and self._codec.full else ColorRange.MPEG

    def write(self, picture: np.ndarray) -> None:
        """Append one frame; an odd side is continued by one pixel, which YUV with halved colour needs."""
        right, below = self._even[0] - self._size[0], self._even[1] - self._size[1]
        if right or below:
            picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
        if picture.dtype == np.uint16:
            picture = cv2.subtract(picture, picture >> 8)  # FFmpeg's converter takes 255 * 256 for white
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24" if picture.dtype == np.uint8 else "rgb48le"),
            format=self._codec.pixels, src_colorspace=self._colour.matrix, dst_colorspace=self._colour.matrix,
            src_color_range=ColorRange.JPEG, dst_color_range=self._range, interpolation=EXACT, threads=1,
        )
        frame.color_primaries, frame.color_trc, frame.colorspace = self._colour.primaries, self._colour.transfer, self._colour.matrix  # ProRes asks the frame
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            try:
                if kind is None:
                    self._container.mux(self._stream.encode())
            finally:
                self._container.close()
            if kind is None:
                self._fresh.replace(self._path)
        finally:
            self._fresh.unlink(missing_ok=True)
