"""A mask over the whole shot as what moves by itself, which must not steer the camera. Imports bpy."""

from __future__ import annotations

import shutil

import bpy

from .canvas import OnMask, beside_results, canvas_of
from .clips import clip_of
from .importers import place
from .languages import say
from .masks import filled, write
from .sidebar import OfClip
from .slices import InSlices, Steps

LARGEST = 960  # px of the longer side: the engine wants these masks at working size


class UNFLATTEN_OT_mask_moves(OnMask, InSlices, bpy.types.Operator):
    """The mask, with its animation over the whole shot, is what moves by itself and must not steer the camera; press again after changing it"""

    bl_idname = "unflatten.mask_moves"
    bl_label = "Mask is what moves"

    def doing(self) -> str:
        return say("Unflatten fills the mask")

    def begin(self, context: bpy.types.Context) -> Steps | None:
        """Fill the mask on every frame."""
        canvas, mask = canvas_of(self, context), self.find_mask(context)
        return None if canvas is None or mask is None else self._filled(context.scene, clip_of(context), canvas, mask)

    def _filled(self, scene: bpy.types.Scene, clip: bpy.types.MovieClip, canvas: bpy.types.MovieClip, mask: bpy.types.Mask) -> Steps:
        """One picture for each frame of the range, which become the movers only once all are there."""
        asked, shift, shown = clip.unflatten, place.frame_shift(canvas), (scene.frame_current, scene.frame_subframe)
        first, last = (asked.first, asked.last) if asked.use_range else (place.first_frame(canvas), place.last_frame(canvas))
        small = min(1.0, LARGEST / max(canvas.size))
        size = tuple(max(1, round(side * small)) for side in canvas.size)
        folder = beside_results(clip, "moving")
        fresh = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            for number in range(first, last + 1):
                scene.frame_set(number + shift)
                write(fresh / f"{number:06d}.png", filled(mask, size))
                yield (number - first + 1) / (last - first + 1), "Mask"
            shutil.rmtree(folder, ignore_errors=True)
            fresh.rename(folder)
            asked.movers.masks = str(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            scene.frame_set(shown[0], subframe=shown[1])


class UNFLATTEN_PT_moving(OfClip, bpy.types.Panel):
    """What moves, from a drawn mask"""

    bl_label = "Draw what moves"
    bl_parent_id = "UNFLATTEN_PT_movers"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator("unflatten.mask_moves", icon="MOD_MASK")


CLASSES = (UNFLATTEN_OT_mask_moves, UNFLATTEN_PT_moving)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
