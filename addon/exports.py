"""The camera and the points for other programs: through Blender's own exporters, and the files that the engine made. Imports bpy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ..engine.contract.cache import DONE
from . import request
from .clips import OnImported, clip_of
from .languages import CONTEXT, say
from .sidebar import OfClip

KINDS = {"abc": ("Alembic", ".abc"), "usd": ("USD", ".usdc"), "fbx": ("FBX", ".fbx")}
ROLES = ("root", "camera", "points")  # the root carries the correction of the world, so it goes along


class UNFLATTEN_OT_export_scene(OnImported, bpy.types.Operator):
    """Write the recovered camera, animated, and the points of the solve to a file"""

    bl_idname = "unflatten.export_scene"
    bl_label = "Export the camera"

    kind: EnumProperty(items=[(key, label, f"A {ending} file") for key, (label, ending) in KINDS.items()], options={"SKIP_SAVE"})
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.abc;*.usd;*.usdc;*.fbx", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = self.filepath or f"{Path(clip_of(context).name).stem}_camera{KINDS[self.kind][1]}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not path.parent.is_dir():
            self.report({"ERROR"}, say("There is no folder '{path}' to write to.", path=path.parent))
            return {"CANCELLED"}
        path = path.with_suffix(path.suffix or KINDS[self.kind][1])
        with _chosen(context, clip_of(context)):
            _WRITE[self.kind](str(path), context.scene)
        self.report({"INFO"}, say("Wrote {path}", path=path))
        return {"FINISHED"}


@contextmanager
def _chosen(context: bpy.types.Context, clip: bpy.types.MovieClip) -> Iterator[None]:
    """Camera, points and their root selected and in sight, nothing else; afterwards all is as it was."""
    ours = [memory.object for role in ROLES if (memory := clip.unflatten.made.get(role)) and memory.object]
    every = [it for it in context.view_layer.objects if it.select_get()]
    active, hidden = context.view_layer.objects.active, [it for it in ours if it.hide_get()]
    for it in every:
        it.select_set(False)
    for it in ours:
        it.hide_set(False)
        it.select_set(True)
    context.view_layer.objects.active = ours[-1]
    try:
        yield
    finally:
        for it in ours:
            it.select_set(False)
        for it in hidden:
            it.hide_set(True)
        for it in every:
            it.select_set(True)
        context.view_layer.objects.active = active


def _alembic(path: str, scene: bpy.types.Scene) -> None:
    bpy.ops.wm.alembic_export(
        filepath=path, check_existing=False, selected=True, start=scene.frame_start, end=scene.frame_end, evaluation_mode="VIEWPORT", as_background_job=False,
    )


def _usd(path: str, scene: bpy.types.Scene) -> None:
    bpy.ops.wm.usd_export(filepath=path, check_existing=False, selected_objects_only=True, export_animation=True, evaluation_mode="VIEWPORT")


def _fbx(path: str, scene: bpy.types.Scene) -> None:
    bpy.ops.export_scene.fbx(
        filepath=path, check_existing=False, use_selection=True, object_types={"EMPTY", "CAMERA", "MESH"}, use_mesh_modifiers=False,
        bake_anim=True, bake_anim_use_nla_strips=False, bake_anim_use_all_actions=False, bake_anim_simplify_factor=0.0,
    )


_WRITE = {"abc": _alembic, "usd": _usd, "fbx": _fbx}


class UNFLATTEN_OT_export_files(bpy.types.Operator):
    """Copy the camera's files (nerfstudio, Nuke, COLMAP, straight plates, ST maps) to a folder of your choice"""

    bl_idname = "unflatten.export_files"
    bl_label = "Copy the camera's files"
    bl_translation_context = CONTEXT

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        clip = clip_of(context)
        if clip is None or "export" not in request.standing_of(clip, context.scene).folders:
            cls.poll_message_set(say("Tick 'Camera files' and press Recover first"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self.directory:
            self.report({"ERROR"}, say("Choose a folder."))
            return {"CANCELLED"}
        source, target = request.standing_of(clip_of(context), context.scene).folders["export"], Path(bpy.path.abspath(self.directory))
        try:
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(DONE))
        except (OSError, shutil.Error) as error:
            self.report({"ERROR"}, say("The files could not be copied: {why}", why=error))
            return {"CANCELLED"}
        self.report({"INFO"}, say("Copied to {path}", path=target))
        return {"FINISHED"}


class UNFLATTEN_PT_exports(OfClip, bpy.types.Panel):
    """The camera for other programs."""

    bl_label = "To other programs"
    bl_parent_id = "UNFLATTEN_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        row = self.layout.row(align=True)
        for key, (label, _) in KINDS.items():
            row.operator("unflatten.export_scene", text=label, translate=False).kind = key
        self.layout.operator("unflatten.export_files", icon="FILE_FOLDER")


CLASSES = (UNFLATTEN_OT_export_scene, UNFLATTEN_OT_export_files, UNFLATTEN_PT_exports)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
