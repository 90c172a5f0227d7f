"""Several shots for one command: the clips of a folder, or the rows of a CSV file. Imports the contract; no bpy.

A CSV file has a first row of names: `clip`, and any of the command's options without their dashes (want, frames, set, save …).
Paths count from the CSV file's folder.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from ..engine.contract import sequence
from ..engine.contract.option import WrongOption

_PATHS = ("clip", "save", "render", "results", "store")


@dataclass(frozen=True)
class Row:
    """One shot: the clip's path, the name of what comes of it, and further words for the command."""

    clip: str
    name: str
    words: tuple[str, ...] = ()


def is_several(path: str) -> bool:
    """Whether a path stands for more than one shot."""
    return bool(path) and (Path(path).is_dir() or Path(path).suffix.lower() == ".csv")


def rows_of(path: str) -> list[Row]:
    """The shots that a folder or a CSV file stands for, in their order; WrongOption with one sentence where there are none."""
    found = _of_folder(Path(path)) if Path(path).is_dir() else _of_table(Path(path))
    if not found:
        raise WrongOption(f"There is no clip in {path}.")
    taken: set[str] = set()
    for index, row in enumerate(found):
        if row.name in taken:
            found[index] = row = replace(row, name=f"{row.name} {index + 1}")
        taken.add(row.name)
    return found


def _of_folder(folder: Path) -> list[Row]:
    """Films in it, numbered pictures in it, and those of the folders in it: each folder of pictures is one shot."""
    places = [folder, *(entry for entry in sorted(folder.iterdir()) if entry.is_dir())]
    pictures = [next(iter(found.files.values())) for found in map(sequence.find, places) if found is not None and len(found.files) > 1]
    return [Row(str(path), _name(path)) for path in [*sequence.films(folder), *pictures]]


def _name(path: Path) -> str:
    """A film is called by its file, pictures by their folder."""
    return path.stem if path.suffix.lower() in sequence.FILMS else path.parent.name


def _of_table(path: Path) -> list[Row]:
    if not path.is_file():
        raise WrongOption(f"There is no table at {path}.")
    with open(path, newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        if "clip" not in (table.fieldnames or ()):
            raise WrongOption(f"The first row of {path.name} must name a column 'clip'.")
        return [_row(entry, path.parent) for entry in table if entry["clip"]]


def _row(entry: dict[str, str], folder: Path) -> Row:
    words: list[str] = []
    for name, value in entry.items():
        if name in (None, "clip") or not value:
            continue
        value = str(folder / value) if name in _PATHS else value
        for part in value.split() if name == "set" else [value]:
            words += [f"--{name}", part]
    clip = folder / entry["clip"]
    return Row(str(clip), _name(clip), tuple(words))
