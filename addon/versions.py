"""The only file that asks which Blender this is: 4.2 LTS to 5.2. Imports bpy, nothing of the add-on."""

from __future__ import annotations

from typing import Any

import bpy

V = bpy.app.version


def fcurves_of(owner: bpy.types.ID) -> Any:
    """The F-curves of an ID's action, which is made where there is none: slots and layers since 4.4, one flat list before."""
    data = owner.animation_data or owner.animation_data_create()
    if data.action is None:
        data.action = bpy.data.actions.new(owner.name)
    action = data.action
    if not hasattr(action, "slots"):
        return action.fcurves
    if data.action_slot is None:
        data.action_slot = next((slot for slot in action.slots if slot.target_id_type == owner.id_type), None) or action.slots.new(
            id_type=owner.id_type, name=owner.name
        )
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(data.action_slot, ensure=True).fcurves


def fcurve_of(owner: bpy.types.ID, path: str) -> bpy.types.FCurve | None:
    """The F-curve with keys of one property, where there is one."""
    if owner.animation_data is None or owner.animation_data.action is None:
        return None
    curve = fcurves_of(owner).find(path)
    return curve if curve is not None and len(curve.keyframe_points) else None


def turns_films() -> bool:
    """Whether Blender turns films as their display matrix says."""
    return V >= (4, 5, 0)


def set_input(modifier: bpy.types.Modifier, identifier: str, value: Any) -> None:
    """Set an input of a Geometry Nodes modifier: ID properties up to 5.1, real properties since 5.2."""
    if _has_real_inputs(modifier):
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value


def get_input(modifier: bpy.types.Modifier, identifier: str) -> Any:
    """The value of an input of a Geometry Nodes modifier."""
    if _has_real_inputs(modifier):
        return getattr(modifier.properties.inputs, identifier).value
    return modifier[identifier]


def input_path(modifier: bpy.types.Modifier, identifier: str) -> str:
    """The animation path of an input of a Geometry Nodes modifier."""
    if _has_real_inputs(modifier):
        return f'modifiers["{modifier.name}"].properties.inputs.{identifier}.value'
    return f'modifiers["{modifier.name}"]["{identifier}"]'


def _has_real_inputs(modifier: bpy.types.Modifier) -> bool:
    return hasattr(modifier, "properties") and hasattr(modifier.properties, "inputs")


def eevee() -> str:
    """EEVEE's name as a render engine."""
    return "BLENDER_EEVEE" if V >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def compositor(scene: bpy.types.Scene) -> tuple[bpy.types.NodeTree, Any, bool]:
    """The scene's compositor tree, the socket of its result, and whether the tree is new."""
    if V >= (5, 0, 0):
        tree = scene.compositing_node_group
        fresh = tree is None
        if fresh:
            tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
            tree.interface.new_socket(name="Image", in_out="OUTPUT", socket_type="NodeSocketColor")
            scene.compositing_node_group = tree
        output = next((node for node in tree.nodes if node.type == "GROUP_OUTPUT"), None) or tree.nodes.new("NodeGroupOutput")
        return tree, output.inputs[0], fresh
    fresh = not scene.use_nodes
    scene.use_nodes = True
    tree = scene.node_tree
    output = next((node for node in tree.nodes if node.type == "COMPOSITE"), None) or tree.nodes.new("CompositorNodeComposite")
    return tree, output.inputs[0], fresh


def shown(result: Any) -> Any | None:
    """The socket that the compositor shows, or None where it is only what Blender connects by itself: the bare render."""
    source = result.links[0].from_socket if result.links else None
    while source is not None and source.node.type == "REROUTE":
        source = source.node.inputs[0].links[0].from_socket if source.node.inputs[0].links else None
    return None if source is None or source.node.type == "R_LAYERS" else source


def write_images(scene: bpy.types.Scene, file_format: str = "PNG", color_mode: str = "RGB", depth: str = "8") -> None:
    """Let the scene render single images."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = file_format, color_mode, depth


def write_video(scene: bpy.types.Scene) -> None:
    """Let the scene render one H.264 file that plays everywhere."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor = "HIGH"


def node_tree_of(owner: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """The node tree of a material or a world; since 5.0 each has one."""
    if not owner.node_tree:
        owner.use_nodes = True
    return owner.node_tree


def _set_kind(node: bpy.types.Node, name: str, up_to_4: str, since_5: str) -> None:
    """What a compositor node does: a property up to 4.5, a socket with other words since 5.0."""
    if hasattr(node, name):
        setattr(node, name, up_to_4)
    else:
        node.inputs["Type"].default_value = since_5


def scale_to_render(group: bpy.types.NodeTree, picture: Any) -> Any:
    """The picture stretched to the size of the render."""
    node = group.nodes.new("CompositorNodeScale")
    _set_kind(node, "space", "RENDER_SIZE", "Render Size")
    group.links.new(picture, node.inputs["Image"])
    return node.outputs[0]


def distort(group: bpy.types.NodeTree, picture: Any, clip: bpy.types.MovieClip, back: bool = False) -> Any:
    """The picture bent by the clip's lens, or bent `back`."""
    node = group.nodes.new("CompositorNodeMovieDistortion")
    node.clip = clip
    _set_kind(node, "distortion_type", "UNDISTORT" if back else "DISTORT", "Undistort" if back else "Distort")
    group.links.new(picture, node.inputs["Image"])
    return node.outputs[0]


def calculate(group: bpy.types.NodeTree, operation: str, a: Any, b: Any) -> Any:
    """A scalar of the compositor; its math node is that of all trees since 5.0."""
    node = group.nodes.new("ShaderNodeMath" if V >= (5, 0, 0) else "CompositorNodeMath")
    node.operation = operation
    for socket, value in zip(node.inputs, (a, b)):
        if isinstance(value, bpy.types.NodeSocket):
            group.links.new(value, socket)
        else:
            socket.default_value = value
    return node.outputs[0]


def strips_of(scene: bpy.types.Scene) -> Any:
    """The strips of the scene's video editor."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def alpha_over_inputs(node: bpy.types.Node) -> tuple[Any, Any]:
    """The sockets of background and foreground; they have names since 4.5, both were called Image before."""
    named = {socket.name: socket for socket in node.inputs}
    if "Background" in named:
        return named["Background"], named["Foreground"]
    images = [socket for socket in node.inputs if socket.type == "RGBA"]
    return images[0], images[1]


def multiply_alpha(node: bpy.types.Node) -> None:
    """Let a Set Alpha node multiply colour and alpha by the mask."""
    _set_kind(node, "mode", "APPLY", "Apply Mask")


def calls_unevaluated() -> bool:
    """Whether operators can be called without the update of the whole scene around each call (up to 5.1)."""
    from _bpy import ops

    return hasattr(ops, "call")


def insert_mask_key() -> bool:
    """Key the shape of the selected mask layer at the context's frame; False where Blender refused."""
    from _bpy import ops

    done = ops.call("MASK_OT_shape_key_insert", {}) if calls_unevaluated() else bpy.ops.mask.shape_key_insert()
    return "FINISHED" in done


def refresh_status_bar(window: bpy.types.Window) -> None:
    """Draw the window's status bar again. Only the call that sets its text does that, so not while a tool shows its own there."""
    if not len(getattr(window, "modal_operators", ())):
        window.workspace.status_text_set_internal(None)
