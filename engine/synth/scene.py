"""Synth room: what a made shot consists of — bodies, views and their paths; imports numpy alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

import numpy as np

Pose = Callable[[float], np.ndarray]  # time in frames -> 4x4 rigid world_from_body, metres


@dataclass(frozen=True)
class View:
    """A camera at one moment; lengths of the picture are in widths, so that a view fits every size."""

    world_from_camera: np.ndarray  # [4, 4] OpenCV camera, metres
    focal: float  # in picture widths
    distortion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # k1 k2 p1 p2


@dataclass(frozen=True)
class Body:
    """A box, ball or drum (upright cylinder): a unit shape, stretched to `size` (half extents), carried by `pose`."""

    shape: str
    size: tuple[float, float, float]
    pose: Pose
    skin: str
    mover: bool = False
    stretch: Callable[[float], tuple[float, float, float]] | None = None  # change of shape over time: factors of size

    def world_from_unit(self, time: float) -> np.ndarray:
        """[4, 4] affine: from the shape of half extent 1 to the world."""
        factors = np.ones(3) if self.stretch is None else np.asarray(self.stretch(time))
        return self.pose(time) @ np.diag([*(np.asarray(self.size) * factors), 1.0])


@dataclass(frozen=True)
class Scene:
    """Bodies under a sun, and the camera that films them."""

    bodies: tuple[Body, ...]
    view: Callable[[float], View]  # time in frames, the first frame is 0
    exposure: float = 0.0  # deviation of the gain from frame to frame
    grain: float = 0.008  # deviation of the noise, display-referred
    shutter: float = 0.0  # open share of a frame; 0 = no motion blur
    sun: tuple[float, float, float] = field(default=(0.45, -0.6, 0.75))


def rigid(place: tuple[float, float, float] | np.ndarray, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """[4, 4] world_from_body: roll about x, pitch about y, yaw about z (radians), then moved to `place`."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (roll, pitch, yaw))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    out = np.eye(4)
    out[:3, :3] = about_z @ about_y @ about_x
    out[:3, 3] = place
    return out


def still(place: tuple[float, float, float], yaw: float = 0.0) -> Pose:
    """The pose of what does not move."""
    matrix = rigid(place, yaw)
    return lambda time: matrix


def look_at(eye: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """[4, 4] world_from_camera: OpenCV camera at `eye`, z axis towards `target`, upright but for `roll` radians."""
    forward = np.asarray(target, float) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    out = np.eye(4)
    out[:3, :3] = np.stack([np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right, forward], 1)
    out[:3, 3] = eye
    return out


def sway(seed: int, time: float, amount: float, slowest: float = 0.25, fastest: float = 2.2) -> np.ndarray:
    """A hand's unrest [3] at `time` frames of 24 fps: six sines per axis, their amplitude falling with frequency."""
    random = np.random.default_rng(seed)
    frequency = np.geomspace(slowest, fastest, 6)
    phase = random.uniform(0, 2 * np.pi, (3, 6))
    weight = random.uniform(0.5, 1.0, (3, 6)) * (slowest / frequency) ** 0.9
    return amount * (weight * np.sin(2 * np.pi * frequency * time / 24 + phase)).sum(1)
