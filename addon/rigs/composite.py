"""In the compositor: a subject over another background by its soft matte, and a render behind the plate by recovered depth. Imports bpy."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import versions
from ..importers import footage, place
from ..nodes import plate

NAME = "Unflatten matte"
HIDDEN = "Unflatten occlusion"  # the node that takes away what stands behind the plate
SLACK = 1.02  # a render this little behind the recovered surface still shows: an object on the floor is not cut at its foot


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
    node.clip = footage.of(clip)
    return node.outputs["Image"]


def occlude(clip: bpy.types.MovieClip, scene: bpy.types.Scene, on: bool) -> bool:
    """Let the render's depth be compared with the plate's, pixel by pixel, in place of a holdout mesh; any engine. False without depth.

    Switched off again, the node stays and lets everything pass.
    """
    picture = place.made(clip, "depth picture").image
    if picture is None:
        return False
    plate.lay_over(scene, footage.of(clip))
    group, _, _ = versions.compositor(scene)
    node = group.nodes.get(HIDDEN)
    if node is None and on:
        node = _hide(group, scene, clip, picture)
    if node is not None:
        node.mute = not on
    scene.render.film_transparent = scene.render.use_compositing = True
    return True


def _hide(group: bpy.types.NodeTree, scene: bpy.types.Scene, clip: bpy.types.MovieClip, picture: bpy.types.Image) -> bpy.types.Node:
    """The node, set between the render and all that it went to."""
    render = next((node for node in group.nodes if node.type == "R_LAYERS"), None) or group.nodes.new("CompositorNodeRLayers")
    for layer in scene.view_layers:
        layer.use_pass_z = True
    readers = [link.to_socket for link in group.links if link.from_socket == render.outputs["Image"]]
    surface = plate.depth_of(group, picture, place.frame_shift(clip))
    lens = footage.of(clip)
    if plate.is_bent(lens):
        surface = versions.distort(group, surface, lens, back=True)  # as the render is: without the lens
    behind = versions.calculate(group, "GREATER_THAN", render.outputs["Depth"], versions.calculate(group, "MULTIPLY", surface, SLACK))
    known = versions.calculate(group, "GREATER_THAN", surface, 0.0)
    smooth = group.nodes.new("CompositorNodeAntiAliasing")
    group.links.new(versions.calculate(group, "SUBTRACT", 1.0, versions.calculate(group, "MULTIPLY", behind, known)), smooth.inputs[0])
    node = group.nodes.new("CompositorNodeSetAlpha")
    node.name = node.label = HIDDEN
    versions.multiply_alpha(node)
    group.links.new(render.outputs["Image"], node.inputs["Image"])
    group.links.new(smooth.outputs[0], node.inputs["Alpha"])
    for reader in readers:
        group.links.new(node.outputs[0], reader)
    return node
