"""Made tracks with a known camera: what the tests of the camera room solve, and how the answer is judged; no pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np

from engine.camera import bundle, diagnosis, span
from engine.camera.tracks import Tracks
from engine.contract.options import Solve
from engine.geometry import lens
from engine.geometry.pose import invert, pose, rotation_from_vector
from engine.metrics.trajectory import TrajectoryError, compare

SIZE = (640, 360)
CENTRE = np.array([320.0, 180.0])
VIEWS = 24
FIXED = np.full(VIEWS, 520.0)


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


def solve(tracks: Tracks, folder: Path, views: int = VIEWS, focal: float = 0.0, **options: object) -> span.Solved:
    """The answer by those options, its files in `folder`."""
    return span.solve(span.Question(tracks, views, SIZE, Solve(**options), focal, folder / "work", lambda: None))


def ahead() -> np.ndarray:
    """A way straight ahead: any focal length will do."""
    poses = np.tile(np.eye(4), (VIEWS, 1, 1))
    poses[:, 2, 3] = np.linspace(0, 1.2, VIEWS)
    return poses


def placed(tracks: Tracks, poses: np.ndarray, focal_px: np.ndarray, distortion: tuple[float, ...] = (0, 0, 0, 0), limit: float = 3.0) -> bundle.State:
    """A camera that is there already, with points where the tracks meet in it within `limit` px."""
    blank = np.full((int(tracks.track.max()) + 1, 3), np.nan)
    return bundle.triangulated(bundle.State(SIZE, focal_px, np.array(distortion, float), invert(poses), np.ones(len(poses), bool), blank), tracks, limit)


def judge(answer: span.Solved, poses: np.ndarray, focal: np.ndarray) -> TrajectoryError:
    """How far the views with a pose are from the truth."""
    posed = answer.state.posed
    return compare(invert(answer.state.pose)[posed], poses[posed], answer.state.focal[posed], focal[posed])


def answered(state: bundle.State, tracks: Tracks, fits: np.ndarray) -> span.Solved:
    """That camera as the answer for a fixed lens, as if its focal length were surely known."""
    return span.Solved(state, tracks, fits, diagnosis.Diagnosis(0, 0, 0, 0, 0, 0, 0, 1), "", "free", "fixed", 0.01, [0])
