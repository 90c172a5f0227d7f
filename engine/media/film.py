"""The media room's writer of video files: H.264 that every player and Blender reads; never imports torch."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter


class VideoWriter:
    """A context: `write` takes [H, W, 3] RGB uint8 frames; the file gets its name when all were written well."""

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction | int, crf: int = 18) -> None:
        self._path, self._fresh = Path(path), Path(path).with_name(f".writing-{Path(path).name}")
        self._even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        self._size, self._reformatter = size, VideoReformatter()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._fresh), "w", format="mp4", options={"movflags": "+faststart"})
        # The same frames shall give the same bytes: one thread, and without mbtree, which differs from run to run (x264 165).
        knobs = {"crf": str(crf), "preset": "fast", "threads": "1", "x264-params": "mbtree=0"}
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps), options=knobs)
        self._stream.width, self._stream.height, self._stream.pix_fmt = *self._even, "yuv420p"
        context = self._stream.codec_context
        context.colorspace = context.color_trc = context.color_primaries = 1  # BT.709, said in the file
        context.color_range = ColorRange.MPEG

    def write(self, picture: np.ndarray) -> None:
        """Append one frame; an odd side is continued by one pixel, which H.264 needs."""
        right, below = self._even[0] - self._size[0], self._even[1] - self._size[1]
        if right or below:
            picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"), format="yuv420p",
            src_colorspace=Colorspace.ITU709, dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG, threads=1,
        )
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()
        if kind is None:
            self._fresh.replace(self._path)
        else:
            self._fresh.unlink(missing_ok=True)
