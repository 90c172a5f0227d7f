"""Renders the sample shot and everything that is known of it; runs in bpy or Blender, knows the engine's synth scene alone.

    python make.py [--out FOLDER] [--frames A-B] [--half] [--samples N] [--engine PYTHON]

First Cycles writes FOLDER/picture/%06d.png, half/%06d.png (half a frame later), pass/%06d.exr and camera.json;
then pack.py, run by the engine's Python, makes of them what stands in this folder. Without --out:
demo/raw. A frame that is there already is not rendered again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from courtyard import Courtyard  # noqa: E402
from robot import Robot  # noqa: E402

from engine.synth.scene import look_at, sway  # noqa: E402

SIZE, FPS, FRAMES, LENS, SENSOR = (640, 360), 24, 48, 29.0, 36.0
BETWEEN = range(2, FRAMES, 4)  # the frames after which the true half frame is rendered


def hand_held(time: float) -> np.ndarray:
    """[4, 4] world_from_camera (OpenCV axes) at a frame number: a slow step to the right by somebody who follows the robot."""
    eye = np.array([-0.85 + 0.026 * time, -4.55 + 0.008 * time, 1.42]) + sway(41, time, 0.022)
    target = np.array([-0.25 + 0.012 * time, 1.4, 1.03]) + sway(42, time, 0.03)
    return look_at(eye, target, 0.02 * np.sin(time / 11))


def add_camera() -> Any:
    """The camera, keyed on frames and half frames."""
    data = bpy.data.cameras.new("Camera")
    data.lens, data.sensor_width, data.clip_start = LENS, SENSOR, 0.05
    camera = bpy.data.objects.new("Camera", data)
    camera.rotation_mode = "QUATERNION"
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    return camera


def animate(camera: Any, robot: Robot) -> None:
    """Keys at every half frame, straight between them: what Cycles' vectors and the half frames read."""
    joints = [entry for entry in bpy.data.objects if entry.type == "EMPTY"]
    turned_over = np.diag([1.0, -1.0, -1.0, 1.0])
    for step in range(0, 2 * FRAMES + 4):
        time = step / 2
        camera.matrix_world = Matrix((hand_held(time) @ turned_over).tolist())
        robot.pose(time)
        for channel in ("location", "rotation_quaternion"):
            camera.keyframe_insert(channel, frame=time)
        for joint in joints:
            for channel in ("location", "rotation_euler", "scale"):
                joint.keyframe_insert(channel, frame=time)


def prepare(samples: int) -> None:
    """Cycles on the CPU with fixed seeds, guided denoising, and the passes of the truth."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.render.fps = 1, FRAMES, FPS
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_adaptive_sampling, scene.cycles.seed = samples, False, 1
    scene.cycles.use_animated_seed = True
    scene.cycles.use_denoising, scene.cycles.denoising_prefilter = True, "FAST"
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 2, 1, 1
    scene.cycles.use_fast_gi, scene.cycles.fast_gi_method, scene.cycles.ao_bounces_render = True, "REPLACE", 1
    scene.world.light_settings.distance = 4.0
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.render.use_persistent_data, scene.render.use_motion_blur = True, False
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    scene.view_settings.exposure = 0.35
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_vector = layer.use_pass_cryptomatte_asset = True


def render(frame: int, half: bool, out: Path) -> None:
    """One picture; for whole frames its passes too."""
    scene = bpy.context.scene
    picture = out / ("half" if half else "picture") / f"{frame:06d}.png"
    if picture.exists():
        return
    scene.frame_set(frame, subframe=0.5 if half else 0.0)
    settings = scene.render.image_settings
    _format(settings, "MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER", "32")
    settings.exr_codec = "ZIP"
    scene.render.filepath = str(out / ("scrap.exr" if half else f"pass/{frame:06d}.exr"))
    bpy.ops.render.render(write_still=True)
    _format(settings, "IMAGE", "PNG", "8")
    settings.color_mode = "RGB"
    fresh = picture.with_name(f".writing-{picture.name}")
    picture.parent.mkdir(parents=True, exist_ok=True)
    bpy.data.images["Render Result"].save_render(str(fresh), scene=scene)
    os.replace(fresh, picture)


def _format(settings: Any, media: str, kind: str, depth: str) -> None:
    if hasattr(settings, "media_type"):  # Blender 5
        settings.media_type = media
    settings.file_format, settings.color_depth = kind, depth


def main() -> None:
    """Build, render what is missing, pack."""
    given = sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(prog="make.py")
    parser.add_argument("--out", type=Path, default=HERE.parent / "demo" / "raw")
    parser.add_argument("--frames", default=f"1-{FRAMES}")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--engine", type=Path, default=HERE.parent / ".venv" / "bin" / "python")
    parser.add_argument("--no-pack", action="store_true", help="render only")
    wanted = parser.parse_args(given)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    Courtyard()
    robot = Robot()
    animate(add_camera(), robot)
    prepare(wanted.samples)
    wanted.out.mkdir(parents=True, exist_ok=True)
    camera = {"size": SIZE, "fps": FPS, "focal": LENS / SENSOR * SIZE[0],
              "world_from_camera": [hand_held(frame).tolist() for frame in range(1, FRAMES + 1)]}
    (wanted.out / "camera.json").write_text(json.dumps(camera), encoding="utf-8")
    first, last = (int(part) for part in wanted.frames.split("-"))
    for frame in range(first, last + 1):
        render(frame, False, wanted.out)
        if frame in BETWEEN:
            render(frame, True, wanted.out)
        print(f"frame {frame}", flush=True)
    if not wanted.no_pack:
        subprocess.run([str(wanted.engine), str(HERE / "pack.py"), str(wanted.out)], check=True)


main()
