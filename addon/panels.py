"""The sidebar of the Movie Clip Editor: one drawing for every stage, made from the contract. Imports bpy; changes nothing."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import bpy

from ..engine.contract.option import describe
from ..engine.contract.stages import STAGES
from . import environment, jobs, preferences, request, settings, setup
from .operators import clip_of

ICONS = {
    "done": "CHECKMARK", "stale": "FILE_REFRESH", "running": "SORTTIME", "failed": "ERROR", "skipped": "REMOVE",
    "cancelled": "CANCEL", "waiting": "RADIOBUT_OFF", "never": "RADIOBUT_OFF",
}


class _Panel:
    bl_space_type, bl_region_type, bl_category = "CLIP_EDITOR", "UI", "Unflatten"


class UNFLATTEN_PT_main(_Panel, bpy.types.Panel):
    """The button, what is wanted, and how it goes."""

    bl_label = "Unflatten"

    def draw(self, context: bpy.types.Context) -> None:
        layout, clip = self.layout, clip_of(context)
        draw_setup(layout)
        if clip is None:
            layout.label(text="Open a clip first", icon="INFO")
            return
        job = jobs.of(clip)
        if job is not None and not job.finished:
            draw_progress(layout, job)
        else:
            row = layout.row()
            row.scale_y = 1.8
            row.operator("unflatten.run", icon="VIEW_CAMERA")
        asked = clip.unflatten
        column = layout.column(align=True)
        column.active = job is None or job.finished
        for want in settings.WANT_LABELS:
            column.prop(asked, f"want_{want}")
        if job is not None and job.finished:
            draw_outcome(layout, job)
        layout.operator("unflatten.import_results", icon="IMPORT")


class UNFLATTEN_PT_clip(_Panel, bpy.types.Panel):
    """Which frames, and what happens at the end."""

    bl_label = "Clip and scene"
    bl_parent_id = "UNFLATTEN_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return clip_of(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        clip = clip_of(context)
        layout, asked = self.layout, clip.unflatten
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(asked, "show_report")
        layout.prop(asked, "auto_import")
        layout.prop(asked, "match_scene")
        layout.prop(asked, "slow_strip")
        layout.prop(asked, "use_range")
        column = layout.column(align=True)
        column.active = asked.use_range
        column.prop(asked, "first")
        column.prop(asked, "last")
        layout.prop(asked, "step")
        if clip.source == "SEQUENCE":
            layout.prop(asked, "rate")


def _stage_panel(stage: Any) -> type:
    def poll(cls: type, context: bpy.types.Context) -> bool:
        return clip_of(context) is not None

    def draw_header(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        self.layout.label(text="", icon=ICONS[state_of(clip_of(context), context.scene, stage.name)])

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        draw_stage(self.layout, clip_of(context), context.scene, stage)

    return type(f"UNFLATTEN_PT_{stage.name}", (_Panel, bpy.types.Panel), {
        "bl_label": stage.label, "bl_parent_id": "UNFLATTEN_PT_main", "bl_options": {"DEFAULT_CLOSED"}, "__doc__": stage.options.__doc__,
        "poll": classmethod(poll), "draw": draw, "draw_header": draw_header,
    })


def state_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene, stage: str) -> str:
    """done, stale, running, failed, skipped, cancelled, waiting or never."""
    job = jobs.of(clip)
    if job is not None and stage in job.stages and not job.finished:
        return job.stages[stage].status
    if stage in request.standing_of(clip, scene).folders:
        return "done"
    if job is not None and stage in job.stages and job.stages[stage].status in ("failed", "skipped", "cancelled"):
        return job.stages[stage].status
    return "stale" if clip.unflatten.results.get(stage) else "never"


def draw_stage(layout: bpy.types.UILayout, clip: bpy.types.MovieClip, scene: bpy.types.Scene, stage: Any) -> None:
    """Options, then the result, of any stage."""
    layout.use_property_split, layout.use_property_decorate = True, False
    group, options = getattr(clip.unflatten, stage.name), describe(stage.options)
    for about in options:
        if not about.advanced:
            layout.prop(group, about.name)
    if any(about.advanced for about in options):
        header, body = layout.panel(f"unflatten_{stage.name}_advanced", default_closed=True)
        header.label(text="Advanced")
        if body:
            body.use_property_split, body.use_property_decorate = True, False
            for about in options:
                if about.advanced:
                    body.prop(group, about.name)
    if settings.values_of(group, stage.options):
        layout.operator("unflatten.reset", icon="LOOP_BACK").stage = stage.name
    draw_result(layout, clip, scene, stage.name)


def draw_result(layout: bpy.types.UILayout, clip: bpy.types.MovieClip, scene: bpy.types.Scene, stage: str) -> None:
    """What a stage made, or that it has to be made again."""
    state = state_of(clip, scene, stage)
    summary = request.standing_of(clip, scene).summaries.get(stage)
    if state == "done" and summary:
        column = layout.column(align=True)
        draw_text(column, f"{summary.get('used') or 'Done'} ({summary.get('seconds', 0):.1f} s)", "CHECKMARK")
        for warning in summary.get("warnings", []):
            draw_text(column, str(warning), "ERROR")
    elif state == "stale":
        layout.label(text="Made with other settings", icon=ICONS["stale"])


def draw_progress(layout: bpy.types.UILayout, job: jobs.Job) -> None:
    """How far it is, how long it takes, and the way out."""
    if job.status == "waiting":
        ahead = 1 + jobs.waiting().index(job) if job in jobs.waiting() else 1
        layout.label(text=f"Waits behind {ahead} other" + ("s" if ahead > 1 else ""), icon="SORTTIME")
    else:
        name, state = next(((name, it) for name, it in job.stages.items() if it.status == "running"), ("", None))
        label = next((stage.label for stage in STAGES if stage.name == name), "Starting")
        layout.progress(factor=job.overall, text=f"{label}  {job.overall * 100:.0f} %")
        row = layout.row()
        row.label(text=f"{state.done} of {state.total}" if state and state.total > 1 else "")
        row.label(text=time_left(job.seconds_left))
        if job.device:
            free = f", {job.memory_free / 1e9:.1f} GB free" if job.memory_free else ""
            layout.label(text=f"On {job.device}{free}", icon="MEMORY")
    layout.operator("unflatten.cancel", icon="CANCEL")


def time_left(seconds: float | None) -> str:
    """'2 min left', or nothing while unknown."""
    if seconds is None:
        return ""
    return f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:.0f} min left"


def draw_outcome(layout: bpy.types.UILayout, job: jobs.Job) -> None:
    """Failures with their remedies, and warnings."""
    for index, failure in enumerate(job.failures):
        box = layout.box()
        draw_text(box, failure.what, "ERROR")
        draw_text(box, failure.why)
        draw_text(box, failure.remedy)
        if failure.log:
            draw_text(box, failure.log)
        if failure.change:
            words = ", ".join(f"{name} {value}" for values in failure.change.values() for name, value in values.items())
            box.operator("unflatten.remedy", text=f"Set {words} and run again", icon="PLAY").index = index
    if job.status == "cancelled":
        layout.label(text="Cancelled; finished frames are kept", icon="CANCEL")
    for warning in job.warnings[-3:]:
        draw_text(layout, warning, "INFO")


def draw_setup(layout: bpy.types.UILayout) -> None:
    """The engine's state where it is not simply there."""
    work = setup.current()
    if work is not None and not work.ended:
        layout.progress(factor=work.part, text=work.note)
        layout.operator("unflatten.setup_cancel", icon="CANCEL")
    elif work is not None and work.failure:
        box = layout.box()
        draw_text(box, work.failure.what, "ERROR")
        draw_text(box, work.failure.why)
        draw_text(box, work.failure.remedy)
        box.operator("unflatten.setup", icon="FILE_REFRESH")
    elif preferences.engine_python() is None:
        box = layout.box()
        draw_text(box, "The engine is not set up yet.", "INFO")
        box.operator("unflatten.setup", icon="IMPORT")


def draw_preferences(layout: bpy.types.UILayout, chosen: Any) -> None:
    """The add-on's page in the preferences."""
    layout.use_property_split = True
    draw_setup(layout)
    python = preferences.engine_python()
    if python is not None:
        draw_text(layout, f"Engine: {python}", "CHECKMARK", 90)
        work = setup.current()
        if work is not None and work.result:
            layout.label(text=f"Proven on {work.result.get('device', 'this machine')}")
        row = layout.row()
        row.operator("unflatten.setup", text="Update or repair", icon="FILE_REFRESH")
        row.operator("unflatten.remove_engine", icon="TRASH")
    layout.prop(chosen, "device")
    layout.prop(chosen, "store")
    layout.operator("unflatten.clean", icon="TRASH")
    for name in ("engine_folder", "engine_python", "base_python", "kit"):
        layout.prop(chosen, name)
    layout.label(text=f"This machine gets the engine for the {environment.choose(setup.LOCKS)[1]}")


def draw_text(layout: bpy.types.UILayout, text: str, icon: str = "NONE", width: int = 0) -> None:
    """A sentence over as many lines as the region's width asks for."""
    region = bpy.context.region
    scale = bpy.context.preferences.system.ui_scale or 1.0
    letters = width or max(20, int((region.width if region else 280) / (7.2 * scale)) - 6)
    column = layout.column(align=True)
    column.scale_y = 0.85
    for index, line in enumerate(wrap(text, letters)):
        column.label(text=line, icon=icon if index == 0 else "BLANK1" if icon != "NONE" else "NONE")


CLASSES = (UNFLATTEN_PT_main, UNFLATTEN_PT_clip, *(_stage_panel(stage) for stage in STAGES))

register, unregister = bpy.utils.register_classes_factory(CLASSES)
