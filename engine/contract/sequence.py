"""The contract's reading of file names: which numbered pictures belong to one sequence, which files are films; standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PICTURES = frozenset(
    ".png .jpg .jpeg .jpe .jp2 .tif .tiff .exr .dpx .cin .bmp .webp .tga .hdr .pfm .ppm .pgm .sgi .rgb".split()
)
RAW = frozenset(".ari .arw .braw .cr2 .cr3 .crm .dng .heic .heif .nef .orf .r3d .raf .rw2".split())  # only its maker's program shows it right
FILMS = frozenset(".3gp .avi .dv .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .webm .wmv .y4m".split())
_PLACE = re.compile(r"%0?(\d*)d|(#+)")  # shot.%04d.exr, shot.####.exr


@dataclass(frozen=True)
class Sequence:
    """Numbered pictures in the order of their numbers. `others`: pictures in the same folder that are no part of it."""

    files: dict[int, Path]
    others: int = 0

    @property
    def missing(self) -> list[int]:
        """Numbers between the first and the last for which there is no file."""
        numbers = list(self.files)
        return [number for number in range(numbers[0], numbers[-1]) if number not in self.files]


def find(path: Path) -> Sequence | None:
    """The sequence that a folder, one of its files or a pattern (`%04d`, `####`) stands for; None where it is something else.

    One picture without a number in its name is a sequence of one frame, number 1; beside films in a folder it is their poster.
    """
    if path.is_dir():
        found = _largest(_pictures(path))
        return None if found and len(found.files) == 1 and films(path) else found
    if path.suffix.lower() not in PICTURES:
        return None
    if path.is_file():
        return _around(path, _pictures(path.parent)) or Sequence({1: path})
    place = _PLACE.search(path.name)
    if place is None or not path.parent.is_dir():
        return None
    files = _matching(path.name[: place.start()], path.name[place.end():], _pictures(path.parent))
    return Sequence(files) if files else None


def file_of(path: Path) -> Path:
    """The file by which Blender opens what the engine reads: of a folder the first picture of its sequence, or its one film; else the path itself."""
    if not path.is_dir():
        return path
    found, inside = find(path), films(path)
    return next(iter(found.files.values())) if found else inside[0] if len(inside) == 1 else path


def films(folder: Path) -> list[Path]:
    """The video files of a folder, by their endings."""
    return _ending(folder, FILMS)


def raw(path: Path) -> list[Path]:
    """Of a file or a folder what holds raw data of a sensor, or photos of a kind that is not read, by the endings."""
    return _ending(path, RAW) if path.is_dir() else [path] * (path.suffix.lower() in RAW)


def _pictures(folder: Path) -> list[Path]:
    return _ending(folder, PICTURES)


def _ending(folder: Path, kinds: frozenset[str]) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if entry.suffix.lower() in kinds and not entry.name.startswith("."))
    return sorted(entry for entry in entries if entry.is_file())


def _matching(head: str, tail: str, pictures: list[Path]) -> dict[int, Path]:
    """Number -> file for all names of the form head, digits, tail; sorted by number, the case of the ending does not count."""
    name = re.compile(rf"{re.escape(head)}(\d+){re.escape(tail)}$", re.IGNORECASE)
    found: dict[int, Path] = {}
    for entry in pictures:
        match = name.match(entry.name)
        if match:
            found.setdefault(int(match.group(1)), entry)
    return dict(sorted(found.items()))


def _around(path: Path, pictures: list[Path]) -> Sequence | None:
    """The sequence to which a file belongs: of the numbers in its name, the one that most other files differ in, at best the last."""
    best: dict[int, Path] = {}
    for digits in re.finditer(r"\d+", path.stem):
        files = _matching(path.name[: digits.start()], path.name[digits.end():], pictures)
        if len(files) >= len(best):
            best = files
    return Sequence(best, len(pictures) - len(best)) if best else None


def _largest(pictures: list[Path]) -> Sequence | None:
    """The largest sequence of a folder; among equals the first by name."""
    left, best = list(pictures), None
    while left:
        sequence = _around(left[0], left) or Sequence({1: left[0]})
        if best is None or len(sequence.files) > len(best.files):
            best = sequence
        taken = set(sequence.files.values()) | {left[0]}
        left = [entry for entry in left if entry not in taken]
    return best and Sequence(best.files, len(pictures) - len(best.files))
