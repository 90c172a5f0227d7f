"""Rigs: picking places on the plate by click; a mixin of operators."""

from __future__ import annotations

import bpy

from ..canvas import canvas_of
from ..clips import in_editor
from ..languages import say


class Eyedropper:
    """Operators that wait for `count` clicks on the plate in the Movie Clip Editor, and execute with these; elsewhere they execute at once."""

    count = 1

    def take(self, places: list[float]) -> None:
        """x and y of each click: parts of the plate's size from the top left."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait for clicks, with a hint in the status bar."""
        if in_editor(context) is None:
            return self.execute(context)
        if canvas_of(self, context) is None:
            return {"CANCELLED"}
        self._places: list[float] = []
        context.window.cursor_modal_set("EYEDROPPER")
        one, more = say("click on the plate; Esc leaves"), say("click {count} places on the plate; Esc leaves", count=self.count)
        self._hint(context, one if self.count == 1 else more)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take clicks on the plate; let everything else pass."""
        if event.type in {"ESC", "RIGHTMOUSE"}:
            return self._leave(context, {"CANCELLED"})
        if event.type != "LEFTMOUSE" or event.value != "PRESS":
            return {"PASS_THROUGH"}
        self._places += place_on_plate(context, event) or ()
        left = self.count - len(self._places) // 2
        if left:
            self._hint(context, say("{count} more; Esc leaves", count=left))
            return {"RUNNING_MODAL"}
        self.take(self._places)
        return self._leave(context, self.execute(context))

    def _hint(self, context: bpy.types.Context, hint: str) -> None:
        context.workspace.status_text_set(f"{say(self.bl_label)}: {hint}")

    def _leave(self, context: bpy.types.Context, how: set[str]) -> set[str]:
        """Give pointer and status bar back, and end with `how`."""
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        return how


def place_on_plate(context: bpy.types.Context, event: bpy.types.Event) -> tuple[float, float] | None:
    """Where an event lies on the plate: parts of its size from the top left; None beside it."""
    region = next(it for it in context.area.regions if it.type == "WINDOW")
    across, up = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
    return (across, 1 - up) if 0 <= across <= 1 and 0 <= up <= 1 else None
