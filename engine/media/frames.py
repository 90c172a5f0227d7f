"""The media room's reader of a frames artifact, which every stage uses, and its writers of pictures; never imports torch."""

from __future__ import annotations

import threading
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .. import store
from ..contract.artifacts import FRAME
from ..failures import RequestFailure
from .clip import upright_size
from .exr import read_depth, read_exr, write_depth, write_exr
from .film import VideoWriter

__all__ = ["Frames", "VideoWriter", "read_depth", "read_exr", "read_png", "resize", "working_size", "write_depth", "write_exr", "write_png"]

ROOM = 96 * 2**20  # bytes of pictures that may stay in memory, however many they are
SHAPE = 0.02  # by which the shape of a mask may differ: pictures are scaled to whole and even sides

# Differences to the row above pack a little better and quicker than the default; older OpenCV chooses itself.
_UPWARDS = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP] if hasattr(cv2, "IMWRITE_PNG_FILTER") else []


def working_size(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(W, H) scaled down so that the longer side is `longest`, both even; unchanged where it already fits or `longest` is 0."""
    width, height = size
    if not 0 < longest < max(size):
        return size
    scale = longest / max(size)
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def resize(picture: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """[H, W(, C)] to (W, H): area average downwards, cubic upwards; pixel centres at +0.5."""
    if size is None or size == (picture.shape[1], picture.shape[0]):
        return picture
    down = size[0] <= picture.shape[1] and size[1] <= picture.shape[0]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if down else cv2.INTER_CUBIC)


def write_png(path: Path, picture: np.ndarray, level: int = 1) -> None:
    """Write [H, W], [H, W, 3] RGB or [H, W, 4] RGBA, uint8 or uint16; renamed into place.

    1080p, 8 bit: level 1 takes 95 ms to write and 44 ms to read; level 0, stored, 10 and 7 ms, at twice the size.
    """
    turned = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    if picture.ndim == 3 and picture.shape[2] in turned:
        picture = cv2.cvtColor(picture, turned[picture.shape[2]])
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, level, *_UPWARDS])
    if not done:
        raise ValueError(f"no PNG can hold {picture.shape} {picture.dtype}")
    with store.beside(path) as fresh:
        fresh.write_bytes(data)


def read_png(path: Path) -> np.ndarray:
    """What write_png wrote: [H, W], [H, W, 3] RGB or [H, W, 4] RGBA, uint8 or uint16."""
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f"{path} is no picture")
    turned = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    return cv2.cvtColor(picture, turned[picture.shape[2]]) if picture.ndim == 3 else picture


class Frames:
    """The finished folder of the stage 'frames'. Safe in threads; the last few pictures stay in memory, of small ones more."""

    def __init__(self, folder: Path, keep: int = 24) -> None:
        self.folder, self._keep = Path(folder), keep
        self.about: dict[str, Any] = store.read_json(self.folder / "clip.json")
        self.numbers: list[int] = self.about["frames"]
        self.times = np.array(self.about["times"], np.float64)  # [T] s, 0 at the clip's first frame
        self.size: tuple[int, int] = (self.about["size"][0], self.about["size"][1])  # (W, H)
        self.fps = Fraction(self.about["fps"])
        self.cuts: list[int] = self.about["cuts"]  # the first frame after each cut
        self.duplicates: list[int] = self.about["duplicates"]  # frames equal to the one before
        self.bits: int = self.about["bits"]
        self._cache: OrderedDict[tuple[Any, ...], np.ndarray] = OrderedDict()
        self._held, self._lock = 0, threading.Lock()  # bytes

    @property
    def clip_width(self) -> int:
        """px of the clip itself, upright and with square pixels, however small these frames are."""
        return upright_size(*self.about["source_size"], Fraction(self.about.get("aspect", "1/1")), self.about.get("turn", 0) % 180 != 0)[0]

    def accept(self, path: Path, picture: np.ndarray) -> None:
        """Refuse a mask [H, W(, C)] of neither the shape of these pictures nor that of the clip's own pixels, which may not be square."""
        high, wide = picture.shape[:2]
        stored = tuple(self.about["source_size"])[:: -1 if self.about.get("turn", 0) % 180 else 1]
        if not any(abs(wide * h - high * w) <= SHAPE * wide * h for w, h in (self.size, stored)):
            raise RequestFailure(
                "masks-shape", "A mask has another shape than the pictures.",
                f"{path.name} is {wide} x {high}, the pictures are {self.size[0]} x {self.size[1]}: "
                "it was drawn on a clip that is turned or cropped otherwise.",
                "Draw on the frames as they were read: press Import once they are there, and show what comes with it.",
            )

    def __len__(self) -> int:
        return len(self.numbers)

    def path(self, number: int) -> Path:
        """The picture file of a frame."""
        return self.folder / f"{FRAME % number}.png"

    def rgb(self, number: int, size: tuple[int, int] | None = None) -> np.ndarray:
        """[H, W, 3] RGB, uint8 or uint16 as `bits` says, at `size` (W, H) or its own."""
        return resize(read_png(self.path(number)), size)

    def rgb8(self, number: int, size: tuple[int, int] | None = None) -> np.ndarray:
        """[H, W, 3] uint8 RGB; kept in memory for a while, so do not write into it."""
        return self._remember(("rgb", number, size), lambda: _eight(self.rgb(number, size)))

    def gray(self, number: int, size: tuple[int, int] | None = None) -> np.ndarray:
        """[H, W] uint8 luma; kept in memory for a while, so do not write into it."""
        return self._remember(("gray", number, size), lambda: cv2.cvtColor(self._colours(number, size), cv2.COLOR_RGB2GRAY))

    def _colours(self, number: int, size: tuple[int, int] | None) -> np.ndarray:
        """`rgb8`, from memory or from the file, not put into memory for its grey alone."""
        with self._lock:
            held = self._cache.get(("rgb", number, size))
        return _eight(self.rgb(number, size)) if held is None else held

    def spans(self) -> list[list[int]]:
        """The frame numbers of each stretch between cuts."""
        out: list[list[int]] = [[]]
        cuts = set(self.cuts)
        for number in self.numbers:
            if number in cuts and out[-1]:
                out.append([])
            out[-1].append(number)
        return out

    def _remember(self, key: tuple[Any, ...], make: Any) -> np.ndarray:
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        picture = make()
        picture.flags.writeable = False
        with self._lock:
            self._held += 0 if key in self._cache else picture.nbytes
            self._cache[key] = picture
            while len(self._cache) > self._keep and self._held > ROOM:
                self._held -= self._cache.popitem(last=False)[1].nbytes
        return picture


def _eight(picture: np.ndarray) -> np.ndarray:
    """uint16 -> uint8, rounded (65535 = 255 * 257)."""
    return picture if picture.dtype == np.uint8 else cv2.convertScaleAbs(picture, alpha=1 / 257)
