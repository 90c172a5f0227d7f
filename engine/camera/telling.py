"""Camera room: a camera and its points become the outcome that is written, with report and colours; no torch, no pycolmap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import pose, reprojection
from ..geometry.camera import Camera
from ..geometry.evenly import evenly
from ..media.frames import Frames
from . import judgement
from .outcome import Outcome

Array = NDArray[np.float64]
# Of each span: its points [P, 3], and of each observation the point, the row of the camera, px at the frames' size, px of those that a
# rolling shutter did.
Table = tuple[Array, NDArray[np.int64], NDArray[np.int64], Array, Array]
# The first camera looks along the world's +Y, the world's Z is the picture's up.
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
NEAR = 5.0  # units to the median point from the first camera


def unplaced(numbers: list[int], size: tuple[int, int]) -> Camera:
    """A camera of those frames, for pictures of `size`, none of them solved yet."""
    count = len(numbers)
    centre = np.tile(np.asarray(size, float) / 2, (count, 1))
    return Camera(
        np.array(numbers), np.tile(pose.pose(UPRIGHT, np.zeros(3)), (count, 1, 1)), np.full((count, 2), 1.2 * max(size)), centre,
        np.zeros((count, 4)), np.zeros(count, bool), size,
    )


def some(frames: Frames) -> list[int]:
    """Frames whose pictures colour the points, where none were keyframes of a map."""
    return [int(frames.numbers[k]) for k in evenly(len(frames), 12)]


def told(frames: Frames, camera: Camera, tables: list[Table], about: dict[str, Any]) -> Outcome:
    """The outcome of a camera and the table of each span; `about` is what the report says of the way there."""
    xyz, track, row, xy, shift = (np.concatenate([table[k] for table in tables]) for k in range(5))
    residual = np.linalg.norm(xy - shift - camera.project(row, xyz[track])[0], axis=1)
    length = np.bincount(track, minlength=len(xyz))
    error = np.bincount(track, residual, len(xyz)) / np.maximum(length, 1)
    angle = reprojection.parallax(xyz, camera.place, track, row)
    frame = camera.frame[row]
    report = judgement.report(camera, frame, xy, residual, len(xyz), float(np.median(angle)) if len(angle) else 0.0, about)
    rgb = _colours(frames, frame, track, xy, len(xyz), set(about["keyframes"]))
    return Outcome(camera, xyz, rgb, error, length, track, frame, xy, report, shift if shift.any() else None)


def _colours(
    frames: Frames, frame: NDArray[np.int64], track: NDArray[np.int64], xy: Array, count: int, keys: set[int]
) -> NDArray[np.uint8]:
    """The colour [P, 3] of each point in one keyframe that sees it, grey where none does; few pictures are read."""
    rgb = np.full((count, 3), 128, np.uint8)
    open_points = np.ones(count, bool)
    for number in sorted(keys):
        rows = np.flatnonzero((frame == number) & open_points[track])
        if len(rows):
            picture = frames.rgb8(number)
            x, y = np.floor(xy[rows]).astype(int).T
            rgb[track[rows]] = picture[y.clip(0, picture.shape[0] - 1), x.clip(0, picture.shape[1] - 1)]
            open_points[track[rows]] = False
    return rgb
