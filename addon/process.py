"""The engine's process: starts it, reads its lines, cancels it, notices its death. Imports the contract; no bpy."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from ..engine.contract import CONTRACT, messages
from .environment import clean_environment

PATIENCE = 3.0  # s that a cancelled engine gets to leave by itself
SILENCE = 60.0  # s without a sign of life after which the user is told
NICENESS = 5  # of the engine behind Blender: at 10 windows were hardly quicker, and the work took half as long again


class Engine:
    """One run of `python -m engine JOB.json`. Ask `messages()` regularly; the last one is Done or Cancelled.

    `behind`: it steps back where Blender wants the processor, so that windows stay quick while it works.
    """

    def __init__(self, python: str | Path, root: Path, job: Path, behind: bool = False) -> None:
        self.ended = False
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._words: deque[str] = deque(maxlen=40)  # its last lines on stderr
        self._greeted, self._finished = False, False
        self._cancelled_at = 0.0
        self._heard_at = time.monotonic()
        self._told_of_silence = False
        try:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                [str(python), "-m", "engine", str(job)], cwd=root, env=clean_environment(), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **_apart(behind),
            )
            if behind:
                _step_back(self._process.pid)
        except OSError as error:
            self._process = None
            self._words.append(str(error))
            self._lines.put(None)
            return
        self._readers = [
            threading.Thread(target=self._read, args=(stream, take), daemon=True)
            for stream, take in ((self._process.stdout, self._lines.put), (self._process.stderr, self._words.append))
        ]
        for reader in self._readers:
            reader.start()

    def messages(self) -> list[Any]:
        """What the engine has said since the last call; never blocks."""
        heard: list[Any] = []
        while not self.ended:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                break
            heard += self._take(line) if line is not None else self._bury()
        self._watch(heard)
        return heard

    def cancel(self) -> None:
        """Ask it to stop; what is finished stays."""
        if self._process is None or self.ended or self._cancelled_at:
            return
        self._cancelled_at = time.monotonic()
        try:
            self._process.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT)
            self._process.stdin.close()
        except OSError:
            pass  # it was faster

    def kill(self) -> None:
        """End it and all that it started, now."""
        if self._process is None:
            return
        try:
            if os.name == "nt":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        except OSError:
            pass

    def _read(self, stream: Any, take: Any) -> None:
        for line in stream:
            take(line.decode("utf-8", "replace").rstrip())
        if take == self._lines.put:
            self._lines.put(None)

    def _take(self, line: str) -> list[Any]:
        self._heard_at, self._told_of_silence = time.monotonic(), False
        message = messages.from_line(line)
        if message is None:  # a stray print, or a newer engine's word
            return []
        if not self._greeted:
            return self._greet(message)
        self._finished = isinstance(message, (messages.Done, messages.Cancelled))
        return [] if isinstance(message, messages.Heartbeat) else [message]

    def _greet(self, message: Any) -> list[Any]:
        spoken = getattr(message, "contract", None)
        if spoken == CONTRACT:
            self._greeted = True
            return [message]
        self.kill()
        self.ended = True
        return [messages.Failed(
            "wrong-contract", f"The engine speaks contract {spoken}, this add-on {CONTRACT}.",
            "Engine and add-on are of different releases.", "Set the engine up again in the add-on's preferences.",
        ), messages.Done(["engine"])]

    def _bury(self) -> list[Any]:
        """stdout has ended: the process is gone or about to go."""
        self.ended = True
        status = "it did not start"
        if self._process is not None:
            try:
                status = f"status {self._process.wait(PATIENCE)}"
            except subprocess.TimeoutExpired:
                self.kill()
                status = "it hung at its end"
        if self._finished:
            return []
        if self._cancelled_at:
            return [messages.Cancelled()]
        if self._process is not None:
            self._readers[1].join(1.0)  # the last words arrive on another stream
        last = _telling(self._words)
        return [messages.Failed(
            "engine-died", f"The engine ended early ({status}).", last,
            "Run again: finished frames are kept. If it stays, repair the engine in the add-on's preferences.",
        ), messages.Done(["engine"])]

    def _watch(self, heard: list[Any]) -> None:
        now = time.monotonic()
        if self._cancelled_at and not self.ended and now - self._cancelled_at > PATIENCE:
            self.kill()
        if not self.ended and not self._told_of_silence and now - self._heard_at > SILENCE:
            self._told_of_silence = True
            heard.append(messages.Warning(f"The engine has not answered for {SILENCE:.0f} s; cancel if this goes on."))


def _apart(behind: bool) -> dict[str, Any]:
    """Popen arguments of a process group of its own, which can be interrupted and ended as a whole."""
    if os.name == "nt":
        quiet = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": quiet | subprocess.BELOW_NORMAL_PRIORITY_CLASS if behind else quiet}
    # A group, not a session: Linux shares the processor out between sessions first, and niceness counts only within one.
    return {"process_group": 0}


def _step_back(process: int) -> None:
    """Let a process that has just been started, and what it will start, wait for this one; on Windows its start said so."""
    if os.name != "nt":
        with contextlib.suppress(OSError):  # it is gone already
            os.setpriority(os.PRIO_PROCESS, process, min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS))


def _telling(words: deque[str]) -> str:
    """The line that tells most: the last that names an error, else the last."""
    said = [line.strip() for line in words if line.strip()] or ["It said nothing."]
    return next((line for line in reversed(said) if re.match(r"[\w.]*(Error|Exception|Fatal|NotFound)", line)), said[-1])
