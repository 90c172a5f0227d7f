"""Camera room: a path without what quivers quicker than the artist allows; numpy and scipy, no torch, no pycolmap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from ..geometry.pose import invert, pose, quaternion_from_rotation, rotation_from_quaternion
from .bundle import State

Array = NDArray[np.float64]


def smoothed(state: State, period: float) -> State:
    """The state with place and turn of its posed views smoothed; movement of `period` views is halved, slower movement stays.

    Each stretch of posed views by itself. The points are left as they are: triangulate them anew.
    """
    world = invert(state.pose)
    rows = np.flatnonzero(state.posed)
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        if len(run) < 5:
            continue
        turn = quaternion_from_rotation(world[run, :3, :3])
        flips = np.cumprod(np.where((turn[1:] * turn[:-1]).sum(1) < 0, -1.0, 1.0))
        both = whittaker(np.concatenate([world[run, :3, 3], turn * np.concatenate([[1.0], flips])[:, None]], 1), period)
        world[run] = pose(rotation_from_quaternion(both[:, 3:]), both[:, :3])
    return replace(state, pose=np.where(state.posed[:, None, None], invert(world), state.pose))


def whittaker(values: Array, period: float) -> Array:
    """[T, D] with small second differences (Whittaker 1923): a wave of `period` samples keeps half its height."""
    count, weight = len(values), 1 / (2 - 2 * np.cos(2 * np.pi / max(period, 2.0))) ** 2
    bands = np.zeros((3, count))
    bands[2] = 6 * weight
    bands[2, [0, -1]], bands[2, [1, -2]] = weight, 5 * weight
    bands[1, 1:], bands[1, [1, -1]] = -4 * weight, -2 * weight
    bands[0, 2:] = weight
    bands[2] += 1
    return solveh_banded(bands, values)
