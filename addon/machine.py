"""What this machine offers, and how large folders are, looked up beside the drawing so that no panel waits. Standard library and the contract; no bpy."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..engine.contract import cache
from .environment import hidden

T = TypeVar("T")


class Looked(Generic[T]):
    """An answer that takes time: asked in a thread, believed for some seconds; None until the first one is there."""

    def __init__(self, look: Callable[[], T], age: float) -> None:
        self._look, self._age = look, age
        self._value: T | None = None
        self._at, self._asking = -1e9, False

    def get(self) -> T | None:
        """The last answer; an old one is asked for again meanwhile."""
        if not self._asking and time.monotonic() - self._at > self._age:
            self._asking = True
            threading.Thread(target=self._ask, daemon=True).start()
        return self._value

    def forget(self) -> None:
        """What was looked at has changed."""
        self._at = -1e9

    def _ask(self) -> None:
        try:
            self._value = self._look()
        finally:
            self._at, self._asking = time.monotonic(), False


def memory_free() -> int:
    """Bytes of memory that programs may still take; 0 where the system does not tell."""
    try:
        if sys.platform == "win32":
            return _free_on_windows()
        if sys.platform == "darwin":
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2  # macOS hands out what it caches; half is a safe guess
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, AttributeError):
        pass
    return 0


def _free_on_windows() -> int:
    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong), *((name, ctypes.c_ulonglong) for name in "abcdefg")]

    status = Status()
    status.length = ctypes.sizeof(status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.b)  # physical memory that is available


def card() -> tuple[str, int]:
    """Name and free bytes of the NVIDIA card whose driver answers; ('', 0) where none does."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return "", 0
    ask = [tool, "--query-gpu=name,memory.free", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=20, **hidden()).stdout.strip().splitlines()
    except (OSError, subprocess.SubprocessError):
        return "", 0
    name, _, free = said[0].rpartition(",") if said else ("", "", "")
    return name.strip(), int(free) << 20 if free.strip().isdigit() else 0


CARD: Looked[tuple[str, int]] = Looked(card, 20.0)
_sizes: dict[Path, Looked[Any]] = {}


def size_seen(folder: Path) -> int | None:
    """Bytes of all files in a folder without waiting: a size of some seconds ago, or None until it is counted."""
    return _sizes.setdefault(folder, Looked(lambda: cache.size(folder), 15.0)).get()


def forget_sizes() -> None:
    """Folders have changed."""
    for looked in _sizes.values():
        looked.forget()
