"""Made tracks with a known camera: what the tests of the camera room solve; no pictures."""

from __future__ import annotations

from typing import Callable

import numpy as np

from engine.camera.tracks import Tracks
from engine.geometry import lens
from engine.geometry.pose import invert, pose, rotation_from_vector

SIZE = (640, 360)
CENTRE = np.array([320.0, 180.0])


def path(views: int, travel: float = 1.0, turn: float = 0.25) -> np.ndarray:
    """world_from_camera [V, 4, 4]: a hand-held move to the right and forward that looks around."""
    return moment(np.linspace(0, 1, views), travel, turn)


def moment(time: np.ndarray, travel: float = 1.0, turn: float = 0.25) -> np.ndarray:
    """world_from_camera [N, 4, 4] at times [N] of that path, 0 to 1."""
    place = travel * np.stack([1.4 * time, 0.08 * np.sin(9 * time), 0.7 * time], 1)
    look = np.stack([0.03 * np.sin(7 * time), -turn * time, 0.02 * np.sin(5 * time)], 1)
    return pose(rotation_from_vector(look), place)


def make(
    poses: np.ndarray, focal: np.ndarray, distortion: tuple[float, ...] = (-0.05, 0, 0, 0), noise: float = 0.15, movers: float = 0.0,
    points: int = 900, seed: int = 1, readout: float = 0.0, at: Callable[[np.ndarray], np.ndarray] = moment,
) -> Tracks:
    """Tracks of a room of points; a part `movers` of them drifts by itself, not marked as moving. Tracks live 25 views at most.

    With a `readout` the rows are read one after another over that part of a frame's time, along the path `at`.
    """
    random = np.random.default_rng(seed)
    xyz = random.uniform([-5, -2, 2.5], [7, 2, 12], (points * 3, 3))
    drift = np.where(random.random(len(xyz)) < movers, 1.0, 0.0)[:, None] * random.normal(size=(len(xyz), 3)) * [0.05, 0.02, 0.05]
    birth = random.integers(-20, len(poses), len(xyz))
    rows = []
    for view, matrix in enumerate(invert(poses)):
        local = (xyz + drift * view) @ matrix[:3, :3].T + matrix[:3, 3]
        xy = lens.project(local, np.full(2, focal[view]), CENTRE, np.array(distortion))
        for _ in range(4 if readout else 0):
            late = np.clip(xy[:, 1], 0, SIZE[1]) / SIZE[1] - 0.5
            matrices = invert(at((view + readout * late) / (len(poses) - 1)))
            moved = np.einsum("nij,nj->ni", matrices[:, :3, :3], xyz + drift * view) + matrices[:, :3, 3]
            xy = lens.project(moved, np.full(2, focal[view]), CENTRE, np.array(distortion))
        xy = xy + random.normal(0, noise, (len(xyz), 2))
        seen = (local[:, 2] > 0.5) & (xy > 2).all(1) & (xy < np.array(SIZE) - 2).all(1) & (view >= birth) & (view < birth + 25)
        rows.append((np.flatnonzero(seen), np.full(seen.sum(), view), xy[seen]))
    track, view, xy = (np.concatenate([row[k] for row in rows]) for k in range(3))
    return Tracks(track, view, xy, np.zeros(len(track), bool))
