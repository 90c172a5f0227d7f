"""How the engine speaks: one JSON line per message on the real stdout, which nothing else can reach."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any, Callable

from .contract import messages

HEARTBEAT = 2.0  # s between signs of life


class Say:
    """Sends messages to `write`; thread-safe. Stray prints of any library land on stderr from here on."""

    def __init__(self, write: Callable[[Any], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._closed = False

    def __call__(self, message: Any) -> None:
        """Send one message; after the last one (Done, Cancelled) nothing more goes out."""
        with self._lock:
            if self._closed:
                return
            self._closed = isinstance(message, (messages.Done, messages.Cancelled))
            self._write(message)

    def beat(self) -> None:
        """Start the heartbeat, which ends with the process."""
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while not self._closed:
            time.sleep(HEARTBEAT)
            self(messages.Heartbeat())


def take_stdout() -> Any:
    """The real stdout as a text file; fd 1 now points at stderr, also for C libraries."""
    sys.stdout.flush()
    ours = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return ours


def json_lines() -> Say:
    """Messages as JSON lines on the real stdout."""
    out = take_stdout()

    def write(message: Any) -> None:
        out.write(messages.to_line(message) + "\n")
        out.flush()

    return Say(write)
