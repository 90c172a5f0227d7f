"""Results into the scene: the button, the slices of time that it works in, and the import after a run. Imports bpy. execute() waits, invoke() does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy.props import StringProperty

from . import jobs, request, results
from .clips import OnClip
from .importers import footage
from .importers.everything import OFFERS, import_all
from .job import Job
from .languages import CONTEXT, say

SLICE = 0.02  # s of importing between two looks of Blender at its windows
LOOKING = {"MOUSEMOVE", "INBETWEEN_MOUSEMOVE", "MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM", "WINDOW_DEACTIVATE"}


def import_when_done(job: Job) -> None:
    """Called by the queue: an import of its own, so that it can be undone."""
    clip = job.clip_block()
    if clip is None or not clip.unflatten.auto_import or job.status == "cancelled" or not bpy.context.window_manager.windows:
        return
    wants = [want for want in job.request.wants if want in OFFERS and all(kind in results.of_stages(job.folders) for kind in OFFERS[want])]
    if not wants:
        return
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.unflatten.import_results("INVOKE_DEFAULT", clip=clip.name, wants=",".join(wants))


class UNFLATTEN_OT_import_results(OnClip, bpy.types.Operator):
    """Lay the results into the scene; doing it again brings the same objects up to date"""

    bl_idname = "unflatten.import_results"
    bl_label = "Import"
    bl_options = {"REGISTER", "UNDO"}

    wants: StringProperty(
        name="Wanted", translation_context=CONTEXT,
        description="camera, depth, cloud, mattes, slowmo, separated by commas; empty for all that is there", options={"SKIP_SAVE"},
    )
    folder: StringProperty(
        name="Folder", translation_context=CONTEXT,
        subtype="DIR_PATH", description="Results written by `python -m engine --out`; empty for the cache", options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._steps = self._begin(context)
        if self._steps is None:
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.modal_handler_add(self)
        context.window_manager.progress_begin(0, 1)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC":
            return self._leave(context, {"CANCELLED"})
        if event.type != "TIMER":
            # Looking around is fine; an undo or a deletion now would take away what is being filled.
            return {"PASS_THROUGH"} if event.type in LOOKING else {"RUNNING_MODAL"}
        until = time.perf_counter() + SLICE
        for part, note in self._steps:
            context.window_manager.progress_update(part)
            context.workspace.status_text_set(f"{say('Unflatten imports')}: {say(note)}" if note else None)
            if time.perf_counter() > until:
                return {"RUNNING_MODAL"}
        self._tell(context)
        return self._leave(context, {"FINISHED"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        steps = self._begin(context)
        if steps is None:
            return {"CANCELLED"}
        for _ in steps:
            pass
        self._tell(context)
        return {"FINISHED"}

    def _begin(self, context: bpy.types.Context) -> Iterator[tuple[float, str]] | None:
        clip = self.find(context)
        if clip is None:
            return None
        if self.folder:
            found = results.of_folder(Path(bpy.path.abspath(self.folder)))
        else:
            found = results.of_stages(folders_of(clip, context.scene))
        self._frames = found.get("frames")
        wants = tuple(want.strip() for want in self.wants.split(",") if want.strip()) or tuple(OFFERS)
        if not any(all(kind in found for kind in OFFERS[want]) for want in wants if want in OFFERS):
            self.report({"ERROR"}, say("There is nothing to import yet: recover something first."))
            return None
        return import_all(clip, context.scene, found, wants, clip.unflatten.match_scene)

    def _tell(self, context: bpy.types.Context) -> None:
        clip = self.find(context)
        if clip is not None and (shown := footage.of(clip)) != clip:
            self.report({"INFO"}, say("Blender reads this clip otherwise than the engine: behind the camera stands '{name}'.", name=shown.name))
        elif clip is not None and footage.slips(clip, self._frames):
            self.report({"WARNING"}, say("Blender reads this clip otherwise than the engine, whose frames are not here: import from the cache."))

    def _leave(self, context: bpy.types.Context, how: set[str]) -> set[str]:
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
        jobs.redraw(footage=True)
        return how


def folders_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> dict[str, Path]:
    """Stage -> folder: of the settings as they are, else of the last run."""
    last = {result.name: Path(result.path) for result in clip.unflatten.results if (Path(result.path) / "done.json").is_file()}
    return {**last, **request.standing_of(clip, scene).folders}


register, unregister = bpy.utils.register_classes_factory((UNFLATTEN_OT_import_results,))
