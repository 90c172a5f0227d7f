"""Pretrained weights: listed with licence and checksum, fetched only on request, verified, then renamed; never unpickled.

    FILE            the weights
    FILE.sha256     the checksum of what was imported, compared before every use
    .FILE.part      a download that was broken off; the next one goes on from there
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .contract.places import installed, weights_folder
from .failures import SetupFailure
from .store import beside

TABLE = Path(__file__).with_name("weights.toml")
BLOCK = 1 << 18  # bytes


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
    folder: bool = False  # a folder as transformers saves it, in place of one file

    @property
    def form(self) -> str:
        """What `weights import` takes."""
        return "FOLDER" if self.folder else "FILE"


def table() -> dict[str, Weights]:
    """Every entry by name."""
    content = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: Weights(name=name, **entry) for name, entry in content.items()}


def find(name: str) -> Path | None:
    """The file or folder of an entry, its checksum compared; None where it is not installed, a failure where it is not what was installed."""
    entry = table()[name]
    held = installed((entry.file,))
    if not held:
        return None
    path = Path(held)
    known = entry.sha256 or _recorded(path)
    if digest(path) != known:
        raise SetupFailure(
            "weights-damaged", f"The weights '{name}' are not those that were installed.",
            f"The checksum of {path} differs." if known else f"{path} came there by another way, so nothing tells whether it is whole.",
            f"Run `python -m engine weights import {name} {entry.form}` with a good copy.",
        )
    return path


def need(name: str, change: dict[str, dict[str, str]] | None = None) -> Path:
    """The file of an entry, or a failure that says how to get it; `change` does without: {stage: {option: value}}."""
    path = find(name)
    if path is None:
        missing = SetupFailure(
            "weights-missing", f"The weights '{name}' are not installed.", f"{table()[name].purpose} needs them ({table()[name].licence}).",
            f"Import a copy of your own in the add-on's preferences, or by `python -m engine weights import {name} {table()[name].form}`"
            + (f"; its authors publish it at {table()[name].address}." if table()[name].address else "."), change,
        )
        missing.network = name
        raise missing
    return path


def digest(path: Path) -> str:
    """sha256 of a file, or of the names and checksums of a folder's files, in hexadecimal."""
    if path.is_dir():
        told = "".join(f"{entry.name} {digest(entry)}\n" for entry in sorted(path.iterdir()) if entry.is_file())
        return hashlib.sha256(told.encode()).hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recorded(path: Path) -> str:
    record = path.with_name(f"{path.name}.sha256")
    return record.read_text(encoding="ascii").strip() if record.is_file() else ""


def install(name: str, source: Path) -> Path:
    """Copy a file or folder that the user has into place. Its checksum is compared where one is published, and remembered in any case."""
    entry = table()[name]
    if entry.folder:
        return _install_folder(entry, source if source.is_dir() else source.parent)
    found = digest(source)
    if entry.sha256 and found != entry.sha256:
        raise SetupFailure(
            "weights-damaged", f"{source.name} is not the file that '{name}' means.", "Its checksum differs.", "Download it again.",
        )
    target = weights_folder() / entry.file
    with beside(target.with_name(f"{target.name}.sha256")) as fresh:
        fresh.write_text(found + "\n", encoding="ascii")
    with beside(target) as fresh:
        shutil.copyfile(source, fresh)
    return target


def _install_folder(entry: Weights, source: Path) -> Path:
    """The files of a network that are safe to open; config.json last, for without it the network does not count as installed."""
    tensors = sorted(source.glob("*.safetensors"))
    if not (source / "config.json").is_file() or not tensors:
        raise SetupFailure(
            "weights-damaged", f"{source} is not the network that '{entry.name}' means.",
            "It needs config.json and model.safetensors; pickled weights are not opened.", f"Take the whole folder from {entry.address}.",
        )
    target = weights_folder() / entry.file
    names = [*(path.name for path in tensors), "model.safetensors.index.json", "preprocessor_config.json", "config.json"]
    for old in (target / "config.json", *target.glob("*.safetensors")):
        old.unlink(missing_ok=True)
    (target / "preprocessor_config.json").unlink(missing_ok=True)
    for name in names:
        if (source / name).is_file():
            with beside(target / name) as fresh:
                shutil.copyfile(source / name, fresh)
    with beside(target.with_name(f"{target.name}.sha256")) as fresh:
        fresh.write_text(digest(target) + "\n", encoding="ascii")
    return target


def fetch(name: str, tell: Callable[[int, int], None] = lambda done, total: None) -> Path:
    """Download an entry, going on where a broken download stopped. Called only when the user has asked for this very file.

    `tell` hears bytes done and bytes in all.
    """
    entry = table()[name]
    if not entry.address or not entry.sha256:
        raise SetupFailure(
            "weights-missing", f"'{name}' cannot be fetched.", "No address with a checksum is published for it.",
            f"Get it from its authors{' at ' + entry.address if entry.address else ''}, then `python -m engine weights import {name} "
            f"{entry.form}`.",
        )
    target = weights_folder() / entry.file
    part = target.with_name(f".{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    _download(entry, part, tell)
    if digest(part) != entry.sha256:
        part.unlink()
        raise SetupFailure("weights-damaged", f"The download of '{name}' is damaged.", "Its checksum differs.", "Try again.")
    os.replace(part, target)
    return target


def _download(entry: Weights, part: Path, tell: Callable[[int, int], None]) -> None:
    """The bytes that `part` wants yet; what has come stays there when the connection breaks."""
    here = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(entry.address, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            here = here if reply.status == 206 else 0  # a server that cannot go on sends all of it again
            total = here + int(reply.headers.get("Content-Length") or 0)
            with open(part, "ab" if here else "wb") as file:
                while block := reply.read(BLOCK):
                    here += file.write(block)
                    tell(here, total)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send: the checksum says whether that is right
            return
        raise SetupFailure("weights-missing", f"'{entry.name}' could not be fetched.", f"{entry.address} answers {error}.", "Try again later.") from error
    except OSError as error:
        raise _broken(entry, str(error)) from error
    if here < total:
        raise _broken(entry, f"{here} of {total} bytes have come")


def _broken(entry: Weights, why: str) -> SetupFailure:
    return SetupFailure(
        "weights-missing", f"The download of '{entry.name}' was broken off.", f"{why[:1].upper()}{why[1:].rstrip('.')}.",
        "Fetch it again: it goes on where it stopped.",
    )


def main(argv: list[str]) -> int:
    """`weights list`, `weights fetch NAME`, `weights import NAME FILE-OR-FOLDER`."""
    parser = argparse.ArgumentParser(prog="python -m engine weights")
    parser.add_argument("what", choices=("list", "fetch", "import"))
    parser.add_argument("name", nargs="?", choices=sorted(table()))
    parser.add_argument("file", nargs="?", type=Path)
    given = parser.parse_args(argv)
    if given.what == "list":
        for entry in table().values():
            licence = entry.licence if entry.commercial else f"{entry.licence}, not commercial"
            print(f"{entry.name:<24} {_state(entry.name):<14} {entry.size / 1e6:7.1f} MB  {licence:<28} {entry.purpose}")
        return 0
    if given.name is None or (given.what == "import" and given.file is None):
        parser.error("name the weights, and for import the file")
    try:
        print(fetch(given.name, _count) if given.what == "fetch" else install(given.name, given.file))
    except (SetupFailure, OSError) as failure:
        parser.exit(1, f"engine weights: {failure}\n")
    return 0


def _state(name: str) -> str:
    try:
        return "installed" if find(name) else "not installed"
    except SetupFailure:
        return "damaged"


def _count(done: int, total: int) -> None:
    """The line that pip prints too."""
    print(f"Progress {done} of {total}", flush=True)
