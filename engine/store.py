"""The store: results by address, complete or absent. Written beside, renamed into place, done.json last.

    store/<stage>/<address>/            a finished result: its files and done.json
    store/<stage>/<address>.part/       one in the making, kept over a crash so that it can go on where it stopped
    store/<stage>/<address>.lock        held (by the operating system) while a process writes there
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Iterator

from .contract import cache
from .contract.cache import DONE


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path to write to, renamed to `path` when the block ends well: a crash leaves no half-written file."""
    fresh = path.with_name(f".writing-{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield fresh
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """An open file, renamed to `path` when the block ends well; NumPy needs one, for to mere names it appends its own ending."""
    with beside(path) as fresh, open(fresh, "wb") as file:
        yield file


def link(source: Path, target: Path) -> None:
    """Lay a file down once more: the same one, or a copy where it lies on another disk, or on one without links."""
    with beside(target) as fresh:
        try:
            os.link(source, fresh)
        except OSError:
            shutil.copyfile(source, fresh)


def write_json(path: Path, content: Any) -> None:
    """JSON with sorted keys, written beside and renamed."""
    with beside(path) as fresh:
        fresh.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")


def read_json(path: Path) -> Any:
    """What write_json wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


class Store:
    """A folder of results. `room` is a context: it yields the folder to write into, and finishes it."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def find(self, stage: str, address: str) -> Path | None:
        """The finished result, or None. One that has lost a part since is none either, for nobody: it will be made anew."""
        folder = self.root / stage / address
        if cache.whole(folder):
            return folder
        (folder / DONE).unlink(missing_ok=True)
        return None

    def summary(self, stage: str, address: str) -> dict[str, Any]:
        """What the stage said of itself when it finished."""
        return read_json(self.root / stage / address / DONE)

    @contextmanager
    def room(self, stage: str, address: str) -> Iterator[Path]:
        """The unfinished folder of a result, locked; what an earlier run left in it is still there."""
        part = self._part(stage, address)
        part.parent.mkdir(parents=True, exist_ok=True)
        with cache.locked(cache.lock_of(part)):
            part.mkdir(exist_ok=True)
            for file in list(part.rglob("*")):  # half written, or emptied by a power cut
                if file.is_file() and (file.name.startswith(".writing-") or not file.stat().st_size):
                    file.unlink()
            try:
                yield part
            finally:
                if part.is_dir() and not any(part.iterdir()):  # nothing was begun, or the result was made meanwhile
                    part.rmdir()

    def finish(self, stage: str, address: str, summary: dict[str, Any]) -> Path:
        """Seal an unfinished folder: done.json last, then the rename."""
        part, folder = self._part(stage, address), self.root / stage / address
        (part / DONE).unlink(missing_ok=True)  # of a process that died right here
        write_json(part / DONE, {**summary, "bytes": cache.size(part)})
        if folder.exists():  # an interrupted removal
            shutil.rmtree(folder)
        os.replace(part, folder)
        return folder

    def _part(self, stage: str, address: str) -> Path:
        return self.root / stage / f"{address}{cache.PART}"

    def sizes(self) -> dict[str, int]:
        """Bytes held by each stage."""
        stages = sorted(entry for entry in self.root.iterdir() if entry.is_dir()) if self.root.is_dir() else []
        return {stage.name: cache.size(stage) for stage in stages}
