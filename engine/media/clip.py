"""The media room's door: any clip or image sequence as upright RGB frames with their numbers and times; never imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Callable, Iterator, Protocol

import numpy as np

from ..contract import sequence
from ..failures import ClipFailure
from .colour import Colour

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Frame:
    """One frame. `picture()` makes its pixels, in any thread: [H, W, 3] uint8 or uint16, RGB, upright, square pixels."""

    number: int
    time: float  # s since the first frame of the clip
    picture: Callable[[], np.ndarray]


class Clip(Protocol):
    """What an open clip offers. `count` is how many frames the container promises: for progress bars only."""

    kind: str  # video or sequence
    path: Path
    size: tuple[int, int]  # (W, H), upright, square pixels
    source_size: tuple[int, int]  # (W, H) as stored
    aspect: Fraction  # width of a stored pixel by its height
    turn: int  # degrees clockwise that stood between the stored picture and the upright one
    mirrored: bool
    bits: int  # 8 or 16
    fps: Fraction
    constant: bool  # frame n stands at (n - 1) / fps
    audio: bool
    colour: Colour
    layer: str  # of an EXR, where it holds several
    count: int
    first: int  # number of its first frame

    def frames(self, wanted: Callable[[int], bool] = ..., last: int | None = ...) -> Iterator[Frame]:
        """The frames whose number is wanted, in order, up to and with `last`."""
        ...


def open_clip(path: str | Path, warn: Warn = lambda text: None, fps: str = "", deinterlace: bool = False) -> Clip:
    """Open whatever lies at `path`; ClipFailure when it holds no frames. `fps` ('24', '24000/1001') is for image sequences, `deinterlace` for films."""
    from .stills import Stills
    from .video import Video

    path = Path(path)
    found = _sequence(path)
    if found is not None:
        return Stills(path, found, warn, fps)
    if path.exists() and not (path.is_dir() and sequence.films(path)) and (raw := sequence.raw(path)):
        raise ClipFailure(
            "clip-raw", "The clip cannot be opened.", f"{raw[0].name} holds raw data of a sensor, or a kind of photo that is not read.",
            "Develop it to EXR, TIFF or ProRes in the program that it is meant for.",
        )
    if path.is_dir():
        path = _only_film(path)
    if not path.is_file():
        raise ClipFailure(
            "clip-missing", "The clip cannot be opened.", f"There is no file or image sequence at {path}.",
            "Check the path; relink the clip in Blender if it has moved.",
        )
    if path.stat().st_size == 0:
        raise ClipFailure(
            "clip-empty", "The clip is empty.", f"{path.name} has 0 bytes.", "Copy or download it again.",
        )
    return Video(path, warn, deinterlace)


def _sequence(path: Path) -> sequence.Sequence | None:
    try:
        return sequence.find(path)
    except OSError as error:
        raise ClipFailure(
            "clip-missing", "The clip cannot be opened.", f"{path} cannot be read: {error.strerror or error}.",
            "Check the rights of the file and the folder.",
        ) from None


def _only_film(folder: Path) -> Path:
    """The one video in a folder without pictures."""
    films = sequence.films(folder)
    if len(films) == 1:
        return films[0]
    held = f"There are {len(films)} videos" if films else "There are neither pictures nor videos"
    raise ClipFailure(
        "clip-empty", "The folder holds no frames." if not films else "The folder is not one clip.", f"{held} in {folder}.",
        "Choose the folder that holds the image sequence, or the video file itself.",
    )


def upright_size(width: int, height: int, aspect: Fraction, sideways: bool) -> tuple[int, int]:
    """(W, H) with square pixels after turning: the narrow side of a pixel is widened, so that no detail is lost."""
    if aspect > 1:
        width = max(1, round(width * aspect))
    elif aspect < 1:
        height = max(1, round(height / aspect))
    return (height, width) if sideways else (width, height)
