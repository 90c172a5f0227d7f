"""Geometry of one similarity (scale, turn, shift) between two worlds; numpy only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Similarity:
    """target = scale * rotation @ source + translation."""

    scale: float = 1.0
    rotation: Array = field(default_factory=lambda: np.eye(3))
    translation: Array = field(default_factory=lambda: np.zeros(3))

    def points(self, xyz: Array) -> Array:
        """Points [..., 3] in the target world."""
        return self.scale * (xyz @ self.rotation.T) + self.translation

    def poses(self, world_from_camera: Array) -> Array:
        """Poses [..., 4, 4] in the target world; they stay rigid."""
        out = np.array(world_from_camera, np.float64)
        out[..., :3, :3] = self.rotation @ world_from_camera[..., :3, :3]
        out[..., :3, 3] = self.points(world_from_camera[..., :3, 3])
        return out

    def inverse(self) -> Similarity:
        """source <- target."""
        turned = self.rotation.T
        return Similarity(1 / self.scale, turned, -(turned @ self.translation) / self.scale)

    def after(self, first: Similarity) -> Similarity:
        """This one applied after `first`."""
        return Similarity(self.scale * first.scale, self.rotation @ first.rotation, self.points(first.translation))


def align(source: Array, target: Array, scale: bool = True) -> Similarity:
    """The similarity that brings source [N, 3] nearest to target [N, 3] in least squares (Umeyama 1991)."""
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    from_mean, to_mean = source.mean(0), target.mean(0)
    a, b = source - from_mean, target - to_mean
    u, s, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    spread = (a**2).sum(1).mean()
    factor = float((s * sign).sum() / spread) if scale and spread > 0 else 1.0
    return Similarity(factor, rotation, to_mean - factor * rotation @ from_mean)
