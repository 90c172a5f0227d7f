"""A shot rendered by Blender itself: a yard of boxes and a ball, its camera, its plates and its depth as the engine's artifacts would be."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

SIZE = (256, 144)  # W, H
FOCAL = 240.0  # px
FRAMES = (1, 2, 3)
BOX = (-0.9, 1.0, 0.7)  # middle of the box that hides things


def eye(frame: int) -> Matrix:
    """Where the camera stands: Blender's axes, walking right and turning back a little."""
    along = (frame - 2) * 0.25
    return Matrix.Translation((along, -4.0, 1.5)) @ Matrix.Rotation(0.05 * along, 4, "Z") @ Matrix.Rotation(np.pi / 2 - 0.12, 4, "X")


def build(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The yard, coloured by its own positions, and the true camera. Returns what has a surface."""
    solids = [
        _box("floor", (0, 6, -0.5), (30, 40, 1)), _box("wall", (0, 9, 3), (40, 0.5, 6)),
        _box("near", BOX, (0.8, 0.5, 1.4), 0.5), _box("far", (2.0, 4.0, 1.0), (1.5, 1.5, 2.0), -0.3),
    ]
    for solid in solids:
        scene.collection.objects.link(solid)
        solid.data.materials.append(_paint())
    camera = bpy.data.objects.new("true", bpy.data.cameras.new("true"))
    camera.data.sensor_fit, camera.data.sensor_width, camera.data.lens = "HORIZONTAL", 36.0, FOCAL / SIZE[0] * 36.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    prepare(scene)
    return solids


def prepare(scene: bpy.types.Scene, samples: int = 4) -> None:
    """Small pictures by Cycles, in the colours of the file."""
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", samples, False
    scene.cycles.max_bounces, scene.cycles.use_adaptive_sampling, scene.render.threads_mode = 0, False, "FIXED"
    scene.render.threads = 1
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = *SIZE, 100
    scene.view_settings.view_transform = "Standard"


def make_shot(folder: Path) -> Path:
    """Plates, depth and camera of every frame, as `--out` lays them."""
    from unflatten.addon import versions

    scene = bpy.context.scene
    build(scene)
    numbers = np.array(FRAMES)
    for number in FRAMES:
        scene.camera.matrix_world = eye(number)
        versions.write_images(scene)
        render(scene, folder / "frames" / f"{number:06d}.png")
    _depth_pass(scene)
    for number in FRAMES:
        scene.camera.matrix_world = eye(number)
        render(scene, folder / "depth" / f"{number:06d}.exr")
    (folder / "depth" / "depth.json").write_text(json.dumps({"size": SIZE, "near": 3.0, "far": 14.0}))
    (folder / "frames" / "clip.json").write_text(json.dumps({
        "size": SIZE, "fps": "24", "frames": FRAMES, "times": [0.0, 1 / 24, 2 / 24], "cuts": [], "duplicates": [],
    }))
    (folder / "camera").mkdir()
    poses = np.array([eye(number) for number in FRAMES]) @ np.diag([1.0, -1.0, -1.0, 1.0])
    count = len(FRAMES)
    np.savez(
        folder / "camera" / "camera.npz", frame=numbers, world_from_camera=poses, focal=np.full((count, 2), FOCAL),
        centre=np.tile(np.array(SIZE) / 2, (count, 1)), distortion=np.zeros((count, 4)), solved=np.ones(count, bool), size=np.array(SIZE),
    )
    (folder / "camera" / "report.json").write_text(json.dumps({"method": "truth", "scale": "metric", "verdict": "good", "warnings": []}))
    return folder


def render(scene: bpy.types.Scene, path: Path) -> Path:
    """The current frame into a file."""
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return path


def picture(path: Path) -> np.ndarray:
    """[H, W, 4] as the file has it, from the top."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(image.size[1], image.size[0], 4)[::-1]
    bpy.data.images.remove(image)
    return values


def _box(name: str, middle: tuple, sides: tuple, turn: float = 0.0) -> bpy.types.Object:
    import bmesh

    mesh, shape = bpy.data.meshes.new(name), bmesh.new()
    bmesh.ops.create_cube(shape, size=1.0)
    shape.to_mesh(mesh)
    shape.free()
    made = bpy.data.objects.new(name, mesh)
    made.matrix_world = Matrix.Translation(middle) @ Matrix.Rotation(turn, 4, "Z") @ Matrix.Diagonal((*sides, 1))
    return made


def _paint() -> bpy.types.Material:
    """A glow that varies, the same from everywhere."""
    made = bpy.data.materials.get("paint") or bpy.data.materials.new("paint")
    if "paint" not in made:
        nodes, links = glow(made)
        noise, place = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeNewGeometry")
        noise.inputs["Scale"].default_value = 1.5
        links.new(place.outputs["Position"], noise.inputs["Vector"])
        links.new(noise.outputs["Color"], nodes["Emission"].inputs["Color"])
        made["paint"] = True
    return made


def _depth_pass(scene: bpy.types.Scene) -> None:
    """From here on every pixel holds the depth along the axis at its centre."""
    from unflatten.addon import versions

    made = bpy.data.materials.new("depth")
    nodes, links = glow(made)
    seen = nodes.new("ShaderNodeCameraData")
    links.new(seen.outputs["View Z Depth"], nodes["Emission"].inputs["Color"])
    bpy.context.view_layer.material_override = made
    scene.cycles.samples, scene.cycles.pixel_filter_type, scene.cycles.filter_width = 1, "BLACKMAN_HARRIS", 0.01
    versions.write_images(scene, "OPEN_EXR", "RGB", "32")


def glow(material: bpy.types.Material) -> tuple:
    """A material that shines; its nodes and links."""
    from unflatten.addon import versions

    group = versions.node_tree_of(material)
    group.nodes.clear()
    glow, end = group.nodes.new("ShaderNodeEmission"), group.nodes.new("ShaderNodeOutputMaterial")
    glow.name = "Emission"
    group.links.new(glow.outputs[0], end.inputs["Surface"])
    return group.nodes, group.links
