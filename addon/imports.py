"""Results into the scene: the button, and the import after a run. Imports bpy."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from ..engine.contract.cache import DONE
from . import request, results
from .clips import OnClip
from .importers import footage
from .importers.everything import OFFERS, import_all
from .job import Job
from .languages import CONTEXT, say
from .slices import InSlices, Steps


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


class UNFLATTEN_OT_import_results(OnClip, InSlices, bpy.types.Operator):
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

    def begin(self, context: bpy.types.Context) -> Steps | None:
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

    def doing(self) -> str:
        return say("Unflatten imports")

    def tell(self, context: bpy.types.Context) -> None:
        clip = self.find(context)
        if clip is not None and (shown := footage.of(clip)) != clip:
            self.report({"INFO"}, say("Blender reads this clip otherwise than the engine: behind the camera stands '{name}'.", name=shown.name))
        elif clip is not None and footage.slips(clip, self._frames):
            self.report({"WARNING"}, say("Blender reads this clip otherwise than the engine, whose frames are not here: import from the cache."))


def folders_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> dict[str, Path]:
    """Stage -> folder: of the settings as they are, else of the last run."""
    last = {result.name: Path(result.path) for result in clip.unflatten.results if (Path(result.path) / DONE).is_file()}
    return {**last, **request.standing_of(clip, scene).folders}


register, unregister = bpy.utils.register_classes_factory((UNFLATTEN_OT_import_results,))
