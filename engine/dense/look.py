"""Dense room: what there is to see of a shot's depth — plate, guess and depth side by side, a column over time, the world; no stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..contract.artifacts import FRAME
from ..geometry.evenly import evenly
from ..media.frames import read_depth, resize, working_size, write_png
from ..training.page import World
from . import summary
from .colours import of_depth, of_inverse
from .guess import Guess
from .shot import Picture, Shot

SHOWN = 5  # frames side by side
LONGEST = 480  # px of a picture's longer side
SURE = 0.3  # confidence from which a still point is drawn
POINTS = 60_000


def pictures(shot: Shot, depths: dict[str, Path], guess: Guess | None, room: Path) -> list[str]:
    """frame_NNNNNN.png and slice.png in `room`: the plate, the guess, then the depth in each folder; the columns' names."""
    size = working_size(shot.size, LONGEST)
    known = [np.array(plane[plane > 0])[::97] for plane in (_depth(folder, number, size) for folder in depths.values() for number in shot.numbers)]
    near, far = np.percentile(np.concatenate(known), (2, 98)) if any(len(some) for some in known) else (1.0, 2.0)
    columns: dict[str, Callable[[int], np.ndarray]] = {"plate": lambda number: resize(shot.frames.rgb8(number, shot.size), size)}
    if guess:
        columns["network"] = lambda number: of_inverse(guess.frame(number, size))
    for name, folder in depths.items():
        columns[name] = lambda number, folder=folder: of_depth(_depth(folder, number, size), near, far)
    for number in (shot.numbers[k] for k in evenly(len(shot.numbers), SHOWN)):
        write_png(room / f"frame_{FRAME % number}.png", np.concatenate([make(number) for make in columns.values()], 1))
    middle = size[0] // 2
    strips = [np.stack([make(number)[:, middle] for number in shot.numbers], 1) for make in columns.values()]
    wide = max(1, size[0] // len(shot.numbers)) * len(shot.numbers)
    write_png(room / "slice.png", np.concatenate([cv2.resize(strip, (wide, size[1]), interpolation=cv2.INTER_NEAREST) for strip in strips], 1))
    return list(columns)


def world(shot: Shot, depth: Path) -> World:
    """The camera's path, and still points of some frames in their colours."""
    solved = [number for number in shot.numbers if shot.row(number) is not None]
    rows = [shot.row(number) for number in solved]
    some = [solved[k] for k in evenly(len(solved), 8)]
    xyz, rgb = [np.zeros((0, 3), np.float32)], [np.zeros((0, 3), np.uint8)]
    for number in some:
        plane, sure = read_depth(summary.exr(depth, number))
        kept = (plane > 0) & (sure >= min(SURE, float(np.percentile(sure, 75)))) & ~shot.movers(number)
        flat = np.flatnonzero(kept)
        flat = flat[:: max(1, len(flat) // (POINTS // len(some)))]
        pose = shot.camera.world_from_camera[shot.row(number)]
        points = shot.rays(shot.row(number)).reshape(-1, 3)[flat] * np.asarray(plane).ravel()[flat, None]
        xyz.append((points @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32))
        rgb.append(shot.frames.rgb8(number, shot.size).reshape(-1, 3)[flat])
    poses = shot.camera.world_from_camera[rows] if rows else np.zeros((0, 4, 4))
    focal = float(np.median(shot.camera.focal[rows, 0])) / shot.size[0] if rows else 1.0
    return World(solved, poses, focal, shot.size[1] / shot.size[0], np.concatenate(xyz), np.concatenate(rgb))


def _depth(folder: Path, number: int, size: tuple[int, int]) -> Picture:
    return cv2.resize(np.array(read_depth(summary.exr(folder, number))[0], np.float32), size, interpolation=cv2.INTER_NEAREST)
