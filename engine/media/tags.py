"""The media room's reading of what a camera wrote beside the pictures: the focal length; never imports torch."""

from __future__ import annotations

import struct
from pathlib import Path

import av

from ..contract import sequence

DIAGONAL = 43.27  # mm, of the 36 x 24 mm that "35 mm equivalent" refers to
EQUIVALENT, EXIF = 0xA405, 0x8769  # FocalLengthIn35mmFilm; where the camera's own tags lie
_FILM = "com.apple.quicktime.camera.focal_length.35mm_equivalent"


def focal_35mm(path: Path) -> float | None:
    """The focal length as its 35 mm equivalent in mm, told by a film's metadata or by a picture's EXIF; None where none is told."""
    found = sequence.find(path) if path.exists() else None
    try:
        value = _of_picture(next(iter(found.files.values()))) if found else _of_film(path)
    except (OSError, ValueError, struct.error, av.error.FFmpegError):
        return None
    return value if value is not None and 4 <= value <= 2000 else None


def pixels(equivalent: float, size: tuple[int, int]) -> float:
    """Focal length in px of pictures of `size`; the equivalence is one of diagonals."""
    return float(equivalent / DIAGONAL * (size[0] ** 2 + size[1] ** 2) ** 0.5)


def _of_film(path: Path) -> float | None:
    with av.open(str(path)) as container:
        said = {**container.metadata, **(container.streams.video[0].metadata if container.streams.video else {})}
    return float(said[_FILM]) if _FILM in said else None


def _of_picture(path: Path) -> float | None:
    with open(path, "rb") as file:
        head = file.read(1 << 17)
    if head[:2] == b"\xff\xd8":
        start = head.find(b"Exif\0\0")
        return None if start < 0 else _of_tiff(head[start + 6 :])
    return _of_tiff(head) if head[:4] in (b"II*\0", b"MM\0*") else None


def _of_tiff(data: bytes) -> float | None:
    """The tag in the first directory or in the camera's own, of TIFF data (which EXIF is)."""
    order = "<" if data[:2] == b"II" else ">"
    first = _tags(data, struct.unpack_from(order + "I", data, 4)[0], order)
    every = {**first, **(_tags(data, first[EXIF], order) if EXIF in first else {})}
    return float(every[EQUIVALENT]) if every.get(EQUIVALENT) else None


def _tags(data: bytes, at: int, order: str) -> dict[int, int]:
    """Whole numbers of one directory, by tag."""
    out = {}
    for k in range(struct.unpack_from(order + "H", data, at)[0]):
        tag, kind, count, _ = struct.unpack_from(order + "HHII", data, at + 2 + 12 * k)
        if kind in (3, 4) and count == 1:
            out[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 10 + 12 * k)[0]
    return out
