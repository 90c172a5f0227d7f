"""Buttons of the preferences: set the engine up, move, remove; fetch networks; clean the cache. Imports bpy; works through setup.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from ..engine.contract import cache
from . import environment, jobs, machine, preferences, request, setup, weights
from .languages import CONTEXT, say
from .languages.sentences import told


class _Quiet:
    """Operators that change what the engine uses: nothing else may be under way."""

    bl_translation_context = CONTEXT

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if setup.busy():
            cls.poll_message_set(say("The set-up is under way"))
        elif jobs.running():
            cls.poll_message_set(say("Something is being recovered; wait for it or cancel it first."))
        return not setup.busy() and not jobs.running()


class _Asked(_Quiet):
    """Operators that ask once more, and say why when they fail; `act` does the work."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.act()
        except (environment.EnvironmentFailure, OSError) as failure:
            self.report({"ERROR"}, told(str(failure)))
            return {"CANCELLED"}
        machine.forget_sizes()
        request.forget()
        return {"FINISHED"}


def _finish(operator: bpy.types.Operator, work: setup.Work) -> set[str]:
    """With a window the panels tell; without one, wait."""
    if not bpy.app.background:
        return {"FINISHED"}
    work.join()
    if work.failure:
        operator.report({"ERROR"}, " ".join(map(told, (work.failure.what, work.failure.why, work.failure.remedy))))
    return {"CANCELLED"} if work.failure or work.cancelled else {"FINISHED"}


def _recover(clip: str) -> None:
    """What the artist wanted when the engine was still missing."""
    windows = bpy.context.window_manager.windows
    if clip in bpy.data.movieclips and windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.unflatten.run("EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT", clip=clip)


class UNFLATTEN_OT_setup(_Quiet, bpy.types.Operator):
    """Make the engine's own Python and fetch what it needs; Blender's Python is not touched"""

    bl_idname = "unflatten.setup"
    bl_label = "Set up the engine"

    again: BoolProperty(name="From scratch", description="Remove what is there first", options={"SKIP_SAVE"}, translation_context=CONTEXT)
    recover: StringProperty(description="A clip to recover as soon as the engine works", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not bpy.app.online_access and not preferences.get().kit:
            cls.poll_message_set(say("Allow online access in Preferences > System, or choose an offline kit"))
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.lock = setup.lock()
        self.why = environment.choose(setup.LOCKS)[1]
        return context.window_manager.invoke_props_dialog(self, width=460, confirm_text=say("Set up"))

    def draw(self, context: bpy.types.Context) -> None:
        place = preferences.engine_folder()
        rows = {
            say("Runs on"): told(self.why), say("Size"): environment.size_of(self.lock) or say("unknown"), say("Place"): str(place),
            say("Free there"): f"{_free(place) / 1e9:.1f} GB", say("From"): str(preferences.path_of("kit") or "pypi.org"),
        }
        column = self.layout.column(align=True)
        for name, text in rows.items():
            row = column.split(factor=0.22)
            row.label(text=name, translate=False)
            row.label(text=text, translate=False)
        if preferences.engine_is_ours():
            self.layout.prop(self, "again")

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = self.recover
        return _finish(self, setup.start(self.again, (lambda work: _recover(clip)) if clip else lambda work: None))


class UNFLATTEN_OT_setup_cancel(bpy.types.Operator):
    """Stop the set-up; what was fetched is kept for the next try"""

    bl_idname = "unflatten.setup_cancel"
    bl_label = "Cancel the set-up"
    bl_translation_context = CONTEXT

    def execute(self, context: bpy.types.Context) -> set[str]:
        if setup.current():
            setup.current().cancel()
        return {"FINISHED"}


class UNFLATTEN_OT_move_engine(_Quiet, bpy.types.Operator):
    """Take the engine to another folder, on another drive too; choose an empty one"""

    bl_idname = "unflatten.move_engine"
    bl_label = "Move the engine"

    directory: StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"}, translation_context=CONTEXT)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        return _finish(self, setup.move(Path(bpy.path.abspath(self.directory))))


class UNFLATTEN_OT_remove_engine(_Asked, bpy.types.Operator):
    """Remove the engine's Python; results and settings stay"""

    bl_idname = "unflatten.remove_engine"
    bl_label = "Remove the engine"

    def act(self) -> None:
        """Called after the question."""
        environment.remove(preferences.engine_folder())


class UNFLATTEN_OT_clean(_Asked, bpy.types.Operator):
    """Remove all results from the cache, and what cancelled runs left; what was imported loses its pictures until it is recovered again"""

    bl_idname = "unflatten.clean"
    bl_label = "Clean the cache"

    def act(self) -> None:
        """Called after the question."""
        cache.clean(preferences.store_folder())


class UNFLATTEN_OT_fetch_weights(_Quiet, bpy.types.Operator):
    """Download this network from its authors, after you have agreed to its licence"""

    bl_idname = "unflatten.fetch_weights"
    bl_label = "Fetch a network"

    network: StringProperty(options={"SKIP_SAVE", "HIDDEN"})
    consent: BoolProperty(
        name="I agree to this licence", description="Nothing is downloaded before", options={"SKIP_SAVE"}, translation_context=CONTEXT,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not bpy.app.online_access:
            cls.poll_message_set(say("Allow online access in Preferences > System, or import a copy of the file"))
            return False
        return _has_engine(cls) and super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=460)

    def draw(self, context: bpy.types.Context) -> None:
        entry = weights.table()[self.network]
        column = self.layout.column(align=True)
        for text in (told(entry.purpose), f"{entry.size / 1e6:.0f} MB", told(entry.licence), entry.address):
            column.label(text=text, translate=False)
        if not entry.commercial:
            column.label(text=say("Not for commercial work"), icon="ERROR", translate=False)
        self.layout.prop(self, "consent")

    def execute(self, context: bpy.types.Context) -> set[str]:
        entry = weights.table().get(self.network)
        if entry is None or not entry.can_be_fetched or not self.consent:
            self.report({"ERROR"}, say("Nothing was fetched: its licence was not agreed to."))
            return {"CANCELLED"}
        return _finish(self, setup.fetch(self.network))


class UNFLATTEN_OT_import_weights(_Asked, bpy.types.Operator):
    """Take a copy of the network's file that you have; its checksum is remembered and compared before every use"""

    bl_idname = "unflatten.import_weights"
    bl_label = "Import a network"

    network: StringProperty(options={"SKIP_SAVE", "HIDDEN"})
    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"}, translation_context=CONTEXT)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _has_engine(cls) and super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self) -> None:
        """Called after the choice of the file."""
        weights.take(preferences.engine_python(), preferences.ROOT, self.network, bpy.path.abspath(self.filepath))


def _has_engine(operator: type) -> bool:
    if preferences.engine_python() is None:
        operator.poll_message_set(say("Set up the engine first"))
        return False
    return True


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


CLASSES = (
    UNFLATTEN_OT_setup, UNFLATTEN_OT_setup_cancel, UNFLATTEN_OT_move_engine, UNFLATTEN_OT_remove_engine, UNFLATTEN_OT_clean,
    UNFLATTEN_OT_fetch_weights, UNFLATTEN_OT_import_weights,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
