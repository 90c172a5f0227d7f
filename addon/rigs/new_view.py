"""A view of the recovered scene from beside the camera that shot it, as far as depth carries; holes stay holes. Imports bpy."""

from __future__ import annotations

import bpy

from ..importers import depth, place


def free(clip: bpy.types.MovieClip, scene: bpy.types.Scene, base: bpy.types.Object) -> bpy.types.Object:
    """A camera that rides on the recovered one: move and turn it as you like, it starts where the plate was shot."""
    target, fresh = place.object_of(clip, scene, "view camera", f"{clip.name} view camera", lambda name: base.data.copy(), parented=False)
    if fresh:
        target.data.show_background_images = False
    target.parent = base
    show_surface(clip, scene)
    scene.camera = target
    return target


def show_surface(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> None:
    """Let the render show the recovered surface; a hole is transparent, not black."""
    surface = place.made(clip, depth.SURFACE).object
    if surface is not None:
        surface.visible_camera, surface.is_holdout, surface.hide_render = True, False, False
    for role in ("occluder", "shadow", "sun"):
        memory = clip.unflatten.made.get(role)
        if memory and memory.object:
            memory.object.hide_render = True
    scene.render.film_transparent = True
    scene.render.use_compositing = False  # the plate does not belong under another view
