"""Everything that can go wrong, as the user will read it; imports nothing but the standard library.

    Failure
    ├── ClipFailure        the clip cannot be read              (clip-missing, clip-empty, clip-no-video, clip-damaged, …)
    ├── ShotFailure        the clip does not hold the answer    (no-motion, no-parallax, no-tracks, no-movers, too-short, …)
    ├── ChildFailure       a helper process died                (child-died)
    ├── ResourceFailure    the machine is too small             (no-memory, disk-full, folder-closed, no-device)
    ├── SetupFailure       the installation is not whole        (package-missing, weights-missing, weights-damaged)
    └── RequestFailure     what was asked cannot be             (wrong-option, masks-missing, masks-shape)

Each carries `code, what, why, remedy`, and `change`, a remedy that a button can carry out: {stage: {option: value}}.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

FULL = tuple(getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name))  # the disk, or a user's share of it


class Failure(Exception):
    """One clear sentence each for what, why and remedy."""

    def __init__(self, code: str, what: str, why: str, remedy: str, change: dict[str, dict[str, Any]] | None = None) -> None:
        super().__init__(f"{what} {why} {remedy}")
        self.code, self.what, self.why, self.remedy, self.change = code, what, why, remedy, change or {}
        self.log = ""  # the file that tells more, where there is more to tell
        self.network = ""  # the pretrained network that is missing, by its name in weights.toml


class ClipFailure(Failure):
    """The clip cannot be read."""


class ShotFailure(Failure):
    """The clip was read, but does not hold what was asked of it."""


class ChildFailure(Failure):
    """A process that the engine had started died."""


class ResourceFailure(Failure):
    """The machine has not enough of something."""


class SetupFailure(Failure):
    """The engine's installation is not whole."""


class RequestFailure(Failure):
    """The request contradicts itself or the clip."""


def of_exception(error: BaseException, log: str, folder: Path) -> Failure:
    """Any exception as a Failure, `folder` being where results should go; what nobody foresaw becomes `internal` and names the log file."""
    if isinstance(error, Failure):
        return error
    if getattr(error, "errno", None) in FULL or any(os.strerror(code) in str(error) for code in FULL):  # OpenEXR raises its own kind
        return ResourceFailure(
            "disk-full", "The results could not be written.", "The disk that holds the cache is full.",
            "Free some space and run again: finished frames are kept. Cleaning the cache (`python -m engine cache clean`) takes them too.",
        )
    refused = _refused(folder)
    if refused:
        return ResourceFailure(
            "folder-closed", "The results could not be written.", f"Nothing can be written into {folder}: {refused}.",
            "Choose another folder, or make this one writable, then run again.",
        )
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "not enough memory" in str(error):
        return ResourceFailure(
            "no-memory", "The memory ran out.", "The frames at this size need more than is free.",
            "Run again with smaller frames.", {"frames": {"size": 1280}, "flow": {"size": 512}},
        )
    if isinstance(error, ModuleNotFoundError):
        return SetupFailure(
            "package-missing", "The engine is not complete.", f"The package '{error.name}' is not installed.",
            "Repair the engine in the add-on's preferences, or run `python3 build.py env`.",
        )
    unforeseen = Failure(
        "internal", "Something went wrong inside the engine.", f"{type(error).__name__}: {error}", "The log tells more; please send it with a report.",
    )
    unforeseen.log = log
    return unforeseen


def _refused(folder: Path) -> str:
    """Why nothing can be written there, as the system says it, or ''."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)
