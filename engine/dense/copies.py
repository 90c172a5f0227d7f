"""Dense room: depth once more for other programs — a coloured film, and one NPZ per frame as the published code writes it; no stage."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from .. import store
from ..contract.artifacts import FRAME
from ..contract.options import ConsistentDepth
from ..media.frames import VideoWriter, read_depth
from . import summary
from .colours import of_depth
from .shot import Shot


def write_copies(shot: Shot, options: ConsistentDepth, depth: Path, room: Path) -> None:
    """depth.mp4 and npz/%06d.npz, each where asked for and not yet there; motion/ where the stage `depth` has it."""
    write_motion(depth, room)
    if options.film and not (room / "depth.mp4").is_file():
        about = store.read_json(room / "depth.json")
        with VideoWriter(room / "depth.mp4", shot.size, shot.frames.fps) as film:
            for number in shot.numbers:
                film.write(of_depth(read_depth(summary.exr(room, number))[0], about["near"], about["far"]))
    if options.npz:
        for number in shot.numbers:
            path = room / "npz" / f"{FRAME % number}.npz"
            if not path.is_file():
                _write(shot, number, room, path)


def write_motion(source: Path, room: Path) -> None:
    """motion/%06d.npz once more, where the source has it."""
    for path in sorted((source / "motion").glob("*.npz")):
        with store.beside(room / "motion" / path.name) as fresh:
            shutil.copyfile(path, fresh)


def _write(shot: Shot, number: int, room: Path, path: Path) -> None:
    """rgb 0..1, depth, confidence, cam_c2w, K (pixel indices, undistorted), and flow_1_2 with its mask to the next frame."""
    depth, confidence = read_depth(summary.exr(room, number))
    held = {"img_1": shot.picture(number), "depth": np.asarray(depth, np.float32), "confidence": np.asarray(confidence, np.float32)}
    row = shot.row(number)
    if row is not None:
        (fx, fy), (cx, cy) = shot.camera.focal[row], shot.camera.centre[row]
        held |= {"cam_c2w": shot.camera.world_from_camera[row], "K": np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]])}
        held["distortion"] = shot.camera.distortion[row]
    flow = shot.flow(number, shot.step)
    if flow is not None:
        held |= {"flow_1_2": flow[0], "mask_1_2": flow[1]}
    with store.writing(path) as file:
        np.savez(file, **held)
