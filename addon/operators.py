"""What buttons and scripts call: run, cancel, remedy, defaults. Imports bpy. execute() waits, invoke() does not."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from ..engine.contract.option import WrongOption
from ..engine.contract.stages import BY_NAME
from . import jobs, preferences, settings, setup
from .clips import OnClip, clip_of
from .imports import import_when_done
from .job import Job
from .languages import CONTEXT, say
from .languages.sentences import told


class UNFLATTEN_OT_run(OnClip, bpy.types.Operator):
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

    def _make(self, context: bpy.types.Context) -> Job | None:
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


class UNFLATTEN_OT_cancel(OnClip, bpy.types.Operator):
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


class UNFLATTEN_OT_remedy(OnClip, bpy.types.Operator):
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


class UNFLATTEN_OT_reset(OnClip, bpy.types.Operator):
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


CLASSES = (UNFLATTEN_OT_run, UNFLATTEN_OT_cancel, UNFLATTEN_OT_remedy, UNFLATTEN_OT_reset)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
