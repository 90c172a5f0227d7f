"""Set-up, move and fetching as the panels see them: a thread that works, a timer that tells. Imports bpy and environment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from . import environment, jobs, preferences, weights
from .languages import say

LOCKS = preferences.ROOT / "engine" / "locks"


class Work:
    """One thing under way or ended, in a thread of its own. `result` is what the engine measured of itself."""

    def __init__(self, note: str, act: Callable[[Work], None], then: Callable[[Work], None] = lambda work: None) -> None:
        self.lines: deque[str] = deque(maxlen=200)
        self.note, self.part = note, 0.0
        self.what, self.bytes = "", (0, 0)  # what is fetched just now, and how much of it is here
        self.failure: environment.EnvironmentFailure | None = None
        self.cancelled, self.ended = False, False
        self.result: dict[str, Any] = {}
        self._act, self._then = act, then
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Stop; what was downloaded is kept for the next try."""
        self.cancelled = True

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()
        self.settle()

    def settle(self) -> None:
        """What has to be done in Blender's own thread after it ended well; once."""
        then, self._then = self._then, lambda work: None
        if self.ended and self.failure is None and not self.cancelled:
            then(self)

    def line(self, line: str) -> None:
        """A line of pip."""
        self.lines.append(line)
        words = line.split()
        if words[:1] == ["Collecting"] and len(words) > 1:
            self.note, self.what, self.part = "Fetching", words[1], min(0.6, self.part + 0.02)
        elif words[:1] == ["Installing"]:
            self.note, self.what, self.part = "Installing the packages", "", max(0.7, self.part)
            self.bytes = (0, 0)

    def progress(self, done: int, total: int) -> None:
        """Bytes of the running download."""
        self.bytes = (done, total)

    def told(self) -> str:
        """What is being done, in the user's language."""
        done, total = self.bytes
        return f"{say(self.note)} {self.what}" + (f": {done / 1e6:.0f} / {total / 1e6:.0f} MB" if total else "")

    def prove(self, python: Path) -> None:
        """Let the engine show that it works."""
        self.note, self.what, self.bytes, self.part = "Proving that the engine works", "", (0, 0), 0.97
        self.result = environment.verify(python, preferences.ROOT)

    def _work(self) -> None:
        try:
            self._act(self)
        except environment.EnvironmentFailure as failure:
            self.failure = failure
        except environment.Cancelled:
            self.cancelled = True
        except OSError as error:
            self.failure = environment.EnvironmentFailure("That did not work.", str(error), "Check the free space and the rights on the folder.")
        self.ended = True


_current: Work | None = None


def current() -> Work | None:
    """What is under way, or the last one."""
    return _current


def busy() -> bool:
    """Whether something is under way."""
    return _current is not None and not _current.ended


def lock() -> Path:
    """The lock that the engine is made from: the kit's where there is a kit, else the one for this machine."""
    kit = preferences.path_of("kit")
    return (environment.lock_of_kit(kit, LOCKS) if kit else None) or environment.choose(LOCKS)[0]


def start(again: bool = False, then: Callable[[Work], None] = lambda work: None) -> Work:
    """Make or repair the engine; the caller has asked the user. `then` is done in Blender's own thread when it works."""
    folder, chosen, kit = preferences.engine_folder(), lock(), preferences.path_of("kit")
    how = {"python": preferences.path_of("base_python"), "kit": kit, "downloads": preferences.user_folder("downloads")}
    make = environment.repair if again else environment.make

    def act(work: Work) -> None:
        work.prove(make(folder, chosen, work.line, on_progress=work.progress, cancelled=lambda: work.cancelled, **how))

    return _begin(Work("Starting", act, then))


def move(target: Path) -> Work:
    """Take the engine to another folder, and remember it there."""
    folder = preferences.engine_folder()
    return _begin(Work("Moving the engine", lambda work: work.prove(environment.move(folder, target)), lambda work: preferences.remember_engine(target)))


def fetch(name: str) -> Work:
    """Fetch one network's weights; the caller has asked the user."""
    python = preferences.engine_python()

    def act(work: Work) -> None:
        def tell(done: int, total: int) -> None:
            work.progress(done, total)
            work.part = done / max(1, total)

        weights.fetch(python, preferences.ROOT, name, tell, lambda: work.cancelled)

    return _begin(Work("Fetching the network", act))


def _begin(work: Work) -> Work:
    global _current
    _current = work
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)
    return work


def _tick() -> float | None:
    jobs.redraw()
    if busy():
        return jobs.TICK
    if _current is not None:
        _current.settle()
    return None


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
