"""Things of soft alpha, rendered by Cycles: `.venv-blender/bin/python tests/bench/alpha_shots.py hair|fur|blur|glass --out FOLDER [--frames 8]`.

Writes %05d.png, straight colour and alpha in 16 bit, without a background: tests/bench/mattes.py lays them over one. All is made here, by code.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import bpy
import numpy as np

SIZE, SAMPLES = (640, 360), 32


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("thing", choices=sorted(THINGS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=8)
    chosen = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    pivot = bpy.data.objects.new("pivot", None)
    bpy.context.scene.collection.objects.link(pivot)
    turn = THINGS[chosen.thing](pivot)
    _set_up(bpy.context.scene, chosen.thing, chosen.frames)
    for frame in (0, chosen.frames + 1):  # beyond both ends, since keys ease there
        pivot.location, pivot.rotation_euler = (0.06 * frame - 0.3, 0, 0.02 * frame), (0, turn * frame, 0.05 * frame)
        pivot.keyframe_insert("location", frame=frame)
        pivot.keyframe_insert("rotation_euler", frame=frame)
    for frame in range(1, chosen.frames + 1):
        bpy.context.scene.frame_set(frame)
        bpy.context.scene.render.filepath = str(chosen.out / f"{frame:05d}.png")
        bpy.ops.render.render(write_still=True)


def hair(pivot: bpy.types.Object) -> float:
    """A head with long strands that hang; returns how far it turns in a frame, rad."""
    dice = np.random.default_rng(1)
    _ball(pivot, 0.55, (0.6, 0.4, 0.3))
    strands = []
    for _ in range(700):
        way = dice.normal(size=3)
        way[2] = abs(way[2])
        way /= np.linalg.norm(way)
        along = np.linspace(0, 1, 6)[:, None]
        strands.append(way * (0.55 + 0.35 * along) + np.array((0, 0, -1.1)) * along**2 * (0.6 + 0.4 * dice.random()) + dice.normal(0, 0.03, (6, 3)) * along)
    _strands(pivot, strands, 0.004, (0.12, 0.06, 0.03))
    return 0.02


def fur(pivot: bpy.types.Object) -> float:
    """A ball with short fur."""
    dice = np.random.default_rng(2)
    _ball(pivot, 0.7, (0.35, 0.25, 0.15))
    ways = dice.normal(size=(5000, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    bent = np.array((0.1, 0, -0.12))
    _strands(pivot, [way * (0.68 + np.linspace(0, 0.25, 3)[:, None]) + bent * np.linspace(0, 1, 3)[:, None] ** 2 for way in ways], 0.004, (0.4, 0.28, 0.16))
    return 0.03


def blur(pivot: bpy.types.Object) -> float:
    """A propeller that turns fast, blurred over half of each frame."""
    for turn in range(3):
        bpy.ops.mesh.primitive_cube_add(size=1)
        blade = bpy.context.object
        blade.scale, blade.rotation_euler = (0.22, 0.05, 1.0), (0, turn * 2 * math.pi / 3, 0)
        blade.location = (0.5 * math.sin(turn * 2 * math.pi / 3), 0, 0.5 * math.cos(turn * 2 * math.pi / 3))
        blade.parent = pivot
        blade.data.materials.append(_paint((0.7, 0.1, 0.08)))
    return 0.2


def glass(pivot: bpy.types.Object) -> float:
    """A glass ball on a dark stand."""
    ball = _ball(pivot, 0.6, (0.9, 0.95, 1.0))
    shader = ball.data.materials[0].node_tree.nodes["Principled BSDF"]
    shader.inputs["Transmission Weight"].default_value, shader.inputs["Roughness"].default_value = 1.0, 0.02
    bpy.ops.mesh.primitive_cylinder_add(radius=0.3, depth=0.4, location=(0, 0, -0.7))
    bpy.context.object.parent = pivot
    bpy.context.object.data.materials.append(_paint((0.05, 0.05, 0.08)))
    return 0.0


THINGS = {"hair": hair, "fur": fur, "blur": blur, "glass": glass}


def _ball(pivot: bpy.types.Object, radius: float, colour: tuple[float, ...]) -> bpy.types.Object:
    bpy.ops.mesh.primitive_uv_sphere_add(radius=radius, segments=48, ring_count=24)
    ball = bpy.context.object
    bpy.ops.object.shade_smooth()
    ball.parent = pivot
    ball.data.materials.append(_paint(colour))
    return ball


def _strands(pivot: bpy.types.Object, strands: list[np.ndarray], radius: float, colour: tuple[float, ...]) -> None:
    """Tubes along [N, 3] each, thinner towards the end."""
    curve = bpy.data.curves.new("strands", "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", radius, 0
    for strand in strands:
        spline = curve.splines.new("POLY")
        spline.points.add(len(strand) - 1)
        spline.points.foreach_set("co", np.c_[strand, np.ones(len(strand))].astype(np.float32).ravel())
        spline.points.foreach_set("radius", np.linspace(1, 0.3, len(strand), dtype=np.float32))
    thing = bpy.data.objects.new("strands", curve)
    thing.parent = pivot
    curve.materials.append(_paint(colour))
    bpy.context.scene.collection.objects.link(thing)


def _paint(colour: tuple[float, ...]) -> bpy.types.Material:
    paint = bpy.data.materials.new("paint")
    if paint.node_tree is None:  # Blender 4
        paint.use_nodes = True
    shader = paint.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value, shader.inputs["Roughness"].default_value = (*colour, 1), 0.5
    return paint


def _set_up(scene: bpy.types.Scene, thing: str, frames: int) -> None:
    """Camera, sky, sun and the renderer."""
    camera, sun = bpy.data.objects.new("camera", bpy.data.cameras.new("camera")), bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    camera.location, camera.rotation_euler = (0, -5, 0), (math.pi / 2, 0, 0)
    sun.rotation_euler, sun.data.energy = (0.7, 0.3, 0.5), 3.0
    for thing_of in (camera, sun):
        scene.collection.objects.link(thing_of)
    scene.world = bpy.data.worlds.new("sky")
    scene.camera, render = camera, scene.render
    render.engine, scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", "CPU", SAMPLES, False
    scene.cycles.max_bounces, scene.cycles.film_transparent_glass = 6, True
    render.film_transparent, render.use_motion_blur, render.motion_blur_shutter = True, thing == "blur", 0.5
    render.resolution_x, render.resolution_y, render.resolution_percentage = *SIZE, 100
    render.image_settings.file_format, render.image_settings.color_mode, render.image_settings.color_depth = "PNG", "RGBA", "16"
    scene.view_settings.view_transform, scene.frame_start, scene.frame_end = "Standard", 1, frames


if __name__ == "__main__":
    main()
