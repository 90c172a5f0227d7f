"""Pretrained weights: listed with licence and checksum, fetched only on request, verified, then renamed; never unpickled."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tomllib
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from .contract.places import weights_folder
from .failures import SetupFailure
from .store import beside

TABLE = Path(__file__).with_name("weights.toml")


@dataclass(frozen=True)
class Weights:
    """One entry of weights.toml. An empty sha256 means that no checksum is published: such a file is only imported."""

    name: str
    file: str
    purpose: str
    licence: str
    address: str = ""
    sha256: str = ""
    size: int = 0  # bytes, about
    commercial: bool = True  # whether the licence allows commercial use


def table() -> dict[str, Weights]:
    """Every entry by name."""
    content = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: Weights(name=name, **entry) for name, entry in content.items()}


def find(name: str) -> Path | None:
    """The file of an entry, or None where it is not installed."""
    path = weights_folder() / table()[name].file
    return path if path.is_file() else None


def need(name: str) -> Path:
    """The file of an entry, or a failure that says how to get it."""
    path = find(name)
    if path is None:
        raise SetupFailure(
            "weights-missing", f"The weights '{name}' are not installed.", f"{table()[name].purpose} needs them ({table()[name].licence}).",
            f"Run `python -m engine weights fetch {name}`, or `weights import {name} FILE` with a copy of your own.",
        )
    return path


def digest(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def install(name: str, source: Path) -> Path:
    """Copy a file that the user has into place, after comparing its checksum where one is known."""
    entry = table()[name]
    if entry.sha256 and digest(source) != entry.sha256:
        raise SetupFailure(
            "weights-damaged", f"{source.name} is not the file that '{name}' means.", "Its checksum differs.", "Download it again.",
        )
    target = weights_folder() / entry.file
    with beside(target) as fresh:
        shutil.copyfile(source, fresh)
    return target


def fetch(name: str) -> Path:
    """Download an entry. Called only when the user has asked for this very file."""
    entry = table()[name]
    if not entry.address or not entry.sha256:
        raise SetupFailure(
            "weights-missing", f"'{name}' cannot be fetched.", "No address with a checksum is published for it.",
            f"Get it from its authors, then `python -m engine weights import {name} FILE`.",
        )
    target = weights_folder() / entry.file
    with beside(target) as fresh:
        with urllib.request.urlopen(entry.address, timeout=30) as reply, open(fresh, "wb") as file:
            shutil.copyfileobj(reply, file)
        if digest(fresh) != entry.sha256:
            raise SetupFailure("weights-damaged", f"The download of '{name}' is damaged.", "Its checksum differs.", "Try again.")
    return target


def main(argv: list[str]) -> int:
    """`weights list`, `weights fetch NAME`, `weights import NAME FILE`."""
    parser = argparse.ArgumentParser(prog="python -m engine weights")
    parser.add_argument("what", choices=("list", "fetch", "import"))
    parser.add_argument("name", nargs="?", choices=sorted(table()))
    parser.add_argument("file", nargs="?", type=Path)
    given = parser.parse_args(argv)
    if given.what == "list":
        for entry in table().values():
            state = "installed" if find(entry.name) else "not installed"
            print(f"{entry.name:<24} {state:<14} {entry.size / 1e6:7.1f} MB  {entry.licence:<28} {entry.purpose}")
        return 0
    if given.name is None or (given.what == "import" and given.file is None):
        parser.error("name the weights, and for import the file")
    try:
        print(fetch(given.name) if given.what == "fetch" else install(given.name, given.file))
    except (SetupFailure, OSError) as failure:
        parser.exit(1, f"engine weights: {failure}\n")
    return 0
