"""The recovered camera and the depth of one frame, seen from the side, in a scene of its own; imports bpy, numpy and the add-on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import bpy
import numpy as np
from mathutils import Matrix, Vector

SIZE = (960, 540)


def render(clip: bpy.types.MovieClip, main: bpy.types.Scene, span: float, path: Path, still: Callable[[bpy.types.Scene, Path], None]) -> None:
    """Render the side view of the current frame, as far as `span` scene units from the camera; the scene stays in the file for whoever wants to look around."""
    frame = main.frame_current
    camera = clip.unflatten.made["camera"].object
    shown = [role for role in ("depth", "cloud") if clip.unflatten.made.get(role) and clip.unflatten.made[role].object]
    pose, lens = camera.matrix_world.copy(), camera.data
    track = _track(main, camera)
    scene = bpy.data.scenes.new("Side view")
    for role in shown:
        scene.collection.objects.link(clip.unflatten.made[role].object)
    hidden = {role: clip.unflatten.made[role].object.hide_render for role in shown}
    for role in shown:
        clip.unflatten.made[role].object.hide_render = False
    middle = pose @ Vector((0, 0, -0.55 * span))
    _draw_track(scene, track, span)
    _draw_camera(scene, pose, lens, main.render.resolution_y / main.render.resolution_x, span)
    _look(scene, pose, middle, span)
    scene.frame_set(frame)
    with bpy.context.temp_override(scene=scene):
        bpy.context.window.scene = scene
        still(scene, path)
        bpy.context.window.scene = main
    for role, state in hidden.items():
        clip.unflatten.made[role].object.hide_render = state


def _track(scene: bpy.types.Scene, camera: bpy.types.Object) -> np.ndarray:
    """The camera's places [T, 3] over the shot."""
    frame = scene.frame_current
    places = []
    for number in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(number)
        places.append(np.array(camera.matrix_world.translation))
    scene.frame_set(frame)
    return np.array(places)


def _glow(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if not material.node_tree:
        material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    glow, end = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    glow.inputs[0].default_value = (*colour, 1.0)
    material.node_tree.links.new(glow.outputs[0], end.inputs[0])
    return material


def _lines(scene: bpy.types.Scene, name: str, lines: list[list[Any]], thick: float, colour: tuple[float, float, float]) -> None:
    """Glowing wires."""
    curve = bpy.data.curves.new(name, "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", thick, 2
    for line in lines:
        spline = curve.splines.new("POLY")
        spline.points.add(len(line) - 1)
        spline.points.foreach_set("co", np.array([[*point, 1.0] for point in line], np.float32).ravel())
    curve.materials.append(_glow(name, colour))
    scene.collection.objects.link(bpy.data.objects.new(name, curve))


def _draw_track(scene: bpy.types.Scene, track: np.ndarray, span: float) -> None:
    _lines(scene, "Camera path", [list(track)], span * 0.006, (1.0, 0.35, 0.03))


def _draw_camera(scene: bpy.types.Scene, pose: Matrix, lens: bpy.types.Camera, aspect: float, span: float) -> None:
    """The frustum: a small solid pyramid, and thin edges that go on into the scene."""
    half = lens.sensor_width / lens.lens / 2
    corners = [(-half, -half * aspect, -1), (half, -half * aspect, -1), (half, half * aspect, -1), (-half, half * aspect, -1)]
    near = [pose @ (Vector(corner) * span * 0.16) for corner in corners]
    far = [pose @ (Vector(corner) * span) for corner in corners]
    eye = pose.translation
    _lines(scene, "Camera", [[eye, corner] for corner in near] + [[*near, near[0]]], span * 0.005, (1.0, 0.85, 0.2))
    _lines(scene, "Field of view", [[eye, corner] for corner in far], span * 0.0015, (0.6, 0.55, 0.4))


def _look(scene: bpy.types.Scene, pose: Matrix, middle: Vector, span: float) -> None:
    """A camera from the side and above, a dark world, flat light."""
    turn = pose.to_3x3()
    right, up, back = (turn @ Vector(axis) for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    up = Vector((0, 0, 1)) if up.z > 0.3 else up
    eye = middle + (right * 0.95 + up * 0.75 + back * 0.42) * span * 1.15
    data = bpy.data.cameras.new("Side view")
    data.lens, data.clip_start, data.clip_end = 34, span * 0.01, span * 50
    target = bpy.data.objects.new("Side view", data)
    target.matrix_world = Matrix.LocRotScale(eye, (middle - eye).to_track_quat("-Z", "Y"), None)
    scene.collection.objects.link(target)
    scene.camera = target
    scene.world = bpy.data.worlds.new("Dark")
    if not scene.world.node_tree:
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.012, 0.013, 0.016, 1)
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 6, False
    scene.cycles.max_bounces = 0
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y = SIZE
