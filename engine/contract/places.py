"""The contract's places outside a job: the cache and the weights that are installed there; standard library only."""

from __future__ import annotations

import os
from pathlib import Path


def default_store() -> str:
    """The cache of the command line; Blender names its own."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return os.path.join(base, "unflatten")


def weights_folder() -> Path:
    """Where weights lie; UNFLATTEN_WEIGHTS overrides."""
    return Path(os.environ.get("UNFLATTEN_WEIGHTS") or Path(default_store()) / "weights")


def installed(files: tuple[str, ...]) -> str:
    """The first of these files, or of these folders of a network, that is installed, or ''."""
    return next((str(path) for path in (weights_folder() / file for file in files) if path.is_file() or (path / "config.json").is_file()), "")
