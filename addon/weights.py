"""Pretrained networks as the preferences show them: what each is, its size and licence, and whether it is here. No bpy; reads engine/weights.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..engine.contract import places
from . import environment

TABLE = Path(__file__).resolve().parent.parent / "engine" / "weights.toml"


@dataclass(frozen=True)
class Entry:
    """One network. It can be fetched where its authors publish an address and a checksum is known; else a copy is imported."""

    name: str
    purpose: str
    licence: str
    size: int  # bytes, about
    address: str
    can_be_fetched: bool
    commercial: bool
    file: str

    @property
    def installed(self) -> bool:
        """Whether it is here."""
        return bool(places.installed((self.file,)))


@lru_cache(maxsize=1)
def table() -> dict[str, Entry]:
    """Every entry by name."""
    content = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {
        name: Entry(
            name, about["purpose"], about["licence"], about.get("size", 0), about.get("address", ""),
            bool(about.get("address") and about.get("sha256")), about.get("commercial", True), about["file"],
        )
        for name, about in content.items()
    }


def fetch(python: Path, root: Path, name: str, on_progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> None:
    """Let the engine download and verify it; `on_progress` hears bytes done and in all."""
    on_line = environment.split_progress(lambda line: None, on_progress)
    environment.run([str(python), "-m", "engine", "weights", "fetch", name], on_line, cancelled, f"'{name}' could not be fetched.", root=root)


def take(python: Path, root: Path, name: str, file: str) -> None:
    """Let the engine verify and copy a file that the user has."""
    command = [str(python), "-m", "engine", "weights", "import", name, file]
    environment.run(command, lambda line: None, lambda: False, f"'{name}' could not be imported.", "Choose the file that its authors publish.", root)
