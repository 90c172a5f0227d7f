"""The room that knows Blender: everything it registers, in order. Nothing here knows pixels."""

from __future__ import annotations

from . import command, exports, jobs, operators, panels, preferences, report, settings, setup
from .rigs import buttons, world

ROOMS = (settings, preferences, jobs, setup, operators, panels, buttons, world, exports, report, command)


def register() -> None:
    """Called by Blender when the extension is switched on."""
    for room in ROOMS:
        room.register()


def unregister() -> None:
    """Called by Blender when the extension is switched off: nothing of it stays."""
    for room in reversed(ROOMS):
        room.unregister()
