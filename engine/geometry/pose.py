"""Geometry of rigid motion: rotations, quaternions, poses and what lies between them; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def skew(v: Array) -> Array:
    """[..., 3] -> [..., 3, 3] with skew(v) @ w = v x w."""
    v = np.asarray(v, np.float64)
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    out = np.zeros((*v.shape, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -z, y, -x
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = z, -y, x
    return out


def rotation_from_vector(v: Array) -> Array:
    """Rodrigues: rotation vector [..., 3] in radians -> rotation matrix [..., 3, 3]."""
    v = np.asarray(v, np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    k = skew(v)
    return np.eye(3) + a * k + b * (k @ k)


def vector_from_rotation(rotation: Array) -> Array:
    """Rotation matrix [..., 3, 3] -> rotation vector [..., 3] in radians, angle within pi."""
    q = quaternion_from_rotation(rotation)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine < 1e-9, 2.0, angle / np.maximum(sine, 1e-300))


def quaternion_from_rotation(rotation: Array) -> Array:
    """Rotation matrix [..., 3, 3] -> unit quaternion [..., 4] as w x y z, w >= 0 (Bar-Itzhack: the top eigenvector)."""
    m = np.asarray(rotation, np.float64)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    k = np.empty((*m.shape[:-2], 4, 4))
    k[..., 1:, 1:] = m + np.swapaxes(m, -1, -2) - trace[..., None, None] * np.eye(3)
    k[..., 0, 0] = trace
    axis = np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1)
    k[..., 0, 1:] = k[..., 1:, 0] = axis
    q = np.linalg.eigh(k)[1][..., -1]
    return q * np.where(q[..., :1] < 0, -1.0, 1.0)


def rotation_from_quaternion(q: Array) -> Array:
    """Quaternion [..., 4] as w x y z, any length -> rotation matrix [..., 3, 3]."""
    q = np.asarray(q, np.float64)
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    k = skew(q[..., 1:])
    return np.eye(3) + 2 * q[..., 0, None, None] * k + 2 * (k @ k)


def pose(rotation: Array, translation: Array) -> Array:
    """Rotation [..., 3, 3] and translation [..., 3] as a 4x4 matrix."""
    out = np.zeros((*np.shape(rotation)[:-2], 4, 4))
    out[..., :3, :3], out[..., :3, 3], out[..., 3, 3] = rotation, translation, 1.0
    return out


def invert(matrix: Array) -> Array:
    """The inverse of rigid 4x4 poses [..., 4, 4]."""
    turned = np.swapaxes(matrix[..., :3, :3], -1, -2)
    return pose(turned, -(turned @ matrix[..., :3, 3:])[..., 0])


def angle_between(a: Array, b: Array) -> Array:
    """Angle in radians between rotation matrices [..., 3, 3]."""
    return np.linalg.norm(vector_from_rotation(np.swapaxes(a, -1, -2) @ b), axis=-1)


def mean_rotation(rotations: Array) -> Array:
    """The rotation nearest to all of [N, 3, 3] (chordal mean: projection of the sum on SO(3))."""
    u, _, vt = np.linalg.svd(np.sum(rotations, axis=0))
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt


def interpolate(frames: Array, poses: Array, at: Array) -> Array:
    """Poses [T, 4, 4] known at rising `frames` [T], at times `at` [M]: geodesic turn, Catmull-Rom path; held at the ends."""
    frames, at = np.asarray(frames, np.float64), np.asarray(at, np.float64)
    if len(frames) == 1:
        return np.repeat(poses, len(at), axis=0)
    at = np.clip(at, frames[0], frames[-1])
    i = np.clip(np.searchsorted(frames, at, side="right") - 1, 0, len(frames) - 2)
    span = frames[i + 1] - frames[i]
    u = ((at - frames[i]) / span)[:, None]
    turn = vector_from_rotation(np.swapaxes(poses[i, :3, :3], -1, -2) @ poses[i + 1, :3, :3])
    rotation = poses[i, :3, :3] @ rotation_from_vector(u * turn)
    place = poses[:, :3, 3]
    slope = np.gradient(place, frames, axis=0)
    m0, m1 = slope[i] * span[:, None], slope[i + 1] * span[:, None]
    path = (
        (2 * u**3 - 3 * u**2 + 1) * place[i] + (u**3 - 2 * u**2 + u) * m0
        + (3 * u**2 - 2 * u**3) * place[i + 1] + (u**3 - u**2) * m1
    )
    return pose(rotation, path)
