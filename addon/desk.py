"""What lies around the panels: presets, films dropped onto the editor, manual links, progress in the status bar. Imports bpy."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bpy.props import CollectionProperty, StringProperty

from ..engine.contract.option import describe
from ..engine.contract.sequence import FILMS
from ..engine.contract.stages import STAGES
from . import jobs, preferences, settings
from .importers import place
from .languages import CONTEXT, say

SHIPPED = Path(__file__).resolve().parent / "shipped"
MANUAL = (  # what is asked about -> where README.md answers
    ("bpy.ops.unflatten.setup*", "install-in-blender-42-lts-to-52"),
    ("bpy.ops.unflatten.*_engine", "install-in-blender-42-lts-to-52"),
    ("bpy.ops.unflatten.*weights", "licences"),
    ("bpy.ops.unflatten.*", "first-shot"),
    ("bpy.types.unflatten_pg_*", "what-it-does-and-how-well"),
    ("bpy.types.movieclip.unflatten*", "what-it-does-and-how-well"),
)


class UNFLATTEN_MT_presets(bpy.types.Menu):
    """Settings of all stages under one name."""

    bl_label = "Unflatten presets"
    bl_translation_context = CONTEXT
    preset_subdir = "unflatten"
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class UNFLATTEN_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Keep this clip's settings under a name, or remove the name"""

    bl_idname = "unflatten.add_preset"
    bl_label = "Add a preset"
    bl_translation_context = CONTEXT
    preset_menu = "UNFLATTEN_MT_presets"
    preset_subdir = "unflatten"
    preset_defines = ['asked = (getattr(bpy.context, "edit_movieclip", None) or bpy.context.scene.active_clip).unflatten']
    # Files and folders belong to one clip alone.
    preset_values = [f"asked.want_{want}" for want in settings.WANT_LABELS] + [
        f"asked.{stage.name}.{about.name}" for stage in STAGES for about in describe(stage.options) if about.kind not in ("file", "folder")
    ]


def draw_presets(layout: bpy.types.UILayout) -> None:
    """The menu with its two buttons."""
    row = layout.row(align=True)
    label = UNFLATTEN_MT_presets.bl_label
    row.menu("UNFLATTEN_MT_presets", text=say("Presets") if label == "Unflatten presets" else label, translate=False)
    row.operator("unflatten.add_preset", text="", icon="ADD")
    row.operator("unflatten.add_preset", text="", icon="REMOVE").remove_active = True


def show_tabs() -> None:
    """Bring our tab to the front wherever a clip is shown."""
    for area in (area for window in bpy.context.window_manager.windows for area in window.screen.areas if area.type == "CLIP_EDITOR"):
        for region in area.regions:
            if region.type == "UI" and area.spaces.active.clip and area.spaces.active.show_region_ui:
                with suppress(AttributeError):  # without a tab of its own yet, it takes none
                    region.active_panel_category = "Unflatten"


class UNFLATTEN_OT_open_clip(bpy.types.Operator):
    """Open films in this Movie Clip Editor, beside the Unflatten panels"""

    bl_idname = "unflatten.open_clip"
    bl_label = "Open for Unflatten"
    bl_translation_context = CONTEXT
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "CLIP_EDITOR"

    def execute(self, context: bpy.types.Context) -> set[str]:
        paths = [str(Path(self.directory) / file.name) for file in self.files if file.name] or [self.filepath]
        for path in paths:
            try:
                clip = place.load_clip(path)
            except RuntimeError as error:
                self.report({"ERROR"}, str(error))
                return {"CANCELLED"}
            context.space_data.clip = clip
        context.space_data.show_region_ui = True
        if not bpy.app.background:
            bpy.app.timers.register(show_tabs, first_interval=0.3)  # a sidebar that opens just now has no tabs yet
        return {"FINISHED"}


class UNFLATTEN_FH_clip(bpy.types.FileHandler):
    """Films dropped onto a Movie Clip Editor."""

    bl_idname = "UNFLATTEN_FH_clip"
    bl_label = "Open for Unflatten"
    bl_import_operator = "unflatten.open_clip"
    bl_file_extensions = ";".join(sorted(FILMS))

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "CLIP_EDITOR"


def manual() -> tuple[str, tuple[tuple[str, str], ...]]:
    """Called by Blender for "Online Manual": the README that came with the add-on."""
    return f"{(preferences.ROOT / 'README.md').as_uri()}#", MANUAL


def draw_status(header: bpy.types.Header, context: bpy.types.Context) -> None:
    """The running job, at the foot of every window."""
    job = jobs.running()
    if job is None:
        return
    row = header.layout.row(align=True)
    row.ui_units_x = 16
    row.progress(factor=job.overall, text=f"{job.clip}: {job.overall * 100:.0f} %")
    row.operator("unflatten.cancel", text="", icon="CANCEL").clip = job.clip


CLASSES = (UNFLATTEN_MT_presets, UNFLATTEN_OT_add_preset, UNFLATTEN_OT_open_clip, UNFLATTEN_FH_clip)


def register() -> None:
    """Make them known."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.utils.register_preset_path(str(SHIPPED))
    bpy.utils.register_manual_map(manual)
    bpy.types.STATUSBAR_HT_header.append(draw_status)


def unregister() -> None:
    """Forget them."""
    bpy.types.STATUSBAR_HT_header.remove(draw_status)
    bpy.utils.unregister_manual_map(manual)
    bpy.utils.unregister_preset_path(str(SHIPPED))
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
