"""Figures of depth on 7-Scenes against the Kinect: `python tests/bench/depth_scenes.py FOLDER [--frames N] [--step N] [--out FOLDER]`.

FOLDER holds frame-NNNNNN.color.jpg, .depth.png (mm) and .pose.txt (world from camera, m). Colour and depth were not registered to each
other: depth is looked up by the ratio of the focal lengths, within 5 px of its jumps nothing is scored. One scale for the whole clip.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import depth as bench
import numpy as np
from kinect import FOCAL

from engine.contract import options as o
from engine.dense.colours import of_depth
from engine.media.frames import read_depth, write_png
from engine.metrics import depth as metrics
from engine.stages import consistent_depth, flow, movers, scene_movers
from engine.stages import depth as depth_stage

COLOUR = 525.0  # px, focal length at 640 x 480


def read(folder: Path, frames: int, step: int) -> tuple[SimpleNamespace, list[np.ndarray], list[np.ndarray]]:
    """The shot, its Kinect depth [H, W] in metres at colour pixels, and where that can be trusted."""
    names = [folder / f"frame-{k:06d}" for k in range(0, frames * step, step)]
    pictures = np.stack([cv2.imread(f"{name}.color.jpg")[..., ::-1] for name in names])
    height, width = pictures.shape[1:3]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = ((axis - length / 2 + 0.5) * FOCAL / COLOUR + length / 2 - 0.5 for axis, length in ((x, width), (y, height)))
    depths, valid = [], []
    for name in names:
        raw = cv2.imread(f"{name}.depth.png", cv2.IMREAD_UNCHANGED)
        metres = np.where((raw == 0) | (raw == 65535), 0, raw / 1000).astype(np.float32)
        depth = cv2.remap(metres, x, y, cv2.INTER_NEAREST)
        depths.append(depth)
        valid.append((depth > 0) & ~metrics.silhouettes(np.where(depth > 0, depth, 100.0), 5))
    poses = np.stack([np.loadtxt(f"{name}.pose.txt") for name in names])
    count = len(names)
    shot = SimpleNamespace(
        name="7scenes", size=(width, height), frame=np.arange(1, count + 1), pictures=pictures, world_from_camera=poses,
        focal=np.full((count, 2), COLOUR), centre=np.tile(np.array([width, height]) / 2, (count, 1)), distortion=np.zeros((count, 4)),
    )
    return shot, depths, valid


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--step", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder for pictures: plate, Kinect, found")
    given = parser.parse_args()
    shot, truth, valid = read(given.folder, given.frames, given.step)
    print("| stage | AbsRel | delta < 1.25 | within 4 % | 90th percentile | CPU-s a frame |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as held:
        root = Path(held)
        folders = bench.write_stages(shot, root)  # type: ignore[arg-type]
        spent = sum(bench.carry_out(stage, options, folders, root) for stage, options in (
            (flow, o.Flow()), (movers, o.Movers()), (scene_movers, o.SceneMovers())))
        for stage, options in ((depth_stage, o.Depth()), (consistent_depth, o.ConsistentDepth())):
            spent += bench.carry_out(stage, options, folders, root)
            name = stage.__name__.rsplit(".", 1)[-1]
            found = [np.array(read_depth(path)[0]) for path in sorted(folders[name].glob("*.exr"))]
            still = metrics.evaluate(found, truth, valid, [np.zeros(mask.shape, bool) for mask in valid])["still"]
            print(f"| {name} | {still['absrel']:.4f} | {still['delta']:.3f} | {still['exact']:.3f} | {still['p90']:.4f} | {spent / given.frames:.2f} |")
            spent = 0.0
        if given.out:
            scale = metrics.shot_scale(found, truth, valid)
            near, far = (float(np.percentile(truth[0][truth[0] > 0], part)) for part in (2, 98))
            for k in range(0, given.frames, 5):
                write_png(given.out / f"{k:03d}.png", np.concatenate(
                    [shot.pictures[k], of_depth(truth[k], near, far), of_depth(scale * found[k], near, far)], 1))


if __name__ == "__main__":
    main()
