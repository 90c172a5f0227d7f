"""What the artist draws on: the clip, or where Blender reads it otherwise, the frames that stand in for it; and the mask that is meant. Imports bpy."""

from __future__ import annotations

import hashlib
from pathlib import Path

import bpy
from bpy.props import StringProperty

from . import preferences, request
from .clips import clip_of, in_editor
from .importers import footage
from .languages import CONTEXT, say


def mask_of(context: bpy.types.Context) -> bpy.types.Mask | None:
    """The mask that the editor shows, else the only one that no import made."""
    space = context.space_data
    if space is not None and space.type == "CLIP_EDITOR" and space.mask:
        return space.mask
    clip = clip_of(context)
    ours = {entry.mask for entry in clip.unflatten.made if entry.mask} if clip else set()
    drawn = [mask for mask in bpy.data.masks if mask not in ours]
    return drawn[0] if len(drawn) == 1 else None


def beside_results(clip: bpy.types.MovieClip, kind: str) -> Path:
    """Where what was drawn for a clip is laid by the add-on: a folder of its own beside the results."""
    path = bpy.path.abspath(clip.filepath)
    return preferences.store_folder() / kind / f"{Path(path).stem}-{hashlib.blake2b(path.encode(), digest_size=4).hexdigest()}"


def canvas_of(operator: bpy.types.Operator, context: bpy.types.Context) -> bpy.types.MovieClip | None:
    """What shows the pictures that the engine reads, where a place means something to it; None after telling that the editor shows others."""
    clip = clip_of(context)
    shown = footage.of(clip)
    if (in_editor(context) or shown) != shown:
        operator.report({"ERROR"}, say("Blender reads this clip otherwise than the engine: show '{name}' here, and work on that.", name=shown.name))
        return None
    if footage.slips(clip, request.standing_of(clip, context.scene).folders.get("frames")):
        operator.report({"ERROR"}, say("Blender reads this clip otherwise than the engine: press Import, and work on the frames that come with it."))
        return None
    return shown


class OnCanvas:
    """Operators on what is drawn over the clip that is shown."""

    bl_translation_context = CONTEXT
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if clip_of(context) is None:
            cls.poll_message_set(say("Open a clip first"))
            return False
        return True


class OnMask(OnCanvas):
    """Those that take a mask."""

    mask: StringProperty(name="Mask", translation_context=CONTEXT, description="Name of the mask; empty for the one that is shown", options={"SKIP_SAVE"})

    def find_mask(self, context: bpy.types.Context) -> bpy.types.Mask | None:
        """The mask that is meant, with anything drawn in it; None after asking for one."""
        mask = bpy.data.masks.get(self.mask) if self.mask else mask_of(context)
        if mask is None or not any(layer.splines for layer in mask.layers):
            self.report({"ERROR"}, say("Draw a mask round the subject first, and show it."))
            return None
        return mask


class UNFLATTEN_OT_show_canvas(OnCanvas, bpy.types.Operator):
    """Show the frames that were recovered, turned and timed as the engine reads them: masks and markers belong on these"""

    bl_idname = "unflatten.show_canvas"
    bl_label = "Show what the engine reads"

    def execute(self, context: bpy.types.Context) -> set[str]:
        if in_editor(context) is None:
            return {"CANCELLED"}
        context.space_data.clip = footage.of(clip_of(context))
        return {"FINISHED"}


def draw_canvas(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Where the editor shows a clip that Blender reads otherwise: the way to what may be drawn on."""
    shown = footage.of(clip_of(context))
    if shown != in_editor(context):
        layout.operator("unflatten.show_canvas", icon="FILE_REFRESH")


CLASSES = (UNFLATTEN_OT_show_canvas,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
