"""The set-up of the engine's Python as the panels see it: a thread that works, a timer that tells. Imports bpy and environment."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import bpy

from . import environment, jobs, preferences

LOCKS = preferences.ROOT / "engine" / "locks"


class Setup:
    """One set-up under way or ended. `result` is what the engine measured of itself."""

    def __init__(self, folder: Path, lock: Path, downloads: Path, python: str, kit: str, again: bool) -> None:
        self.lines: deque[str] = deque(maxlen=200)
        self.note, self.part = "Starting", 0.0
        self.failure: environment.EnvironmentFailure | None = None
        self.cancelled, self.ended = False, False
        self.result: dict[str, Any] = {}
        self.began = time.monotonic()
        self._how = {"python": python or None, "kit": Path(kit) if kit else None, "downloads": downloads}
        self._thread = threading.Thread(target=self._work, args=(folder, lock, again), daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Stop; what was downloaded is kept for the next try."""
        self.cancelled = True

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _work(self, folder: Path, lock: Path, again: bool) -> None:
        try:
            work = environment.repair if again else environment.make
            python = work(folder, lock, self._line, on_progress=self._progress, cancelled=lambda: self.cancelled, **self._how)
            self.note, self.part = "Proving that the engine works", 0.97
            self.result = environment.verify(python, preferences.ROOT)
        except environment.EnvironmentFailure as failure:
            self.failure = failure
        except environment.Cancelled:
            self.note = "Cancelled"
        except OSError as error:
            self.failure = environment.EnvironmentFailure(
                "The engine could not be set up.", str(error), "Check the free space and the rights on the folder.",
            )
        self.ended = True

    def _line(self, line: str) -> None:
        self.lines.append(line)
        words = line.split()
        if words[:1] == ["Collecting"] and len(words) > 1:
            self.note, self.part = f"Fetching {words[1]}", min(0.6, self.part + 0.02)
        elif words[:1] == ["Installing"]:
            self.note, self.part = "Installing the packages", max(0.7, self.part)

    def _progress(self, done: int, total: int) -> None:
        self.note = f"{self.note.split(':')[0]}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"


_current: Setup | None = None


def current() -> Setup | None:
    """The set-up under way, or the last one."""
    return _current


def start(again: bool = False) -> Setup:
    """Begin; the caller has asked the user."""
    global _current
    lock, _ = environment.choose(LOCKS)
    chosen = preferences.get()
    _current = Setup(
        preferences.engine_folder(), lock, preferences.user_folder("downloads"),
        bpy.path.abspath(chosen.base_python) if chosen.base_python else "", bpy.path.abspath(chosen.kit) if chosen.kit else "", again,
    )
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)
    return _current


def _tick() -> float | None:
    jobs.redraw()
    return None if _current is None or _current.ended else jobs.TICK


def register() -> None:
    """Nothing is set up by itself."""


def unregister() -> None:
    """A switched-off add-on installs nothing more."""
    global _current
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _current is not None:
        _current.cancel()
    _current = None
