"""What the artist draws, boxes or points at, as keys of the mattes: Blender's masks and markers on the frame that is shown. Imports bpy, numpy."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from bpy.props import BoolProperty

from .canvas import OnCanvas, OnMask, beside_results, canvas_of
from .clips import clip_of
from .importers import place
from .languages import CONTEXT, say
from .masks import filled, write
from .sidebar import OfClip


def frame_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> int:
    """The clip's number of the frame that is shown."""
    return scene.frame_current - place.frame_shift(clip)


def folder_of(clip: bpy.types.MovieClip) -> Path:
    """Where the drawn masks of a clip lie: the artist's own folder, or one beside the results."""
    if clip.unflatten.mattes.drawn:
        return Path(bpy.path.abspath(clip.unflatten.mattes.drawn))
    return beside_results(clip, "drawn")


def add_prompt(clip: bpy.types.MovieClip, prompt: str) -> None:
    """One more box or point, once."""
    asked = clip.unflatten.mattes
    known = [part.strip() for part in asked.prompts.split(";") if part.strip()]
    asked.method, asked.prompts = "drawn", "; ".join(known + [prompt] * (prompt not in known))


class UNFLATTEN_OT_use_mask(OnMask, bpy.types.Operator):
    """The mask, as it stands on this frame, is the subject; on a further frame it corrects what was carried there"""

    bl_idname = "unflatten.use_mask"
    bl_label = "Mask is the subject here"

    box: BoolProperty(
        name="Only its box", translation_context=CONTEXT, description="Look for the subject inside the mask's borders", default=False, options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip, canvas, mask = clip_of(context), canvas_of(self, context), self.find_mask(context)
        if canvas is None or mask is None:
            return {"CANCELLED"}
        size = tuple(canvas.size)
        inside = filled(mask, size)
        if not inside.any():
            self.report({"ERROR"}, say("Draw a mask round the subject first, and show it."))
            return {"CANCELLED"}
        number = frame_of(canvas, context.scene)
        if self.box:
            rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
            borders = (columns[0] / size[0], rows[0] / size[1], (columns[-1] + 1) / size[0], (rows[-1] + 1) / size[1])
            add_prompt(clip, f"{number} box {','.join(f'{part:.4f}' for part in borders)}")
        else:
            folder = folder_of(clip)
            write(folder / f"{number:06d}.png", inside)
            clip.unflatten.mattes.method, clip.unflatten.mattes.drawn = "drawn", str(folder)
        return {"FINISHED"}


class UNFLATTEN_OT_use_markers(OnCanvas, bpy.types.Operator):
    """The selected tracking markers of this frame lie on the subject, or outside of it; they correct a box or a mask of the same frame"""

    bl_idname = "unflatten.use_markers"
    bl_label = "Markers lie on the subject"

    outside: BoolProperty(name="Outside", translation_context=CONTEXT, description="They lie on what is not the subject", default=False, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip, canvas = clip_of(context), canvas_of(self, context)
        if canvas is None:
            return {"CANCELLED"}
        number = frame_of(canvas, context.scene)
        at = number - place.first_frame(canvas) + 1  # markers count from the clip's first frame
        markers = [track.markers.find_frame(at, exact=True) for track in canvas.tracking.objects.active.tracks if track.select]
        places = [marker.co for marker in markers if marker is not None and not marker.mute]
        if not places:
            self.report({"ERROR"}, say("Select tracking markers on this frame first."))
            return {"CANCELLED"}
        for across, up in places:
            add_prompt(clip, f"{number} {'out' if self.outside else 'in'} {across:.4f},{1 - up:.4f}")
        return {"FINISHED"}


class UNFLATTEN_OT_forget_drawn(OnCanvas, bpy.types.Operator):
    """Forget the masks, boxes and points of this clip's subject; a folder of your own stays as it is"""

    bl_idname = "unflatten.forget_drawn"
    bl_label = "Forget what was drawn"

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = clip_of(context)
        given, asked = folder_of(clip), clip.unflatten.mattes
        for name in ("drawn", "prompts", "method"):
            asked.property_unset(name)
        if given == folder_of(clip):
            for path in given.glob("*.png"):
                path.unlink()
        return {"FINISHED"}


class UNFLATTEN_PT_drawn(OfClip, bpy.types.Panel):
    """A subject from a drawn mask, a box or points"""

    bl_label = "Draw the subject"
    bl_parent_id = "UNFLATTEN_PT_mattes"

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator("unflatten.use_mask", icon="MOD_MASK")
        column.operator("unflatten.use_mask", text=say("Only its box"), icon="SHADING_BBOX").box = True
        column.operator("unflatten.use_markers", icon="TRACKER")
        column.operator("unflatten.use_markers", text=say("Outside"), icon="X").outside = True
        self.layout.operator("unflatten.forget_drawn", icon="TRASH")


CLASSES = (UNFLATTEN_OT_use_mask, UNFLATTEN_OT_use_markers, UNFLATTEN_OT_forget_drawn, UNFLATTEN_PT_drawn)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
