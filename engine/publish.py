"""Results out of the store into the user's folder, under names that never change; linked where the disk allows it."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Iterator

from .store import DONE, link, read_json, write_json

# want -> (stage, folder inside the user's)
PLACES = {
    "camera": (("orient", "camera"), ("frames", "frames")),
    "depth": (("consistent_depth", "depth"),),
    "cloud": (("cloud", "cloud"),),
    "mattes": (("mattes", "mattes"),),
    "slowmo": (("interpolate", "slowmo"), ("retime", "slowmo")),
    "export": (("export", "export"),),
}
LARGE = "frames"  # its pictures are for programs that read the clip otherwise: linked, never copied; clip.json tells whether
MANIFEST = ".unflatten.json"  # what an earlier run laid here, so that it can be taken away again


def publish(folders: dict[str, Path], wants: tuple[str, ...], out: Path) -> None:
    """Lay the results of `wants` into `out`; files of an earlier run of the same want that are no more are removed."""
    out.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, list[str]] = read_json(out / MANIFEST) if (out / MANIFEST).is_file() else {}
    for want in wants:
        laid = [target for source, target in _files(folders, want) if _lay(source, out, target)]
        for stale in set(manifest.get(want, [])) - set(laid):
            _remove(out, stale)
        manifest[want] = laid
    write_json(out / MANIFEST, manifest)


def _files(folders: dict[str, Path], want: str) -> Iterator[tuple[Path, str]]:
    for stage, name in PLACES[want]:
        if stage not in folders:
            continue
        root = folders[stage]
        for source in sorted(root.rglob("*")):
            if source.is_file() and source.name != DONE and not source.name.startswith("."):
                yield source, f"{name}/{source.relative_to(root).as_posix()}"


def _lay(source: Path, out: Path, name: str) -> bool:
    """Whether the file is there now."""
    if name.startswith(f"{LARGE}/") and source.suffix == ".png" and not _links(source.parent, out):
        return False
    link(source, out / name)
    return True


@cache
def _links(source: Path, out: Path) -> bool:
    """Whether the disk of `out` can hold links to files of `source`."""
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".unflatten-") as trial:
            os.link(next(path for path in source.iterdir() if path.is_file()), Path(trial) / "link")
    except OSError:
        return False
    return True


def _remove(out: Path, name: str) -> None:
    path = (out / name).resolve()
    if path.is_relative_to(out.resolve()):  # the manifest lies in the user's folder: never trust it outside
        path.unlink(missing_ok=True)


def write_summary(out: Path, content: dict[str, Any]) -> None:
    """summary.json: per stage what was used, seconds, address, figures, warnings."""
    write_json(out / "summary.json", content)
