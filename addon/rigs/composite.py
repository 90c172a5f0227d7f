"""A subject over another background: its foreground colours, its soft matte, laid over in the compositor. Imports bpy."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import versions
from ..importers import place
from ..nodes import plate

NAME = "Unflatten matte"


def subjects_of(clip: bpy.types.MovieClip) -> list[str]:
    """The subjects whose mattes were imported."""
    return sorted(entry.name.removeprefix("alpha ") for entry in clip.unflatten.made if entry.name.startswith("alpha ") and entry.image)


def over_colour(clip: bpy.types.MovieClip, scene: bpy.types.Scene, subject: str, colour: tuple[float, float, float]) -> bpy.types.Node:
    """The subject over one colour; connect anything else to the background of the returned node."""
    group, result, _ = versions.compositor(scene)
    node = group.nodes.get(f"{NAME} {subject}")
    if node is None:
        node = group.nodes.new("CompositorNodeAlphaOver")
        node.name = node.label = f"{NAME} {subject}"
        below, front = versions.alpha_over_inputs(node)
        below.default_value = (*colour, 1.0)
        group.links.new(_cut_out(group, clip, subject), front)
    group.links.new(node.outputs[0], result)
    scene.render.use_compositing = True
    return node


def _cut_out(group: bpy.types.NodeTree, clip: bpy.types.MovieClip, subject: str) -> bpy.types.NodeSocket:
    """Foreground times alpha, at the size of the render."""
    alpha = place.made(clip, f"alpha {subject}").image
    shift = place.frame_shift(clip)
    matte = plate.picture_node(group, alpha, shift)
    separate = group.nodes.new("CompositorNodeSeparateColor")
    group.links.new(versions.scale_to_render(group, matte.outputs["Image"]), separate.inputs[0])
    colours = _foreground(group, clip, alpha, subject, shift)
    cut = group.nodes.new("CompositorNodeSetAlpha")
    versions.multiply_alpha(cut)
    group.links.new(versions.scale_to_render(group, colours), cut.inputs["Image"])
    group.links.new(separate.outputs[0], cut.inputs["Alpha"])
    return cut.outputs[0]


def _foreground(group: bpy.types.NodeTree, clip: bpy.types.MovieClip, alpha: bpy.types.Image, subject: str, shift: int) -> bpy.types.NodeSocket:
    """The colours without the old background where the engine has estimated them, else the plate."""
    path = Path(bpy.path.abspath(alpha.filepath))
    beside = path.parent.parent / "foreground" / path.name
    if beside.is_file():
        return plate.picture_node(group, place.picture(clip, f"foreground {subject}", beside, "sRGB"), shift).outputs["Image"]
    node = group.nodes.new("CompositorNodeMovieClip")
    node.clip = clip
    return node.outputs["Image"]
