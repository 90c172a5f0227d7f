"""Camera room: a solved shot as COLMAP's text files, which other tools read; numpy only.

Format: cameras.txt, images.txt, points3D.txt (https://colmap.github.io/format.html). One camera for each lens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..contract.artifacts import FRAME
from ..geometry.pose import quaternion_from_rotation
from ..store import beside

if TYPE_CHECKING:
    from .outcome import Outcome


def write(folder: Path, outcome: Outcome) -> None:
    """cameras.txt, images.txt and points3D.txt of the frames that are solved."""
    camera = outcome.camera
    rows = np.flatnonzero(camera.solved)
    lenses = np.concatenate([camera.focal, camera.centre, camera.distortion], 1)
    # Frames that share a lens share a camera.
    kinds, of_row = np.unique(lenses[rows], axis=0, return_inverse=True)
    width, height = camera.size
    cameras = ["# camera, model, width, height, fx fy cx cy k1 k2 p1 p2"]
    cameras += [f"{k} OPENCV {width} {height} {_numbers(lens)}" for k, lens in enumerate(kinds, 1)]
    _text(folder / "cameras.txt", cameras)
    order = np.lexsort((outcome.track, outcome.frame))
    frame, track, xy = outcome.frame[order], outcome.track[order], outcome.straight[order]
    images = ["# image, qw qx qy qz, tx ty tz (camera from world), camera, name; then x y point of each observation"]
    for k, row in enumerate(rows):
        matrix = camera.camera_from_world[row]
        number = int(camera.frame[row])
        pose = _numbers([*quaternion_from_rotation(matrix[:3, :3]), *matrix[:3, 3]])
        images.append(f"{number} {pose} {int(of_row.reshape(-1)[k]) + 1} {FRAME % number}.png")
        a, b = np.searchsorted(frame, [number, number + 1])
        seen = np.concatenate([xy[a:b], track[a:b, None] + 1.0], 1)
        images.append(" ".join(["%.3f %.3f %d"] * len(seen)) % tuple(seen.ravel().tolist()))
    _text(folder / "images.txt", images)
    _text(folder / "points3D.txt", _points(outcome, frame, track))


def _points(outcome: Outcome, frame: np.ndarray, track: np.ndarray) -> list[str]:
    within = np.arange(len(frame)) - np.searchsorted(frame, frame)
    order = np.argsort(track, kind="stable")
    edges = 2 * np.searchsorted(track[order], np.arange(len(outcome.xyz) + 1))
    views = list(map(str, np.stack([frame, within], 1)[order].ravel().tolist()))
    lines = ["# point, x y z, r g b, error, then image and observation of each view"]
    for k, (xyz, rgb, error) in enumerate(zip(outcome.xyz, outcome.rgb, outcome.error)):
        lines.append(f"{k + 1} {_numbers(xyz)} {rgb[0]} {rgb[1]} {rgb[2]} {error:.4f} {' '.join(views[edges[k] : edges[k + 1]])}")
    return lines


def _numbers(values: object) -> str:
    return " ".join(f"{value:.10g}" for value in values)  # type: ignore[attr-defined]


def _text(path: Path, lines: list[str]) -> None:
    with beside(path) as fresh:
        fresh.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
