"""The room that knows Blender: everything it registers, in order. Nothing here knows pixels."""

from __future__ import annotations

from . import (
    canvas,
    command,
    desk,
    drawn,
    exports,
    imports,
    jobs,
    languages,
    live,
    moving,
    operators,
    panels,
    preferences,
    report,
    settings,
    setup,
    subjects,
    upkeep,
)
from .rigs import buttons, world

ROOMS = (
    languages, settings, preferences, jobs, setup, imports, operators, upkeep, desk, panels, subjects, canvas, drawn, moving, buttons, world, exports, report,
    live, command,
)


def register() -> None:
    """Called by Blender when the extension is switched on."""
    for room in ROOMS:
        room.register()


def unregister() -> None:
    """Called by Blender when the extension is switched off: nothing of it stays."""
    for room in reversed(ROOMS):
        room.unregister()
