"""Materials that show the plate, and the compositor tree that lays a render over it. Imports bpy and versions."""

from __future__ import annotations

import bpy

from .. import versions
from . import tree

COLOUR, UV = "Col", "UVMap"


def colour_material() -> bpy.types.Material:
    """Glows in the colour that each point carries; shared by all clouds."""
    found = next((it for it in bpy.data.materials if it.get(tree.STAMP) == "colour" and it.library is None), None)
    if found is not None:
        return found
    made = bpy.data.materials.new("Unflatten colour")
    made[tree.STAMP] = "colour"
    nodes, links = _emission(made)
    source = nodes.new("ShaderNodeAttribute")
    source.attribute_name = COLOUR
    links.new(source.outputs["Color"], nodes["Emission"].inputs["Color"])
    return made


def plate_material(name: str) -> bpy.types.Material:
    """Glows in the colours of the plate, laid on by the camera that shot it; `show_on` gives it the frames."""
    made = bpy.data.materials.new(name)
    made.cycles.emission_sampling = "NONE"  # a plate is a soft light; aiming at each of its faces costs more than it gives
    nodes, links = _emission(made)
    place = nodes.new("ShaderNodeUVMap")
    place.uv_map = UV
    picture = nodes.new("ShaderNodeTexImage")
    picture.name = picture.label = "Plate"
    picture.extension = "EXTEND"
    links.new(place.outputs[0], picture.inputs["Vector"])
    links.new(picture.outputs["Color"], nodes["Emission"].inputs["Color"])
    return made


def show_on(material: bpy.types.Material, image: bpy.types.Image, first: int, count: int, shift: int) -> None:
    """Let the material's plate show file `first` at scene frame `first + shift`, and the following ones after it."""
    node = versions.node_tree_of(material).nodes.get("Plate")
    if node is None:  # the artist has built something else: theirs stays
        return
    node.image = image
    user = node.image_user
    user.frame_start, user.frame_duration, user.frame_offset = first + shift, count, first - 1
    user.use_auto_refresh, user.use_cyclic = True, False


def _emission(material: bpy.types.Material) -> tuple[bpy.types.bpy_prop_collection, bpy.types.NodeLinks]:
    group = versions.node_tree_of(material)
    group.nodes.clear()
    glow = group.nodes.new("ShaderNodeEmission")
    glow.name = "Emission"
    end = group.nodes.new("ShaderNodeOutputMaterial")
    group.links.new(glow.outputs[0], end.inputs["Surface"])
    return group.nodes, group.links


def principled(material: bpy.types.Material, colour: tuple[float, float, float], roughness: float) -> None:
    """A plain material in one colour."""
    node = next(node for node in versions.node_tree_of(material).nodes if node.type == "BSDF_PRINCIPLED")
    node.inputs["Base Color"].default_value, node.inputs["Roughness"].default_value = (*colour, 1.0), roughness


def catcher(name: str) -> bpy.types.Material:
    """What a shadow falls on in Cycles; EEVEE sees through it."""
    made = bpy.data.materials.new(name)
    made.surface_render_method = "BLENDED"  # the other way hides half of what it touches
    group = versions.node_tree_of(made)
    group.nodes.clear()
    for engine, surface in (("CYCLES", "ShaderNodeBsdfDiffuse"), ("EEVEE", "ShaderNodeBsdfTransparent")):
        end = group.nodes.new("ShaderNodeOutputMaterial")
        end.target = engine
        group.links.new(group.nodes.new(surface).outputs[0], end.inputs["Surface"])
    return made


def background(world: bpy.types.World, colour: tuple[float, float, float], strength: float) -> None:
    """A world of one colour."""
    group = versions.node_tree_of(world)
    node = next((node for node in group.nodes if node.type == "BACKGROUND"), None)
    if node is None:
        node, end = group.nodes.new("ShaderNodeBackground"), group.nodes.new("ShaderNodeOutputWorld")
        group.links.new(node.outputs[0], end.inputs["Surface"])
    node.inputs["Color"].default_value, node.inputs["Strength"].default_value = (*colour, 1.0), strength


def lay_over(scene: bpy.types.Scene, clip: bpy.types.MovieClip) -> None:
    """The render over the plate in the compositor; a tree that the artist has built is left alone."""
    group, result, _ = versions.compositor(scene)
    if versions.shown(result) is not None:
        return
    render = next((node for node in group.nodes if node.type == "R_LAYERS"), None) or group.nodes.new("CompositorNodeRLayers")
    render.scene = scene
    picture = group.nodes.new("CompositorNodeMovieClip")
    picture.clip = clip
    under, above = picture.outputs["Image"], render.outputs["Image"]
    under = versions.scale_to_render(group, under)
    if is_bent(clip):
        above = versions.distort(group, above, clip)
    over = group.nodes.new("CompositorNodeAlphaOver")
    below, front = versions.alpha_over_inputs(over)
    group.links.new(under, below)
    group.links.new(above, front)
    group.links.new(over.outputs[0], result)
    for index, node in enumerate((picture, render, over)):
        node.location = (-600 + 250 * index, -200 * index)


def is_bent(clip: bpy.types.MovieClip) -> bool:
    """Whether the clip's lens distorts."""
    lens = clip.tracking.camera
    return any((lens.brown_k1, lens.brown_k2, lens.brown_p1, lens.brown_p2))


def picture_node(group: bpy.types.NodeTree, image: bpy.types.Image, shift: int) -> bpy.types.Node:
    """A compositor node that shows the file whose number is the scene's frame minus `shift`."""
    node = group.nodes.new("CompositorNodeImage")
    node.image = image
    name = image.filepath.replace("\\", "/").rpartition("/")[2]
    first = int("".join(letter for letter in name.partition(".")[0] if letter.isdigit()) or 1)
    node.frame_start, node.frame_offset, node.frame_duration = first + shift, first - 1, 100000
    node.use_auto_refresh = True
    return node


def depth_of(group: bpy.types.NodeTree, image: bpy.types.Image, shift: int) -> bpy.types.NodeSocket:
    """The depth of the current frame in the scene's units, at the size of the render."""
    scaled = versions.scale_to_render(group, picture_node(group, image, shift).outputs["Image"])
    split = group.nodes.new("CompositorNodeSeparateColor")
    group.links.new(scaled, split.inputs[0])
    return split.outputs[0]
