"""The whole chain, engine and Blender together: a made clip, the button, and what stands in the scene against what is known of the shot."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from rendered import picture

from engine.geometry.pose import mean_rotation
from engine.geometry.similarity import Similarity, align

ROOT = Path(__file__).resolve().parents[2]
ENGINE = os.environ.get("UNFLATTEN_ENGINE") or next((str(path) for path in ROOT.glob(".venv/*/python*") if path.stem == "python"), "")
pytestmark = pytest.mark.skipif(not ENGINE, reason="the engine's Python is absent: `python3 build.py env` makes it, or UNFLATTEN_ENGINE names one")
SIZE, COUNT = (480, 270), 12
FOCAL = 408.0  # px, as the shot was made
AXES = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV camera <- Blender camera
WANTS = "camera,mattes"


@pytest.fixture(scope="module")
def shot(tmp_path_factory) -> Path:
    """A synthetic orbit with a walking figure: clip.mp4 and its truth, beside a store for the engine's results."""
    folder = tmp_path_factory.mktemp("chain")
    made = [ENGINE, "-m", "engine.synth", "orbit", "--out", str(folder), "--frames", str(COUNT), "--size", "x".join(map(str, SIZE)), "--no-between"]
    subprocess.run(made, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture
def clip(unflatten, scene, shot, monkeypatch) -> bpy.types.MovieClip:
    """The clip after the button was pressed; the engine works for the first of these tests and remembers for the others."""
    from unflatten.addon import preferences, request
    from unflatten.addon.importers import place

    monkeypatch.setattr(preferences, "engine_python", lambda: ENGINE)
    monkeypatch.setattr(preferences, "_override", str(shot / "store"))
    request.forget()
    loaded = place.load_clip(str(shot / "clip.mp4"))
    loaded.unflatten.solve.lens, loaded.unflatten.solve.focal = "known", FOCAL  # so few frames leave it open
    assert bpy.ops.unflatten.run(wants=WANTS) == {"FINISHED"}
    return loaded


def world_of(true: np.ndarray, found: np.ndarray) -> Similarity:
    """True world -> Blender's. Turned as the cameras are: the places of a path that is nearly straight leave the turn about it open."""
    turn = mean_rotation(found[:, :3, :3] @ np.swapaxes(true[:, :3, :3], 1, 2))
    scale = align(true[:, :3, 3], found[:, :3, 3]).scale
    return Similarity(scale, turn, found[:, :3, 3].mean(0) - scale * turn @ true[:, :3, 3].mean(0))


def onto_the_plate(clip, scene, camera, points: np.ndarray) -> np.ndarray:
    """px [N, 2] at which Blender sees world points, bent by the lens that stands in the clip."""
    seen = np.array([world_to_camera_view(scene, camera, Vector(point))[:2] for point in points])
    lens = clip.tracking.camera
    focal, centre = lens.focal_length_pixels, np.array(lens.principal_point_pixels)
    flat = (seen * SIZE - centre) / focal
    rr = (flat**2).sum(-1, keepdims=True)
    bent = flat * (1 + lens.k1 * rr + lens.k2 * rr**2 + lens.k3 * rr**3) * focal + centre
    return np.stack([bent[:, 0], SIZE[1] - bent[:, 1]], -1)


def test_known_points_fall_where_the_plate_shows_them(clip, scene, shot):
    made = {entry.name: entry.object for entry in clip.unflatten.made if entry.object}
    camera = made["camera"]
    with np.load(shot / "camera.npz") as content:
        truth = {name: content[name] for name in content.files}
    found = []
    for frame in truth["frame"]:
        scene.frame_set(int(frame))
        found.append(np.array(camera.matrix_world) @ AXES)
    ours = world_of(truth["world_from_camera"], np.array(found))
    off = []
    for row in range(0, COUNT, 3):
        number = int(truth["frame"][row])
        depth, moving = picture(shot / f"depth/{number:06d}.exr")[..., 0], picture(shot / f"alpha/{number:06d}.png")[..., 0]
        y, x = (part.ravel() for part in np.mgrid[6:SIZE[1]:12, 6:SIZE[0]:12])
        still = (moving[y, x] == 0) & (depth[y, x] > 0) & (depth[y, x] < 30)
        x, y = x[still], y[still]
        known = np.stack([x + 0.5, y + 0.5], -1)
        flat = (known - truth["centre"][row]) / truth["focal"][row]
        local = np.concatenate([flat, np.ones((len(flat), 1))], -1) * depth[y, x][:, None]
        world = local @ truth["world_from_camera"][row, :3, :3].T + truth["world_from_camera"][row, :3, 3]
        scene.frame_set(number)
        off.append(np.linalg.norm(onto_the_plate(clip, scene, camera, ours.points(world)) - known, axis=-1))
    assert len(off[0]) > 100 and np.concatenate(off).max() < 1.0, [part.max() for part in off]


def test_the_rendered_mask_is_the_matte(clip, scene, shot, tmp_path):
    from unflatten.addon import versions

    made = {entry.name: entry for entry in clip.unflatten.made}
    mask = next(entry.mask for name, entry in made.items() if name.startswith("mask "))
    matte = next((shot / "store" / "mattes").glob("*/subject_1"))
    there = json.loads((matte.parent / "mattes.json").read_text())["subjects"][0]["frames"]
    tree, result, _ = versions.compositor(scene)
    node = tree.nodes.new("CompositorNodeMask")
    node.mask = mask
    tree.links.new(node.outputs[0], result)
    for entry in made.values():  # nothing but the mask is to be seen
        if entry.object:
            entry.object.hide_render = True
    scale = 8  # Blender softens a mask's edge outwards by about one pixel of the render
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = scale * SIZE[0], scale * SIZE[1], 100
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.view_settings.view_transform = "Standard"
    versions.write_images(scene, "PNG", "RGB")
    overlaps = []
    for number in there[1::4]:
        scene.frame_set(number)
        scene.render.filepath = str(tmp_path / f"{number}.png")
        bpy.ops.render.render(write_still=True)
        seen = picture(tmp_path / f"{number}.png")[scale // 2::scale, scale // 2::scale, 0] > 0.5
        true = picture(matte / f"alpha/{number:06d}.png")[..., 0] > 0.5
        overlaps.append((seen & true).sum() / (seen | true).sum())
    assert len(overlaps) >= 2 and np.mean(overlaps) > 0.97, overlaps


def contents() -> dict[str, object]:
    """What the scene holds: names, and the numbers that were imported."""
    held: dict[str, object] = {}
    for camera in bpy.data.objects:
        if camera.type == "CAMERA":
            poses = []
            for frame in range(1, COUNT + 1):
                bpy.context.scene.frame_set(frame)
                poses.append([*map(tuple, camera.matrix_world), camera.data.lens])
            held[camera.name] = poses
    for kind in ("objects", "meshes", "movieclips", "materials", "node_groups", "collections", "images"):
        held[kind] = sorted(it.name for it in getattr(bpy.data, kind))
    held |= {mesh.name: [tuple(vertex.co) for vertex in mesh.vertices] for mesh in bpy.data.meshes}
    held |= {mask.name: [[tuple(point.co) for point in spline.points] for layer in mask.layers for spline in layer.splines] for mask in bpy.data.masks}
    return held


def test_the_command_gives_the_same_scene_as_the_button(clip, unflatten, shot, monkeypatch):
    from unflatten.addon import command

    by_button = contents()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    lens = ("--set", "solve.lens=known", "--set", f"solve.focal={FOCAL}")
    assert command.main([str(shot / "clip.mp4"), "--want", WANTS, *lens, "--python", ENGINE, "--store", str(shot / "store")]) == 0
    by_command = contents()
    assert by_button.keys() == by_command.keys()
    assert not [name for name, value in by_button.items() if by_command[name] != value]
