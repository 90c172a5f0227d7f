"""Cancel: Ctrl-C, a signal from Blender, or the death of the parent ends the engine at once, in the middle of anything.

Nothing has to be tidied: every file is renamed into place, so what is finished stays and what is not does not exist.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import threading
from typing import Callable

CANCELLED = 130  # exit status, as shells give it for Ctrl-C


def watch(stop: Callable[[], None]) -> None:
    """Call `stop` and leave when a signal comes or a parent that holds our stdin is gone.

    The signal wakes a thread through a socket, so that it counts even while the main thread sits in a long C call.
    """
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    keep = waker  # the descriptor must outlive this function

    def on_signal() -> None:
        woken.recv(1)
        _leave(stop, keep)

    def on_parent_gone() -> None:
        sys.stdin.buffer.read()
        _leave(stop)

    threading.Thread(target=on_signal, daemon=True).start()
    if _held_by_parent():
        threading.Thread(target=on_parent_gone, daemon=True).start()


def _held_by_parent() -> bool:
    """Whether stdin is a pipe: a terminal or /dev/null ends for other reasons than a parent's death."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    except (OSError, ValueError, AttributeError):
        return False


def _leave(stop: Callable[[], None], *_: object) -> None:
    try:
        stop()
    finally:
        os._exit(CANCELLED)
