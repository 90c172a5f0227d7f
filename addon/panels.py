"""The sidebar of the Movie Clip Editor: one drawing for every stage, made from the contract. Imports bpy; changes nothing."""

from __future__ import annotations

from typing import Any

import bpy

from ..engine.contract.option import Option, describe
from ..engine.contract.stages import BY_NAME, STAGES
from . import desk, jobs, machine, preferences, request, retiming, settings, weights
from .canvas import draw_canvas
from .clips import clip_of
from .job import Job
from .languages import say
from .languages.sentences import told
from .lines import draw_text
from .preferences_page import draw_setup
from .sidebar import OfClip, Sidebar

ICONS = {
    "done": "CHECKMARK", "stale": "FILE_REFRESH", "running": "SORTTIME", "failed": "ERROR", "skipped": "REMOVE",
    "cancelled": "CANCEL", "waiting": "RADIOBUT_OFF", "never": "RADIOBUT_OFF",
}


class UNFLATTEN_PT_main(Sidebar, bpy.types.Panel):
    """The button, what is wanted, and how it goes."""

    bl_label = "Unflatten"

    def draw(self, context: bpy.types.Context) -> None:
        layout, clip = self.layout, clip_of(context)
        draw_setup(layout)
        if clip is None:
            draw_text(layout, say("Open a clip, or drop a film onto this editor"), "INFO")
            layout.operator("clip.open", icon="FILE_FOLDER")
            return
        job = jobs.of(clip)
        if job is not None and not job.finished:
            draw_progress(layout, job)
        else:
            row = layout.row()
            row.scale_y = 1.8
            row.operator("unflatten.run", icon="VIEW_CAMERA")
            draw_machine(layout)
            desk.draw_presets(layout)
        asked = clip.unflatten
        column = layout.column(align=True)
        column.active = job is None or job.finished
        for want in settings.WANT_LABELS:
            column.prop(asked, f"want_{want}")
        if job is not None and job.finished:
            draw_outcome(layout, job)
        if clip.unflatten.results or request.drawn_standing(clip, context.scene).folders:
            layout.operator("unflatten.import_results", icon="IMPORT")
        draw_canvas(layout, context)


class UNFLATTEN_PT_clip(OfClip, bpy.types.Panel):
    """Which frames, and what happens at the end."""

    bl_label = "Clip and scene"
    bl_parent_id = "UNFLATTEN_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        clip = clip_of(context)
        layout, asked = self.layout, clip.unflatten
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(asked, "show_report")
        layout.prop(asked, "show_live")
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
        draw_cache(layout)


def _stage_panel(stage: Any) -> type:
    def draw_header(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        self.layout.label(text="", icon=ICONS[state_of(clip_of(context), context.scene, stage.name)])

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        draw_stage(self.layout, clip_of(context), context.scene, stage)

    return type(f"UNFLATTEN_PT_{stage.name}", (OfClip, bpy.types.Panel), {
        "bl_label": stage.label, "bl_parent_id": "UNFLATTEN_PT_main", "__doc__": stage.options.__doc__,
        "draw": draw, "draw_header": draw_header,
    })


def state_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene, stage: str) -> str:
    """done, stale, running, failed, skipped, cancelled, waiting or never."""
    job = jobs.of(clip)
    if job is not None and stage in job.stages and not job.finished:
        return job.stages[stage].status
    if stage in request.drawn_standing(clip, scene).folders:
        return "done"
    if job is not None and stage in job.stages and job.stages[stage].status in ("failed", "skipped", "cancelled"):
        return job.stages[stage].status
    return "stale" if clip.unflatten.results.get(stage) else "never"


def draw_stage(layout: bpy.types.UILayout, clip: bpy.types.MovieClip, scene: bpy.types.Scene, stage: Any) -> None:
    """Options, then the result, of any stage."""
    layout.use_property_split, layout.use_property_decorate = True, False
    group = getattr(clip.unflatten, stage.name)
    options = [about for about in describe(stage.options) if counts(about, group, stage.options)]
    if stage.name == "interpolate":
        retiming.draw(layout, clip)
    for about in options:
        if not about.advanced:
            layout.prop(group, about.name)
    if any(about.advanced for about in options):
        header, body = layout.panel(f"unflatten_{stage.name}_advanced", default_closed=True)
        header.label(text=say("Advanced"), translate=False)
        if body:
            body.use_property_split, body.use_property_decorate = True, False
            for about in options:
                if about.advanced:
                    body.prop(group, about.name)
    if settings.values_of(group, stage.options):
        layout.operator("unflatten.reset", icon="LOOP_BACK").stage = stage.name
    draw_result(layout, clip, scene, stage.name)


def counts(about: Option, group: bpy.types.PropertyGroup, options: type) -> bool:
    """Whether an option means anything beside the others: the folder of a network that was not chosen is not drawn."""
    if about.only is None:
        return True
    parent = next(it for it in describe(options) if it.name == about.only[0])
    return about.counts(group) and counts(parent, group, options)


def draw_result(layout: bpy.types.UILayout, clip: bpy.types.MovieClip, scene: bpy.types.Scene, stage: str) -> None:
    """What a stage made, or that it has to be made again."""
    state = state_of(clip, scene, stage)
    summary = request.drawn_standing(clip, scene).summaries.get(stage)
    if state == "done" and summary:
        column = layout.column(align=True)
        draw_text(column, f"{told(summary.get('used') or say('Done'))} ({summary.get('seconds', 0):.1f}\u00a0s)", "CHECKMARK")
        for warning in summary.get("warnings", []):
            draw_text(column, told(str(warning)), "ERROR")
    elif state == "stale":
        draw_text(layout, say("Out of date: Recover makes it anew"), ICONS["stale"])


def draw_progress(layout: bpy.types.UILayout, job: Job) -> None:
    """How far it is, how long it takes, and the way out."""
    if job.status == "waiting":
        ahead = 1 + jobs.waiting().index(job) if job in jobs.waiting() else 1
        draw_text(layout, say("Clips before this one: {count}", count=ahead), "SORTTIME")
    else:
        name, state = next(((name, it) for name, it in job.stages.items() if it.status == "running"), ("", None))
        label = say(next((stage.label for stage in STAGES if stage.name == name), "Starting"))
        layout.progress(factor=job.overall, text=f"{label}  {job.overall * 100:.0f} %")
        counted = say("{done} of {total}", done=state.done, total=state.total) if state and state.total > 1 else ""
        if counted or time_left(job.seconds_left):
            row = layout.row()
            row.label(text=counted, translate=False)
            row.label(text=time_left(job.seconds_left), translate=False)
        if state and state.note:
            draw_text(layout, told(state.note))
        if state and state.losses:
            first, least, now = (f"{value:.3g}" for value in (state.losses[0], min(state.losses), state.losses[-1]))
            draw_text(layout, say("Loss {now}; at first {first}, least {least}", now=now, first=first, least=least), "GRAPH")
        if job.device:
            draw_text(layout, on_device(say("the processor") if job.device == "cpu" else job.device, job.memory_free), "MEMORY")
    layout.operator("unflatten.cancel", icon="CANCEL")


def time_left(seconds: float | None) -> str:
    """'2 min left', or nothing while unknown."""
    if seconds is None:
        return ""
    return say("{count} s left", count=round(seconds)) if seconds < 90 else say("{count} min left", count=round(seconds / 60))


def on_device(device: str, free: int) -> str:
    """'On cpu, 7.2 GB free'."""
    return say("On {device}, {size} GB free", device=device, size=f"{free / 1e9:.1f}") if free else say("On {device}", device=device)


def draw_machine(layout: bpy.types.UILayout) -> None:
    """Where the next run will work, and with how much memory."""
    name, free = machine.CARD.get() or ("", 0)
    asked = preferences.get().device
    if asked == "cuda" and not name and machine.CARD.get() is not None:
        draw_text(layout, say("No graphics card answers; choose another device in the preferences"), "ERROR")
    elif name and asked != "cpu":
        draw_text(layout, on_device(name, free), "MEMORY")
    else:
        draw_text(layout, on_device(say("the processor"), machine.memory_free()), "MEMORY")


def draw_cache(layout: bpy.types.UILayout) -> None:
    """How much lies in the cache, and the broom."""
    size = machine.size_seen(preferences.store_folder())
    row = layout.row()
    row.label(text=say("Cache: counting") if size is None else say("Cache: {size} GB", size=f"{size / 1e9:.2f}"), translate=False)
    row.operator("unflatten.clean", text=say("Clean"), icon="TRASH", translate=False)


def draw_outcome(layout: bpy.types.UILayout, job: Job) -> None:
    """Failures with their remedies, and warnings."""
    for index, failure in enumerate(job.failures):
        box = layout.box()
        draw_text(box, told(failure.what), "ERROR")
        draw_text(box, told(failure.why))
        draw_text(box, told(failure.remedy))
        if failure.log:
            draw_text(box, failure.log)
        draw_network(box, failure.network)
        if failure.change:
            draw_text(box, ", ".join(proposals(failure.change)), "LIGHT")
            box.operator("unflatten.remedy", icon="PLAY").index = index
    if job.status == "cancelled":
        draw_text(layout, say("Cancelled; finished frames are kept"), "CANCEL")
    for warning in job.warnings[-3:]:
        draw_text(layout, told(warning), "INFO")


def proposals(change: dict[str, dict[str, Any]]) -> list[str]:
    """{stage: {option: value}} as the panel calls them: 'Motion: Tripod'."""
    told = []
    for stage, values in change.items():
        known = {about.name: about for about in describe(BY_NAME[stage].options)}
        for name, value in values.items():
            label = next((say(choice.label) for choice in known[name].choices if choice.value == value), str(value))
            told.append(f"{say(known[name].label)}: {label}{known[name].unit and f' {known[name].unit}'}")
    return told


def draw_network(layout: bpy.types.UILayout, name: str) -> None:
    """How a missing network comes here."""
    entry = weights.table().get(name)
    if entry is None or entry.installed:
        return
    if entry.can_be_fetched:
        layout.operator("unflatten.fetch_weights", text=say("Fetch"), icon="IMPORT", translate=False).network = name
    layout.operator("unflatten.import_weights", text=say("Import a copy"), icon="FILEBROWSER", translate=False).network = name


CLASSES = (UNFLATTEN_PT_main, UNFLATTEN_PT_clip, *(_stage_panel(stage) for stage in STAGES))

register, unregister = bpy.utils.register_classes_factory(CLASSES)
