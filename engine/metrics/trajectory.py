"""Metrics of a camera against its truth; numpy and engine.geometry only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.pose import angle_between, mean_rotation
from ..geometry.similarity import align

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TrajectoryError:
    """How far a solved camera is from the true one, after the similarity that no solve can know."""

    ate_percent: float  # root mean square of the distance, in % of the true path's length
    ate_worst_percent: float
    rotation_degrees: float  # mean
    rotation_worst_degrees: float
    jitter_degrees: float  # mean error of the turn from frame to frame
    focal_percent: float  # mean absolute, nan without truth


def compare(estimate: Array, truth: Array, focal: Array | None = None, true_focal: Array | None = None) -> TrajectoryError:
    """Poses world_from_camera [T, 4, 4] against the truth at the same frames; focal lengths [T] px where known.

    Places are aligned by Umeyama's similarity. Turns are aligned by themselves (chordal mean), because the places of
    a straight drive leave the turn about its own line open.
    """
    place, true_place = estimate[:, :3, 3], truth[:, :3, 3]
    length = np.linalg.norm(np.diff(true_place, axis=0), axis=1).sum()
    error = np.linalg.norm(align(place, true_place).points(place) - true_place, axis=1)
    percent = 100 / max(length, 1e-12)
    turn, true_turn = estimate[:, :3, :3], truth[:, :3, :3]
    bridge = mean_rotation(true_turn @ np.swapaxes(turn, 1, 2))
    angles = np.degrees(angle_between(bridge @ turn, true_turn))
    steps = [np.swapaxes(r[:-1], 1, 2) @ r[1:] for r in (turn, true_turn)]
    jitter = np.degrees(angle_between(*steps)) if len(turn) > 1 else np.zeros(1)
    off = float("nan")
    if focal is not None and true_focal is not None:
        off = float(100 * np.mean(np.abs(np.asarray(focal) / np.asarray(true_focal) - 1)))
    return TrajectoryError(
        float(percent * np.sqrt((error**2).mean())), float(percent * error.max()),
        float(angles.mean()), float(angles.max()), float(jitter.mean()), off,
    )
