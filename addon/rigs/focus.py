"""Focus from recovered depth: marks picked on the plate, a rack between them, blur for CG and for the plate itself. Imports bpy."""

from __future__ import annotations

import bpy

from .. import versions
from ..importers import footage, place
from ..nodes import plate


def focus_on(clip: bpy.types.MovieClip, scene: bpy.types.Scene, point: object, camera: bpy.types.Object) -> bpy.types.Object:
    """Set a focus mark at the current frame; between two marks the focus racks from one place to the other."""
    mark, fresh = place.object_of(clip, scene, "focus", f"{clip.name} focus", lambda name: None)
    if fresh:
        mark.empty_display_type, mark.empty_display_size = "CIRCLE", 0.2
    bpy.context.view_layer.update()
    mark.location = mark.parent.matrix_world.inverted() @ point if mark.parent else point
    mark.keyframe_insert("location", frame=scene.frame_current)
    camera.data.dof.use_dof, camera.data.dof.focus_object = True, mark
    return mark


def marks(clip: bpy.types.MovieClip) -> list[int]:
    """The frames that carry a mark."""
    mark = place.made(clip, "focus").object
    if mark is None or mark.animation_data is None:
        return []
    curve = versions.fcurves_of(mark).find("location", index=0)
    return [round(key.co[0]) for key in curve.keyframe_points] if curve else []


def blur_plate(clip: bpy.types.MovieClip, scene: bpy.types.Scene, f_stop: float = 2.8) -> bool:
    """Defocus the plate in the compositor by its recovered depth, as the scene's camera focuses; False without depth."""
    picture = place.made(clip, "depth picture").image
    if picture is None:
        return False
    group, result, _ = versions.compositor(scene)
    node = next((node for node in group.nodes if node.name == "Unflatten focus"), None)
    if node is None:
        node = group.nodes.new("CompositorNodeDefocus")
        node.name = node.label = "Unflatten focus"
        node.use_zbuffer, node.scene, node.blur_max = True, scene, 32.0
        under = versions.shown(result) or _plate(group, clip)
        group.links.new(under, node.inputs["Image"])
        group.links.new(plate.depth_of(group, picture, place.frame_shift(clip)), node.inputs["Z"])
        group.links.new(node.outputs[0], result)
    node.f_stop, scene.render.use_compositing = f_stop, True
    return True


def _plate(group: bpy.types.NodeTree, clip: bpy.types.MovieClip) -> bpy.types.NodeSocket:
    node = group.nodes.new("CompositorNodeMovieClip")
    node.clip = footage.of(clip)
    return versions.scale_to_render(group, node.outputs["Image"])
