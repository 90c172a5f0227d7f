"""What a frame of the depth surface and of the depth points costs while it plays: `.venv-blender/bin/python tests/bench/playing.py [--size 640x360]`.

A made wall with steps and noise, another on every frame, at the vertices that the viewport shows and at all of them. Without drawing: that is the
graphics card's. Prints a table for RESULTS.md; CPU milliseconds, the median of 24 frames, first reading and from Blender's cache.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "addon"))

import shots  # noqa: E402
from conftest import load_extension  # noqa: E402

load_extension()
from unflatten.addon.importers import camera, depth, place  # noqa: E402
from unflatten.addon.nodes import modifier  # noqa: E402

FRAMES = 24


def make(folder: Path, size: tuple[int, int]) -> shots.Shot:
    """The shot of tests/addon, its depth as large as asked."""
    shots.SIZE = size
    shots.write_points = shots.write_mattes = lambda shot, there: None
    real, dice = shots.walls, np.random.default_rng(1)
    shots.walls = lambda t: (real(t) * (1 + 0.01 * dice.standard_normal(size[::-1]))).astype(np.float32)
    shot = shots.make_shot(folder, count=FRAMES)
    (folder / "depth" / "depth.json").write_text(json.dumps({"size": size, "near": 3.0, "far": 20.0}))
    return shot


def play(scene: bpy.types.Scene) -> float:
    """Median CPU milliseconds of a frame."""
    took = []
    for number in range(1, FRAMES + 1):
        began = time.process_time()
        scene.frame_set(number)
        took.append((time.process_time() - began) * 1e3)
    return float(np.median(took))


def main() -> None:
    """Surface and points, as the viewport shows them and whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="640x360")
    size = tuple(int(side) for side in parser.parse_args().size.split("x"))
    print(f"| Blender {bpy.app.version_string}, depth {size[0]} x {size[1]} | vertices at most | first reading | from the cache |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as there:
        make(Path(there), size)
        for points in (False, True):
            for step in (None, 1):
                bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
                scene = bpy.context.scene
                clip = place.load_clip(str(Path(there) / "frames" / "000001.png"))
                camera.import_camera(clip, scene, Path(there) / "camera")
                made = depth.import_depth(clip, scene, Path(there) / "depth", Path(there) / "camera", Path(there) / "frames", points)
                if step:
                    modifier.set_inputs(made.modifiers[0], {"Step": step})
                every = modifier.get_input(made.modifiers[0], "Step")
                first, again = play(scene), play(scene)
                count = (size[0] // every) * (size[1] // every)
                print(f"| {'points' if points else 'surface'}, every {every} px | {count} | {first:.0f} ms | {again:.0f} ms |", flush=True)
    sys.stdout.flush()
    os._exit(0)  # some releases hang at their end


if __name__ == "__main__":
    main()
