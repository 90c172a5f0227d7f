"""The engine on a terminal: one bar while a stage runs, one line when it is done."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from .contract import messages
from .contract.stages import BY_NAME
from .say import Say

WIDTH = 28


def bar(stream: TextIO = sys.stderr) -> Say:
    """Messages as sentences and a bar for a person's eye."""
    live = stream.isatty()

    def write(message: Any) -> None:
        text = line(message)
        if text is not None:
            stream.write(("\r\x1b[K" if live else "") + text + "\n")
        elif live and isinstance(message, messages.Progress):
            stream.write("\r\x1b[K" + _bar(message))
        stream.flush()

    return Say(write)


def line(message: Any) -> str | None:
    """The lasting line of a message, or None."""
    if isinstance(message, messages.Artifact):
        label = BY_NAME[message.stage].label
        seconds = "reused" if message.reused else f"{message.summary.get('seconds', 0):.1f} s"
        return f"{label:<30} {seconds:>9}  {message.summary.get('used', '')}"
    if isinstance(message, messages.Failed):
        label = BY_NAME[message.stage].label if message.stage in BY_NAME else "Request"
        log = f" {message.log}" if message.log else ""
        return f"{label:<30}    failed  [{message.code}] {message.what} {message.why} {message.remedy}{log}"
    if isinstance(message, messages.Skipped):
        return f"{BY_NAME[message.stage].label:<30}   skipped  needs {BY_NAME[message.because].label}"
    if isinstance(message, messages.Warning):
        return f"  note: {message.text}"
    if isinstance(message, messages.Cancelled):
        return "Cancelled; what is finished is kept."
    return None


def _bar(message: messages.Progress) -> str:
    full = round(WIDTH * message.overall)
    left = "" if message.seconds_left is None else f"  {message.seconds_left:.0f} s left"
    loss = "" if message.loss is None else f"  loss {message.loss:.3g}"
    return f"[{'#' * full}{'.' * (WIDTH - full)}] {BY_NAME[message.stage].label} {message.done}/{message.total}{left} {message.note}{loss}"
