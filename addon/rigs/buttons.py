"""The rigs as buttons: a click on the plate becomes a spot on the recovered surface. Imports bpy and the rigs."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, FloatVectorProperty, StringProperty

from ..clips import OnImported, clip_of
from ..importers import depth, footage, native
from ..languages import CONTEXT, say
from ..sidebar import OfClip
from . import composite, dolly_zoom, focus, insertion, new_view, surface
from .eyedropper import Eyedropper


class _OnDepth(OnImported):
    """Operators that need a clip whose camera and depth were imported."""

    needs = (*OnImported.needs, (depth.SURFACE, "Recover and import depth first"))


class _Pick(Eyedropper, _OnDepth):
    """Click on the plate in the Movie Clip Editor; scripts give x and y."""

    x: FloatProperty(name="X", translation_context=CONTEXT, description="Part of the plate's width, from the left", default=0.5, min=0.0, max=1.0)
    y: FloatProperty(name="Y", translation_context=CONTEXT, description="Part of the plate's height, from the top", default=0.5, min=0.0, max=1.0)

    def take(self, places: list[float]) -> None:
        self.x, self.y = places

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = clip_of(context)
        spot = surface.find_spot(clip, context.scene, self.x, self.y)
        if spot is None:
            self.report({"ERROR"}, say("There is no depth at this place; pick another."))
            return {"CANCELLED"}
        self.act(context, clip, spot)
        return {"FINISHED"}


class UNFLATTEN_OT_insert(_Pick, bpy.types.Operator):
    """Set an object onto the recovered surface, with its shadow, behind what stands before it (Cycles)"""

    bl_idname = "unflatten.insert"
    bl_label = "Insert an object"
    bl_options = {"REGISTER", "UNDO"}

    use_active: BoolProperty(name="Active object", translation_context=CONTEXT, description="Place the active object in place of a ball", default=False)

    def act(self, context: bpy.types.Context, clip: bpy.types.MovieClip, spot: surface.Spot) -> None:
        """Called with the picked spot."""
        target = context.view_layer.objects.active if self.use_active else None
        insertion.insert(clip, context.scene, spot, target)


class UNFLATTEN_OT_occlude(_OnDepth, bpy.types.Operator):
    """How what stands before an inserted object hides it"""

    bl_idname = "unflatten.occlude"
    bl_label = "Occlusion"
    bl_options = {"REGISTER", "UNDO"}

    how: EnumProperty(name="By", translation_context=CONTEXT, items=(
        ("HOLDOUT", "Holdout mesh", "The recovered surface cuts the object out while rendering: Cycles and EEVEE"),
        ("COMPOSITOR", "Compositor", "The render's depth is compared with the plate's afterwards: quick to change, any engine"),
    ))

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip, later = clip_of(context), self.how == "COMPOSITOR"
        surface.occluder(clip, context.scene).hide_render = later
        return {"FINISHED"} if composite.occlude(clip, context.scene, later) else {"CANCELLED"}


class UNFLATTEN_OT_dolly_zoom(_Pick, bpy.types.Operator):
    """Pick a subject: its size stays while the camera's property 'Dolly' moves the camera and changes the focal length"""

    bl_idname = "unflatten.dolly_zoom"
    bl_label = "Dolly zoom"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context: bpy.types.Context, clip: bpy.types.MovieClip, spot: surface.Spot) -> None:
        """Called with the picked spot."""
        base = clip.unflatten.made["camera"].object
        context.scene.camera = dolly_zoom.build(clip, context.scene, spot.point, base)
        new_view.show_surface(clip, context.scene)


class UNFLATTEN_OT_focus(_Pick, bpy.types.Operator):
    """Pick what shall be sharp at this frame; between two picks the focus racks"""

    bl_idname = "unflatten.focus"
    bl_label = "Focus here"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context: bpy.types.Context, clip: bpy.types.MovieClip, spot: surface.Spot) -> None:
        """Called with the picked spot."""
        focus.focus_on(clip, context.scene, spot.point, context.scene.camera or clip.unflatten.made["camera"].object)


class UNFLATTEN_OT_blur_plate(_OnDepth, bpy.types.Operator):
    """Blur the plate in the compositor by its recovered depth, as the camera focuses"""

    bl_idname = "unflatten.blur_plate"
    bl_label = "Blur the plate"
    bl_options = {"REGISTER", "UNDO"}

    f_stop: FloatProperty(name="F-stop", translation_context=CONTEXT, description="Smaller blurs more", default=2.8, min=0.01, max=128.0)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return {"FINISHED"} if focus.blur_plate(clip_of(context), context.scene, self.f_stop) else {"CANCELLED"}


class UNFLATTEN_OT_new_view(_OnDepth, bpy.types.Operator):
    """A camera to move beside the recovered one; what the plate never saw stays transparent"""

    bl_idname = "unflatten.new_view"
    bl_label = "New view"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = clip_of(context)
        new_view.free(clip, context.scene, clip.unflatten.made["camera"].object)
        return {"FINISHED"}


class UNFLATTEN_OT_composite(bpy.types.Operator):
    """Lay a subject over a colour in the compositor, by its soft matte"""

    bl_idname = "unflatten.composite"
    bl_translation_context = CONTEXT
    bl_label = "Subject over colour"
    bl_options = {"REGISTER", "UNDO"}

    subject: StringProperty(name="Subject", translation_context=CONTEXT, options={"SKIP_SAVE"})
    colour: FloatVectorProperty(name="Colour", translation_context=CONTEXT, subtype="COLOR", default=(0.19, 1.0, 0.33), min=0.0, max=1.0)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        clip = clip_of(context)
        if clip is None or not composite.subjects_of(clip):
            cls.poll_message_set(say("Recover and import mattes first"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = clip_of(context)
        known = composite.subjects_of(clip)
        if self.subject and self.subject not in known:
            self.report({"ERROR"}, say("There is no subject '{name}'; known: {known}.", name=self.subject, known=", ".join(known)))
            return {"CANCELLED"}
        composite.over_colour(clip, context.scene, self.subject or known[0], tuple(self.colour))
        return {"FINISHED"}


class UNFLATTEN_OT_native_solve(bpy.types.Operator):
    """Give the recovered camera to Blender's own solver as tracks, so that its tracking tools work with it"""

    bl_idname = "unflatten.native_solve"
    bl_translation_context = CONTEXT
    bl_label = "As Blender's own solve"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        clip = clip_of(context)
        memory = clip.unflatten.made.get("camera") if clip else None
        if memory is None or not memory.path or not (Path(memory.path) / "points.npz").is_file():
            cls.poll_message_set(say("Recover and import the camera first"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = clip_of(context)
        try:
            error = native.hand_over(footage.of(clip), context.scene, Path(clip.unflatten.made["camera"].path))
        except RuntimeError as fault:  # what Blender's solver says of these tracks
            self.report({"ERROR"}, str(fault))
            return {"CANCELLED"}
        self.report({"INFO"} if error < 1 else {"WARNING"}, say("Blender solved our tracks with an error of {error} px.", error=f"{error:.3f}"))
        return {"FINISHED"}


class UNFLATTEN_PT_rigs(OfClip, bpy.types.Panel):
    """What to do with the recovered scene."""

    bl_label = "Use it"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        column = layout.column(align=True)
        column.operator("unflatten.insert", icon="EYEDROPPER").use_active = False
        column.operator("unflatten.insert", text=say("Place the active object"), icon="OBJECT_DATA", translate=False).use_active = True
        if clip_of(context).unflatten.made.get("occluder"):
            row = column.row(align=True)
            row.operator("unflatten.occlude", text=say("Holdout mesh"), icon="HOLDOUT_ON", translate=False).how = "HOLDOUT"
            row.operator("unflatten.occlude", text=say("Compositor"), icon="NODE_COMPOSITING", translate=False).how = "COMPOSITOR"
        column = layout.column(align=True)
        column.operator("unflatten.dolly_zoom", icon="EYEDROPPER")
        memory = clip_of(context).unflatten.made.get("dolly camera")
        if memory and memory.object:
            column.prop(memory.object, f'["{dolly_zoom.TRAVEL}"]')
        column = layout.column(align=True)
        column.operator("unflatten.focus", icon="EYEDROPPER")
        column.operator("unflatten.blur_plate", icon="CAMERA_DATA")
        column = layout.column(align=True)
        column.operator("unflatten.new_view", icon="VIEW_CAMERA")
        column.operator("unflatten.native_solve", icon="TRACKER")
        for subject in composite.subjects_of(clip_of(context)) or [""]:
            text = say("{subject} over colour", subject=subject or say("Subject"))
            layout.operator("unflatten.composite", text=text, icon="NODE_COMPOSITING", translate=False).subject = subject


CLASSES = (
    UNFLATTEN_OT_insert, UNFLATTEN_OT_occlude, UNFLATTEN_OT_dolly_zoom, UNFLATTEN_OT_focus, UNFLATTEN_OT_blur_plate, UNFLATTEN_OT_new_view,
    UNFLATTEN_OT_composite, UNFLATTEN_OT_native_solve, UNFLATTEN_PT_rigs,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
