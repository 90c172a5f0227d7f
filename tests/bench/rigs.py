"""The rigs on what was recovered of the sample, against its truth: `.venv-blender/bin/python tests/bench/rigs.py RESULTS [--frames 7,13,19]`.

RESULTS is what `python -m engine sample/sample.mp4 --want camera,depth --size 640 --out RESULTS` wrote; the demo's without it. The recovered
scale is assumed, so one factor for each frame is taken out first: the median of recovered over true depth. Prints a table for RESULTS.md.

occlusion: a wall between the robot and what is behind it, rendered with the occluder: distance of its rim from that in true depth, px, at silhouettes.
focus: the picked distance against the true one, on a grid of picks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "addon"))

from conftest import load_extension  # noqa: E402

load_extension()
from unflatten.addon import results, versions  # noqa: E402
from unflatten.addon.importers import everything, place  # noqa: E402
from unflatten.addon.rigs import surface  # noqa: E402

READ = "import sys, numpy as np; from engine.media.exr import read_exr; np.save(sys.argv[2], read_exr(__import__('pathlib').Path(sys.argv[1]))['Z'])"


def true_depth(frame: int, scratch: Path) -> np.ndarray:
    """[H, W] m; the engine's Python reads what Blender does not."""
    kept = scratch / f"{frame}.npy"
    python = ROOT / ".venv" / "bin" / "python"
    subprocess.run([str(python), "-c", READ, str(ROOT / "sample" / "truth" / "depth" / f"{frame:06d}.exr"), str(kept)], cwd=ROOT, check=True)
    return np.load(kept).astype(float)


def jumps(depth: np.ndarray) -> np.ndarray:
    """Pixels beside a neighbour that is a tenth nearer or farther: silhouettes, not where a wall cuts the floor."""
    found = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        step = np.abs(np.diff(depth, axis=axis)) > 0.1 * np.minimum(*(np.delete(depth, end, axis) for end in (0, -1)))
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        found[tuple(before)] |= step
        found[tuple(after)] |= step
    return found


def rims_apart(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Distance of each rim pixel of `other` that lies in `where` from the nearest of `one`, px."""
    places = []
    for mask in (one, other):
        inner = mask.copy()
        inner[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
        rim = np.argwhere(mask & ~inner)
        height, width = mask.shape
        places.append(rim[(rim[:, 0] > 2) & (rim[:, 0] < height - 3) & (rim[:, 1] > 2) & (rim[:, 1] < width - 3)])
    return np.array([np.linalg.norm(places[0] - spot, axis=1).min() for spot in places[1] if where[tuple(spot)]])


def wall_mask(scene: bpy.types.Scene, distance: float, path: Path) -> np.ndarray:
    """Where a wall at that depth shows, the occluder before it."""
    mesh = bpy.data.meshes.new("wall")
    mesh.from_pydata([(-50, -50, 0), (50, -50, 0), (50, 50, 0), (-50, 50, 0)], [], [(0, 1, 2, 3)])
    wall = bpy.data.objects.new("wall", mesh)
    scene.collection.objects.link(wall)
    wall.parent = scene.camera
    wall.location = (0, 0, -distance)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path), check_existing=False)
    alpha = np.array(image.pixels[:], np.float32).reshape(image.size[1], image.size[0], 4)[::-1, :, 3] > 0.5
    bpy.data.images.remove(image)
    bpy.data.objects.remove(wall)
    return alpha


def main() -> None:
    """Occlusion and focus on some frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=ROOT / "demo" / "results")
    parser.add_argument("--frames", default="7,13,19")
    given = parser.parse_args()
    if not (given.results / "depth").is_dir():
        print(f"There is nothing recovered in {given.results}: run `python3 build.py demo` first.")
        return
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    clip = place.load_clip(str(ROOT / "sample" / "sample.mp4"))
    for _ in everything.import_all(clip, scene, results.of_folder(given.results.resolve()), ("camera", "depth")):
        pass
    surface.occluder(clip, scene)
    for role in ("depth", "points", "depth points"):
        place.made(clip, role).object.hide_render = True
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising, scene.render.film_transparent = "CYCLES", 4, False, True
    versions.write_images(scene, "PNG", "RGBA")
    print("| frame | scale | occlusion, median px | within 2 px | 95th percentile | focus, median | focus, 90th percentile |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for frame in (int(part) for part in given.frames.split(",")):
            scene.frame_set(frame)
            truth = true_depth(frame, Path(scratch))
            height, width = truth.shape
            picks = [(x, y) for y in range(20, height - 19, 24) for x in range(20, width - 19, 24)]
            spots = [(surface.find_spot(clip, scene, (x + 0.5) / width, (y + 0.5) / height), truth[y, x]) for x, y in picks]
            ratio = np.array([spot.distance / true for spot, true in spots if spot is not None and true > 0])
            scale = float(np.median(ratio))
            error = np.abs(ratio / scale - 1)
            distance = 4.6  # m, between the robot and the stall
            scene.render.resolution_x, scene.render.resolution_y = width, height
            away = rims_apart(wall_mask(scene, distance * scale, Path(scratch) / "wall.png"), truth > distance, jumps(truth))
            print(f"| {frame} | {scale:.3f} | {np.median(away):.1f} | {(away <= 2).mean():.2f} | {np.percentile(away, 95):.1f} "
                  f"| {100 * np.median(error):.2f} % | {100 * np.percentile(error, 90):.1f} % |", flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
