"""The slow-motion room, camera: its pose and lens at times between the frames; numpy and SciPy's splines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.spatial.transform import Rotation, RotationSpline

from ..geometry.camera import Camera
from ..geometry.pose import pose
from .timeline import Moment, Timeline


def camera_at(camera: Camera, track: Timeline, moments: Sequence[Moment]) -> Camera:
    """The camera of each output picture, numbered from 1; smooth in turn and place (C2 splines), shot by shot.

    Repeated frames are no knots: the path runs through what the pictures show. Where a neighbour has no pose, neither has the answer.
    """
    at = np.array([m.before + m.fraction * (m.after - m.before) for m in moments])
    known, sure = (dict(zip(camera.frame.tolist(), rows.tolist())) for rows in (camera.posed, camera.solved))
    posed, solved = (np.array([there.get(m.before, False) and there.get(m.after, False) for m in moments]) for there in (known, sure))
    rows = [camera.row(int(number)) if known.get(int(number), False) else -1 for number in track.frame]
    shots = np.array([track.shot[np.searchsorted(track.frame, m.before)] for m in moments])
    poses, focal = np.tile(np.eye(4), (len(at), 1, 1)), np.ones((len(at), 2))
    centre, distortion = np.zeros((len(at), 2)), np.zeros((len(at), 4))
    for shot in np.unique(shots):
        knots = [row for row, of in zip(rows, track.shot) if row >= 0 and of == shot]
        mine = shots == shot
        if knots:
            poses[mine], focal[mine], centre[mine], distortion[mine] = _between(camera, knots, at[mine])
        else:
            posed[mine] = solved[mine] = False
    return Camera(np.arange(1, len(at) + 1), poses, focal, centre, distortion, solved, camera.size, posed & ~solved)


def _between(camera: Camera, knots: list[int], at: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Pose, focal length, centre and distortion at times `at`, held beyond the first and last knot."""
    if len(knots) == 1:
        return tuple(np.repeat(part[knots], len(at), axis=0) for part in (camera.world_from_camera, camera.focal, camera.centre, camera.distortion))
    frame = camera.frame[knots].astype(np.float64)
    at = np.clip(at, frame[0], frame[-1])
    matrix = camera.world_from_camera[knots]
    turn = RotationSpline(frame, Rotation.from_matrix(matrix[:, :3, :3]))(at).as_matrix()
    place = CubicSpline(frame, matrix[:, :3, 3])(at)
    focal = np.exp(PchipInterpolator(frame, np.log(camera.focal[knots]))(at))
    linear = [np.stack([np.interp(at, frame, column) for column in part[knots].T], -1) for part in (camera.centre, camera.distortion)]
    return pose(turn, place), focal, linear[0], linear[1]
