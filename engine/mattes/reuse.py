"""The mattes room, what earlier mattes of the same shot have in common with these; standard library only.

Each file is remembered with a digest of what it was made from. Where an earlier result holds a file of the same digest it is linked in,
so that a corrected mask or another choice of subjects makes anew only the frames that it changes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..contract import cache
from ..store import link, read_json, write_json

MADE = ".made.json"  # hidden, so that it is not published
MOST = 8  # earlier results that are looked at, newest first


class Reuse:
    """The files of a room, and those of finished results beside it. `ground` is what all of them depend on."""

    def __init__(self, room: Path, ground: str) -> None:
        self._room, self._ground = room, ground
        self._made: dict[str, str] = {}
        done = [entry.parent for entry in room.parent.glob(f"*/{MADE}") if cache.whole(entry.parent)] if room.parent.is_dir() else []
        done.sort(key=lambda folder: (-folder.stat().st_mtime, folder.name))
        self._earlier = {digest: folder / name for folder in done[:MOST][::-1] for name, digest in read_json(folder / MADE).items()}

    def has(self, path: Path, *parts: bytes | str) -> bool:
        """Whether the file stands, here already or now linked from an earlier result; `parts` is what it is made from."""
        text = [self._ground.encode(), *(part if isinstance(part, bytes) else part.encode() for part in parts)]
        digest = hashlib.blake2b(b"\0".join(hashlib.blake2b(part).digest() for part in text), digest_size=12).hexdigest()
        self._made[path.relative_to(self._room).as_posix()] = digest
        known = self._earlier.get(digest)
        if not path.is_file() and known is not None and known.is_file():
            link(known, path)
        return path.is_file()

    def close(self) -> None:
        """Keep what the files were made from, for results to come."""
        write_json(self._room / MADE, self._made)
