"""Work of seconds in slices of time, between which Blender looks at its windows. Imports bpy."""

from __future__ import annotations

import time
from collections.abc import Generator

import bpy

from . import jobs
from .languages import say

Steps = Generator[tuple[float, str], None, None]  # the part that is done, and what is being done

SLICE = 0.02  # s of work between two looks of Blender at its windows
LOOKING = {"MOUSEMOVE", "INBETWEEN_MOUSEMOVE", "MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM", "WINDOW_DEACTIVATE"}


class InSlices:
    """Operators that work in steps: execute() waits for all of them; after invoke() Blender stays awake, and Esc ends them between two."""

    def begin(self, context: bpy.types.Context) -> Steps | None:
        """The work, which puts back in a `finally` what it changes on the way; None after telling why there is nothing to do."""
        raise NotImplementedError

    def doing(self) -> str:
        """In words, before what the steps say, in the status bar."""
        raise NotImplementedError

    def tell(self, context: bpy.types.Context) -> None:
        """Called after the last step."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """All at once."""
        steps = self.begin(context)
        if steps is None:
            return {"CANCELLED"}
        for _ in steps:
            pass
        self.tell(context)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Begin, and come back with every tick of a timer."""
        self._steps = self.begin(context)
        if self._steps is None:
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.modal_handler_add(self)
        context.window_manager.progress_begin(0, 1)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """One slice."""
        if event.type == "ESC":
            return self._leave(context, {"CANCELLED"})
        if event.type != "TIMER":
            # Looking around is fine; an undo or a deletion now would take away what is being worked on.
            return {"PASS_THROUGH"} if event.type in LOOKING else {"RUNNING_MODAL"}
        until = time.perf_counter() + SLICE
        for part, note in self._steps:
            context.window_manager.progress_update(part)
            context.workspace.status_text_set(f"{self.doing()}: {say(note)}" if note else None)
            if time.perf_counter() > until:
                return {"RUNNING_MODAL"}
        self.tell(context)
        return self._leave(context, {"FINISHED"})

    def _leave(self, context: bpy.types.Context, how: set[str]) -> set[str]:
        self._steps.close()
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
        jobs.redraw(footage=True)
        return how
