"""Rigs: picking places on the plate by click; a mixin of operators."""

from __future__ import annotations

import bpy


class Eyedropper:
    """The pointer and the status bar of an operator that waits for clicks, and where a click falls."""

    def begin(self, context: bpy.types.Context, hint: str) -> set[str]:
        """Wait for clicks, with a hint in the status bar."""
        context.window.cursor_modal_set("EYEDROPPER")
        context.workspace.status_text_set(hint)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def leave(self, context: bpy.types.Context, how: set[str]) -> set[str]:
        """Give pointer and status bar back, and end with `how`."""
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        return how


def place_on_plate(context: bpy.types.Context, event: bpy.types.Event) -> tuple[float, float] | None:
    """Where an event lies on the plate: parts of its size from the top left; None beside it."""
    region = next(it for it in context.area.regions if it.type == "WINDOW")
    across, up = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
    return (across, 1 - up) if 0 <= across <= 1 and 0 <= up <= 1 else None
