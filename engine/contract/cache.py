"""The cache as both worlds see it: what is finished and whole, what nobody works on any more, and the broom; standard library only."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Iterator

DONE = "done.json"  # in every finished result
PART = ".part"  # at the end of the name of one in the making


def clean(store: Path, older_than_days: float = 0.0) -> int:
    """Remove results not touched for so long, and what cancelled runs left; returns bytes freed. What a process holds stays."""
    before, freed = time.time() - older_than_days * 86400, 0
    for done in list(store.glob(f"*/*/{DONE}")):
        if not done.parent.name.endswith(PART) and done.stat().st_mtime <= before:
            freed += size(done.parent)
            done.unlink()  # first: half a removal is none
            shutil.rmtree(done.parent, ignore_errors=True)
    for part in [it for it in store.glob(f"*/*{PART}") if it.is_dir()]:
        with open(lock_of(part), "a+b") as file:
            if try_lock(file) and part.is_dir() and part.stat().st_mtime <= before:
                freed += size(part)
                shutil.rmtree(part, ignore_errors=True)
    return freed


def whole(folder: Path) -> bool:
    """Whether a result is finished and holds what it was sealed with: after a power cut, or on a failing disk, it may hold less."""
    try:
        done = (folder / DONE).read_bytes()
        return size(folder) - len(done) >= json.loads(done).get("bytes", 0)  # more is what file managers leave in folders
    except (OSError, ValueError):
        return False


def size(folder: Path) -> int:
    """Bytes of all files in a folder and below."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # it went meanwhile
                pass
    return total


def lock_of(part: Path) -> Path:
    """The file that is held while a process writes into an unfinished result."""
    return part.with_suffix(".lock")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """An exclusive lock that the operating system lets go when its holder dies."""
    with open(path, "a+b") as file:
        while not try_lock(file):
            time.sleep(0.2)
        yield


def try_lock(file: BinaryIO) -> bool:
    """Take the lock of an open file, or say that another has it."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
