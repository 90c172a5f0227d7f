"""Camera room: plates without the lens's distortion and the rolling shutter's shear, and the maps that take both out and put them back.

A shutter's shear is undone for a plane laid through the points that each frame sees: what stands out of it keeps the little by which it
passes quicker or slower while the rows are read. OpenCV, no torch, no pycolmap.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import lens
from ..geometry.camera import Camera
from ..geometry.pose import rotation_from_vector
from ..media.frames import write_exr
from .outcome import Outcome
from .shutter import AXES, sweep

Array = NDArray[np.float64]
Field = NDArray[np.float32]  # [H, W, 2] px, pixel centres at +0.5
ROUNDS = 4  # of finding the row that shows a point, each to the square of a row's share of the motion
LEAST, FITS = 12, 10  # points that make a plane, and rounds of fitting it
INSTANTS = (-1.0, 0.0, 1.0)  # first, middle and last row


@dataclass(frozen=True)
class Rolling:
    """How the camera moves while one frame is read, before a plane; all in the frame's axes."""

    share: float  # of the time from frame to frame, positive from the top down or from left to right
    axis: str  # rows or columns
    spin: Array  # [3] rotation vector by frame
    bend: Array  # [3] by frame squared
    speed: Array  # [3] travel by frame
    curve: Array  # [3] by frame squared
    plane: Array  # [3] whose product with a ray of z = 1 is the inverse depth there

    def seen(self, instant: Array) -> Array:
        """[..., 3, 3] a ray of the pose -> that of the same point at `instant` [...], -1 at the first and 1 at the last row."""
        time = 0.5 * self.share * np.asarray(instant, float)[..., None]
        travel = time * self.speed + time**2 * self.curve
        return rotation_from_vector(time * self.spin + time**2 * self.bend) @ (np.eye(3) - travel[..., :, None] * self.plane)


def rolling(shot: Outcome) -> list[Rolling | None]:
    """For each row of the camera how it was read, None where all at once, by what the report says of each span."""
    camera, found = shot.camera, [None] * len(shot.camera.frame)
    for span in shot.report["spans"]:
        if not span.get("readout"):
            continue
        within = (camera.frame >= span["first"]) & (camera.frame <= span["last"])
        path = sweep(camera.camera_from_world, camera.posed & within)
        for row in np.flatnonzero(within):
            found[row] = Rolling(span["readout"], span["read"], *(term[row] for term in path), _plane(shot, int(row)))
    return found


def _plane(shot: Outcome, row: int) -> Array:
    """[3] the plane nearest, by sum of absolute differences of inverse depth, to the points that a frame sees; far away where it sees few."""
    points = shot.xyz[shot.track[shot.frame == shot.camera.frame[row]]]
    pose = shot.camera.camera_from_world[row]
    local = points @ pose[:3, :3].T + pose[:3, 3]
    local = local[local[:, 2] > 0]
    if len(local) < LEAST:
        return np.zeros(3)
    rays, near = local / local[:, 2:], 1 / local[:, 2]
    weight = np.ones(len(near))
    for _ in range(FITS):
        plane = np.linalg.lstsq(rays * weight[:, None], near * weight, rcond=None)[0]
        off = np.abs(rays @ plane - near)
        weight = 1 / np.sqrt(np.maximum(off, 1e-3 * np.median(near)))
    return plane


def straighten(camera: Camera, row: int, size: tuple[int, int], read: Rolling | None = None) -> Field:
    """Where on the plate each pixel of a picture without distortion and shear is to be fetched; same size, same focal length."""
    focal, centre, distortion = _lens(camera, row, size)
    rays = lens.unproject(_grid(size), focal, centre, np.zeros(4))
    if read is None:
        return lens.project(rays, focal, centre, distortion).astype(np.float32)
    first, middle, last = (lens.project(rays @ read.seen(np.array(k)).T, focal, centre, distortion) for k in INSTANTS)
    slope, curve = 0.5 * (last - first), 0.5 * (last + first) - middle  # each point's way over the plate while it is read: a parabola
    axis, at = AXES[read.axis], middle
    for _ in range(ROUNDS):
        instant = 2 * at[..., axis, None] / size[axis] - 1
        at = middle + instant * (slope + instant * curve)
    return at.astype(np.float32)


def bend(camera: Camera, row: int, size: tuple[int, int], read: Rolling | None = None) -> Field:
    """Where on a picture without distortion and shear each pixel of the plate is to be fetched: what a render needs to sit on it."""
    focal, centre, distortion = _lens(camera, row, size)
    rays = lens.unproject(_grid(size), focal, centre, distortion)
    if read is not None:
        axis = AXES[read.axis]
        back = np.linalg.inv(read.seen(2 * (np.arange(size[axis]) + 0.5) / size[axis] - 1))
        rays = np.einsum("hij,hwj->hwi" if axis == 1 else "wij,hwj->hwi", back, rays)
    return lens.project(rays, focal, centre, np.zeros(4)).astype(np.float32)


def fetch(picture: NDArray[np.generic], field: Field) -> NDArray[np.generic]:
    """A picture [H, W, C] read along a field, cubic, black beyond its edges."""
    return cv2.remap(picture, field[..., 0] - 0.5, field[..., 1] - 0.5, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)


def write_map(path: Path, field: Field) -> None:
    """An ST map: red from the left, green from the bottom, both 0..1, as compositors read it; blue is empty."""
    height, width = field.shape[:2]
    write_exr(path, {"R": field[..., 0] / width, "G": 1 - field[..., 1] / height, "B": np.zeros((height, width), np.float32)})


def _grid(size: tuple[int, int]) -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    return np.stack([x, y], -1)


def _lens(camera: Camera, row: int, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    factor = np.asarray(size, float) / np.asarray(camera.size, float)
    return camera.focal[row] * factor, camera.centre[row] * factor, camera.distortion[row]
