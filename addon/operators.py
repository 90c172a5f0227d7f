"""What buttons and scripts call: run, cancel, import, remedy, defaults. Imports bpy. execute() waits, invoke() does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from ..engine.contract.option import WrongOption
from ..engine.contract.stages import BY_NAME
from . import jobs, preferences, request, results, settings, setup
from .importers.everything import OFFERS, import_all
from .languages import CONTEXT, say
from .languages.sentences import told

SLICE = 0.02  # s of importing between two looks of Blender at its windows
LOOKING = {"MOUSEMOVE", "INBETWEEN_MOUSEMOVE", "MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM", "WINDOW_DEACTIVATE"}


def clip_of(context: bpy.types.Context) -> bpy.types.MovieClip | None:
    """The clip that is edited, else the scene's, else the only one."""
    space = context.space_data
    if space is not None and space.type == "CLIP_EDITOR" and space.clip:
        return space.clip
    if context.scene.active_clip:
        return context.scene.active_clip
    return bpy.data.movieclips[0] if len(bpy.data.movieclips) == 1 else None


class _OnClip:
    """Operators that need a clip; the greyed button says so."""

    bl_translation_context = CONTEXT

    clip: StringProperty(name="Clip", translation_context=CONTEXT, description="Name of the clip; empty for the one that is shown", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if clip_of(context) is None and len(bpy.data.movieclips) == 0:
            cls.poll_message_set(say("Open a clip first"))
            return False
        return True

    def find(self, context: bpy.types.Context) -> bpy.types.MovieClip | None:
        found = bpy.data.movieclips.get(self.clip) if self.clip else clip_of(context)
        if found is None:
            self.report({"ERROR"}, say("There is no clip '{name}'.", name=self.clip) if self.clip else say("Open a clip first"))
        return found


class UNFLATTEN_OT_run(_OnClip, bpy.types.Operator):
    """Recover what is ticked below from this clip"""

    bl_idname = "unflatten.run"
    bl_label = "Recover"

    wants: StringProperty(
        name="Wanted", translation_context=CONTEXT,
        description="camera, depth, cloud, mattes, slowmo, separated by commas; empty for what is ticked", options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if preferences.engine_python() is None and not bpy.ops.unflatten.setup.poll():
            cls.poll_message_set(say("The set-up is under way") if setup.busy() else say("Set up the engine first"))
            return False
        clip = clip_of(context)
        if clip is not None and (job := jobs.of(clip)) is not None and not job.finished:
            cls.poll_message_set(say("This clip is being worked on"))
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if preferences.engine_python() is None:  # it asks, makes the engine, and then does what was wanted
            clip = self.find(context)
            return bpy.ops.unflatten.setup("INVOKE_DEFAULT", recover=clip.name) if clip else {"CANCELLED"}
        job = self._make(context)
        if job is None:
            return {"CANCELLED"}
        job.on_end = import_when_done
        jobs.enqueue(job)
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if preferences.engine_python() is None:
            self.report({"ERROR"}, say("Set up the engine first"))
            return {"CANCELLED"}
        job = self._make(context)
        if job is None:
            return {"CANCELLED"}
        jobs.wait(job, preferences.engine_python())
        for failure in job.failures:
            kind = "ERROR" if job.status == "failed" and not job.folders else "WARNING"
            self.report({kind}, " ".join(map(told, (failure.what, failure.why, failure.remedy))))
        clip = job.clip_block()
        if clip.unflatten.auto_import and job.folders:
            bpy.ops.unflatten.import_results(clip=clip.name, wants=",".join(job.request.wants))
        return {"FINISHED"} if job.folders else {"CANCELLED"}

    def _make(self, context: bpy.types.Context) -> jobs.Job | None:
        clip = self.find(context)
        if clip is None:
            return None
        wants = tuple(want.strip() for want in self.wants.split(",") if want.strip()) or settings.wants_of(clip)
        if not wants:
            self.report({"ERROR"}, say("Tick what shall be recovered first."))
            return None
        try:
            return jobs.make(clip, context.scene, wants)
        except WrongOption as error:
            self.report({"ERROR"}, told(str(error)))
            return None


def import_when_done(job: jobs.Job) -> None:
    """Called by the queue: an import of its own, so that it can be undone."""
    clip = job.clip_block()
    if clip is None or not clip.unflatten.auto_import or job.status == "cancelled" or not bpy.context.window_manager.windows:
        return
    wants = [want for want in job.request.wants if want in OFFERS and all(kind in results.of_stages(job.folders) for kind in OFFERS[want])]
    if not wants:
        return
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.unflatten.import_results("INVOKE_DEFAULT", clip=clip.name, wants=",".join(wants))


class UNFLATTEN_OT_cancel(_OnClip, bpy.types.Operator):
    """Stop the work on this clip; finished frames are kept"""

    bl_idname = "unflatten.cancel"
    bl_label = "Cancel"

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = self.find(context)
        job = jobs.of(clip) if clip else None
        if job is None:
            return {"CANCELLED"}
        job.cancel()
        return {"FINISHED"}


class UNFLATTEN_OT_import_results(_OnClip, bpy.types.Operator):
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
        return self._leave(context, {"FINISHED"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        steps = self._begin(context)
        if steps is None:
            return {"CANCELLED"}
        for _ in steps:
            pass
        return {"FINISHED"}

    def _begin(self, context: bpy.types.Context) -> Iterator[tuple[float, str]] | None:
        clip = self.find(context)
        if clip is None:
            return None
        if self.folder:
            found = results.of_folder(Path(bpy.path.abspath(self.folder)))
        else:
            found = results.of_stages(folders_of(clip, context.scene))
        wants = tuple(want.strip() for want in self.wants.split(",") if want.strip()) or tuple(OFFERS)
        if not any(all(kind in found for kind in OFFERS[want]) for want in wants if want in OFFERS):
            self.report({"ERROR"}, say("There is nothing to import yet: recover something first."))
            return None
        return import_all(clip, context.scene, found, wants, clip.unflatten.match_scene)

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


class UNFLATTEN_OT_remedy(_OnClip, bpy.types.Operator):
    """Change the settings as proposed and run again"""

    bl_idname = "unflatten.remedy"
    bl_label = "Do that and run again"

    index: IntProperty(options={"SKIP_SAVE"})
    run: BoolProperty(default=True, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = self.find(context)
        job = jobs.of(clip) if clip else None
        if job is None or not 0 <= self.index < len(job.failures):
            return {"CANCELLED"}
        apply_change(clip, job.failures[self.index].change)
        if self.run:
            how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
            bpy.ops.unflatten.run(how, clip=clip.name, wants=",".join(job.request.wants))
        return {"FINISHED"}


def apply_change(clip: bpy.types.MovieClip, change: dict[str, dict[str, object]]) -> None:
    """Set {stage: {option: value}} in the clip's settings, each checked by the contract."""
    for stage, values in change.items():
        for name, value in values.items():
            about = next(it for it in settings.describe(BY_NAME[stage].options) if it.name == name)
            setattr(getattr(clip.unflatten, stage), name, about.check(value))


class UNFLATTEN_OT_reset(_OnClip, bpy.types.Operator):
    """Set every option of this stage back to its default"""

    bl_idname = "unflatten.reset"
    bl_label = "Defaults"
    bl_options = {"REGISTER", "UNDO"}

    stage: StringProperty(options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = self.find(context)
        if clip is None or self.stage not in BY_NAME:
            return {"CANCELLED"}
        settings.reset(getattr(clip.unflatten, self.stage), BY_NAME[self.stage].options)
        return {"FINISHED"}


CLASSES = (UNFLATTEN_OT_run, UNFLATTEN_OT_cancel, UNFLATTEN_OT_import_results, UNFLATTEN_OT_remedy, UNFLATTEN_OT_reset)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
