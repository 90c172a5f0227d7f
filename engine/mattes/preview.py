"""The mattes room, the subjects as films: over a colour, a picture or another film, and their alpha and colour; no Blender, no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..failures import RequestFailure
from ..media.clip import open_clip
from ..media.film import CODECS, VideoWriter
from ..media.frames import Frames, read_png, resize

Picture = NDArray[np.float32]  # [H, W, 3] 0..255, or [H, W] 0..1


def read_colour(text: str) -> np.ndarray:
    """'120,255,155' -> [3] float32, 0..255."""
    try:
        colour = np.array([float(part) for part in text.split(",")], np.float32)
    except ValueError:
        colour = np.empty(0)
    if colour.shape != (3,) or colour.min() < 0 or colour.max() > 255:
        raise RequestFailure("wrong-option", "The preview colour cannot be read.", f"'{text}' is not three numbers of 0 to 255.", "Write it as '120,255,155'.")
    return colour


@dataclass(frozen=True)
class Film:
    """How films are coded: one of film.CODECS, and the rate factor of those that have one."""

    codec: str = "h264"
    crf: int = 18

    def open(self, frames: Frames, path: Path) -> VideoWriter:
        """A film beside `path`, with the codec's own suffix."""
        return VideoWriter(self.path(path), frames.size, frames.fps, self.crf, self.codec)

    def path(self, path: Path) -> Path:
        """`path` with the codec's own suffix."""
        return path.with_suffix(CODECS[self.codec].suffix)


def write(frames: Frames, layers: list[Path], backdrops: Iterator[Picture], film: Film, path: Path) -> None:
    """All layers over the backdrops, first one on top."""
    with film.open(frames, path) as video:
        for frame, picture in zip(frames.numbers, backdrops):
            for layer in reversed(layers):
                alpha, front = _read(layer, frame)
                picture = alpha[..., None] * front + (1 - alpha[..., None]) * picture
            video.write(np.round(picture).astype(np.uint8))


def write_films(frames: Frames, layer: Path, film: Film) -> None:
    """alpha and foreground of one subject as films beside its pictures."""
    with film.open(frames, layer / "alpha.mp4") as alphas, film.open(frames, layer / "foreground.mp4") as fronts:
        for frame in frames.numbers:
            alpha, front = _read(layer, frame)
            alphas.write(np.repeat(np.round(alpha * 65535).astype(np.uint16)[..., None], 3, -1))
            fronts.write(np.round(front).astype(np.uint8))


def backdrops(size: tuple[int, int], colour: Picture | None, path: str) -> Iterator[Picture]:
    """Without end: the colour, or a picture or film that covers `size` (W, H), from its middle, and begins anew where it is too short."""
    if not path:
        assert colour is not None
        plain = np.broadcast_to(colour, (size[1], size[0], 3)).astype(np.float32)
        while True:
            yield plain
    while True:
        yield from (_cover(frame.picture(), size) for frame in open_clip(path).frames())


def _cover(picture: NDArray[np.generic], size: tuple[int, int]) -> Picture:
    scale = max(size[0] / picture.shape[1], size[1] / picture.shape[0])
    large = resize(picture, (max(size[0], round(picture.shape[1] * scale)), max(size[1], round(picture.shape[0] * scale))))
    left, top = (large.shape[1] - size[0]) // 2, (large.shape[0] - size[1]) // 2
    return large[top : top + size[1], left : left + size[0], :3].astype(np.float32) / (257 if picture.dtype == np.uint16 else 1)


def _read(layer: Path, frame: int) -> tuple[Picture, Picture]:
    """Alpha 0..1 and straight colour 0..255."""
    alpha = read_png(layer / "alpha" / f"{FRAME % frame}.png").astype(np.float32) / 65535
    front = read_png(layer / "foreground" / f"{FRAME % frame}.png")
    return alpha, front / np.float32(257 if front.dtype == np.uint16 else 1)
