"""Camera room: a camera in the words of other programs, written and read: nerfstudio's transforms.json, Nuke's .chan; numpy only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..geometry.camera import Camera
from ..store import beside, write_json

Array = NDArray[np.float64]
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])  # camera with y up and z backward <- OpenCV camera, and back
Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # Nuke's world <- ours


def write_transforms(path: Path, camera: Camera, pictures: str, points: str = "") -> None:
    """transforms.json of nerfstudio: one lens for all frames, or one for each where it changes; frames without a pose are left out."""
    rows = np.flatnonzero(camera.solved)
    lenses = [_lens(camera, row) for row in rows]
    same = all(lens == lenses[0] for lens in lenses)
    width, height = camera.size
    content: dict[str, Any] = {"camera_model": "OPENCV", "w": int(width), "h": int(height)}
    if same:
        content.update(lenses[0])
    if points:
        content["ply_file_path"] = points
    content["frames"] = [
        {"file_path": f"{pictures}/{FRAME % int(camera.frame[row])}.png", "transform_matrix": (camera.world_from_camera[row] @ OPENGL).tolist(),
         **({} if same else lens)}
        for row, lens in zip(rows, lenses)
    ]
    write_json(path, content)


def _lens(camera: Camera, row: int) -> dict[str, float]:
    values = [*camera.focal[row], *camera.centre[row], *camera.distortion[row]]
    return dict(zip(("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2"), (float(value) for value in values)))


def write_chan(path: Path, camera: Camera) -> None:
    """Nuke's .chan: frame, place, turn in degrees (order ZXY), vertical field of view in degrees; one line for each frame with a pose."""
    lines = []
    for row in np.flatnonzero(camera.posed):
        matrix = Y_UP @ camera.world_from_camera[row] @ OPENGL
        view = 2 * np.degrees(np.arctan2(camera.size[1] / 2, camera.focal[row, 1]))
        lines.append(f"{camera.frame[row]}\t" + "\t".join(f"{value:.10g}" for value in [*matrix[:3, 3], *_angles(matrix[:3, :3]), view]))
    with beside(path) as fresh:
        fresh.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def _angles(turn: Array) -> list[float]:
    """x, y, z in degrees with turn = Ry Rx Rz, Nuke's order ZXY."""
    x = np.arcsin(np.clip(-turn[1, 2], -1, 1))
    return [float(np.degrees(a)) for a in (x, np.arctan2(turn[0, 2], turn[2, 2]), np.arctan2(turn[1, 0], turn[1, 1]))]


def turn_of(angles: Array) -> Array:
    """Rotations [N, 3, 3] of Nuke's x, y, z [N, 3] in degrees."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(angles)).T, np.sin(np.radians(angles)).T
    o, i = np.zeros_like(cx), np.ones_like(cx)
    about_x = np.stack([np.stack([i, o, o], -1), np.stack([o, cx, -sx], -1), np.stack([o, sx, cx], -1)], -2)
    about_y = np.stack([np.stack([cy, o, sy], -1), np.stack([o, i, o], -1), np.stack([-sy, o, cy], -1)], -2)
    about_z = np.stack([np.stack([cz, -sz, o], -1), np.stack([sz, cz, o], -1), np.stack([o, o, i], -1)], -2)
    return about_y @ about_x @ about_z
