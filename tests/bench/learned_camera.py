"""What is learned of a camera from a clip alone (`solve.method=self_supervised`), held against the truth of a made shot.

    python tests/bench/learned_camera.py [SHOT] [--frames 24] [--size 128] [--effort 1] [--keep FOLDER]

SHOT is `sideways`, a plain sideways move past still things, or one of engine.synth.shots. A row of RESULTS.md is printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from engine import device as devices  # noqa: E402
from engine.failures import ShotFailure  # noqa: E402
from engine.geometry import pose  # noqa: E402
from engine.media.frames import Frames  # noqa: E402
from engine.synth.files import write_stages  # noqa: E402
from engine.synth.scene import Scene, View, look_at  # noqa: E402
from engine.synth.sets import courtyard  # noqa: E402
from engine.synth.shots import Shot, render, render_scene  # noqa: E402
from engine.training import learned_camera  # noqa: E402

SUPERSAMPLE = 4


def sideways(count: int, size: tuple[int, int]) -> Shot:
    """A camera that travels to the right past a still courtyard, looking straight ahead."""
    def view(moment: float) -> View:
        eye = np.array([-1.4 + 0.12 * moment, -4.6, 1.6])
        return View(look_at(eye, eye + (0, 1, -0.1)), 0.85)

    return render_scene("sideways", Scene(courtyard(71, clear=1.2), view, grain=0.0, exposure=0.0, shutter=0.0), count, size, SUPERSAMPLE)


def rank(values: np.ndarray) -> np.ndarray:
    """The place of each value in their order."""
    return values.argsort().argsort().astype(float)


def row(shot: Shot, effort: float, room: Path) -> str:
    """Steps, CPU-seconds, loss, rank correlation of depth, cosine of the direction of travel, and focal length found and true."""
    torch.manual_seed(0)
    frames, began = Frames(write_stages(shot, room)["frames"]), time.process_time()
    try:
        spans, curve = learned_camera.learned(frames, shot.size[0], effort, "", devices.pick("cpu"), room, lambda *said: None)
    except ShotFailure as failure:
        return f"| {shot.name} | {effort:g} | {time.process_time() - began:.0f} | refused: {failure.why} |"
    used, span = time.process_time() - began, spans[0]
    size = span.depth.shape[:0:-1]
    known = shot.depth > 0
    near = [np.corrcoef(rank(a[k]), rank(b[k]))[0, 1] for a, b, k in zip(span.depth, shot.depth, known)] if size == shot.size else [np.nan]
    steps = [pose.invert(poses[:-1]) @ poses[1:] for poses in (span.world_from_camera, shot.world_from_camera)]
    ways = [part[:, :3, 3] / np.linalg.norm(part[:, :3, 3], axis=1, keepdims=True) for part in steps]
    return (
        f"| {shot.name} | {len(curve) * learned_camera.STEPS} | {used:.0f} | {curve[-1]['total']:.3f} | {np.median(near):.2f} |"
        f" {np.median((ways[0] * ways[1]).sum(1)):.3f} | {span.focal[0] * shot.size[0] / size[0]:.1f} ({shot.focal[0, 0]:.1f}) |"
    )


def main() -> None:
    """Print the row of one shot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shot", nargs="?", default="sideways")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--keep", type=Path, help="where last.npz, previews and the report page stay")
    given = parser.parse_args()
    size = (given.size, given.size // 2)
    shot = sideways(given.frames, size) if given.shot == "sideways" else render(given.shot, given.frames, size, SUPERSAMPLE, clean=True)
    with tempfile.TemporaryDirectory() as folder:
        print("| shot | steps | CPU-s | loss | rank correlation of depth | direction of travel, cosine | focal, px (true) |", flush=True)
        print(row(shot, given.effort, given.keep or Path(folder)))


if __name__ == "__main__":
    main()
