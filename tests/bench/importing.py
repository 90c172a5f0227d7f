"""Processor time of importing a long shot, and its longest step: `.venv-blender/bin/python tests/bench/importing.py [--frames 1000]`.

The pictures are small on purpose: what is measured is what grows with the number of frames. After each step the scene is updated, as a
window would do before it draws; the longest step is what an artist would feel. Prints a table for RESULTS.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "addon"))

import shots  # noqa: E402
from conftest import load_extension  # noqa: E402

load_extension()
from unflatten.addon import results  # noqa: E402
from unflatten.addon.importers import everything, place  # noqa: E402

CLOUD = 500_000  # points


def make(folder: Path, count: int) -> None:
    """A shot of `count` frames with a large cloud; one picture stands for all."""
    shots.write_depth, shots.write_frames = _repeated(shots.write_depth), _repeated(shots.write_frames)
    shots.write_mattes = lambda shot, there: None
    shots.make_shot(folder, count=count)
    rows = np.zeros(CLOUD, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    rows["xyz"], rows["rgb"] = np.random.default_rng(1).normal(size=(CLOUD, 3)), 128
    names = "".join(f"property float {axis}\n" for axis in "xyz") + "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {CLOUD}\n{names}end_header\n"
    (folder / "cloud" / "fused.ply").write_bytes(head.encode() + rows.tobytes())


def _repeated(write: Callable) -> Callable:
    def take(shot: shots.Shot, folder: Path) -> None:
        write(dataclasses.replace(shot, frames=shot.frames[:1], depth=shot.depth[:1]), folder)
        one = next(path for path in folder.iterdir() if path.suffix in (".exr", ".png"))
        for number in shot.frames[1:]:
            shutil.copyfile(one, folder / f"{number:06d}{one.suffix}")

    return take


def measure(folder: Path, wants: tuple[str, ...]) -> tuple[float, float, int]:
    """Seconds of the import into an empty file, seconds of its longest step, and the number of steps."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    clip = place.load_clip(str(folder / "frames" / "000001.png"))
    steps = everything.import_all(clip, bpy.context.scene, results.of_folder(folder), wants)
    took, more = [], True
    while more:
        began = time.thread_time()
        more = next(steps, None) is not None
        bpy.context.view_layer.update()
        took.append(time.thread_time() - began)
    return sum(took), max(took), len(took)


def main() -> None:
    """Measure each kind, the best of three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1000)
    given = parser.parse_args(sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else sys.argv[1:])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "shot"
        make(folder, given.frames)
        print("| import | s | longest step, ms | steps |\n|---|---|---|---|")
        for wants in (("camera",), ("depth", "cloud"), ("camera", "depth", "cloud")):
            whole, longest, count = min(measure(folder, wants) for _ in range(3))
            print(f"| {', '.join(wants)}, {given.frames} frames, Blender {bpy.app.version_string} | {whole:.3f} | {longest * 1000:.0f} | {count} |")
    sys.stdout.flush()
    os._exit(0)  # some releases hang at their end


if __name__ == "__main__":
    main()
