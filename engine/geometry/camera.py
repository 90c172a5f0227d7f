"""Geometry of a solved camera: the poses and lens of every frame, as camera.npz holds them; numpy only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from . import lens, pose

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """One row per frame of the clip; rows that are not `solved` hold a pose that must not be believed."""

    frame: NDArray[np.int64]  # [T] the clip's numbers, rising
    world_from_camera: Array  # [T, 4, 4] OpenCV axes
    focal: Array  # [T, 2] px at `size`
    centre: Array  # [T, 2] px at `size`
    distortion: Array  # [T, 4] k1 k2 p1 p2
    solved: NDArray[np.bool_]  # [T]
    size: tuple[int, int]  # W, H
    interpolated: NDArray[np.bool_] | None = None  # [T] not solved, but with a pose between those of solved neighbours, as was asked for

    @property
    def posed(self) -> NDArray[np.bool_]:
        """[T] solved or interpolated."""
        return self.solved if self.interpolated is None else self.solved | self.interpolated

    def row(self, frame: int) -> int:
        """The row of a frame number, or KeyError."""
        at = int(np.searchsorted(self.frame, frame))
        if at == len(self.frame) or self.frame[at] != frame:
            raise KeyError(frame)
        return at

    @property
    def camera_from_world(self) -> Array:
        """[T, 4, 4]"""
        return pose.invert(self.world_from_camera)

    @property
    def place(self) -> Array:
        """[T, 3] where the camera stood."""
        return self.world_from_camera[:, :3, 3]

    def scaled(self, size: tuple[int, int]) -> Camera:
        """The same camera for pictures of another size (W, H)."""
        factor = np.asarray(size, np.float64) / np.asarray(self.size, np.float64)
        return replace(self, focal=self.focal * factor, centre=self.centre * factor, size=(int(size[0]), int(size[1])))

    def rays(self, row: int, size: tuple[int, int]) -> Array:
        """Rays [H, W, 3] with z = 1 through every pixel of a picture of `size`, distortion taken out."""
        return lens.rays(size, self.size, self.focal[row], self.centre[row], self.distortion[row])

    def project(self, rows: NDArray[np.int64], points: Array) -> tuple[Array, Array]:
        """World points [N, 3], each into its own row [N] -> pixels [N, 2] and depth [N]."""
        matrix = self.camera_from_world[rows]
        local = np.einsum("nij,nj->ni", matrix[:, :3, :3], points) + matrix[:, :3, 3]
        return lens.project(local, self.focal[rows], self.centre[rows], self.distortion[rows]), local[:, 2]

    def filled(self, rows: NDArray[np.int64]) -> Camera:
        """With pose and lens for those of the rising `rows` (one world) that are not solved but lie between solved ones; none before or after."""
        good = rows[self.solved[rows]]
        gaps = rows[~self.solved[rows]]
        gaps = gaps[(gaps > good.min(initial=len(self.frame))) & (gaps < good.max(initial=-1))]
        marked = np.zeros(len(self.frame), bool) if self.interpolated is None else self.interpolated.copy()
        marked[gaps] = True
        at, known = self.frame[gaps].astype(np.float64), self.frame[good].astype(np.float64)
        poses, focal = self.world_from_camera.copy(), self.focal.copy()
        if len(gaps):
            poses[gaps] = pose.interpolate(known, poses[good], at)
            focal[gaps] = np.exp(np.stack([np.interp(at, known, np.log(side)) for side in focal[good].T], -1))
        return replace(self, world_from_camera=poses, focal=focal, interpolated=marked)

    def save(self, path: Path | BinaryIO) -> None:
        """Write camera.npz."""
        np.savez(
            path, frame=self.frame.astype(np.int64), world_from_camera=self.world_from_camera, focal=self.focal,
            centre=self.centre, distortion=self.distortion, solved=self.solved, interpolated=self.posed & ~self.solved, size=np.asarray(self.size, np.int64),
        )


def load(path: Path) -> Camera:
    """Read camera.npz."""
    with np.load(path, allow_pickle=False) as file:
        width, height = (int(v) for v in file["size"])
        return Camera(
            file["frame"].astype(np.int64), file["world_from_camera"].astype(np.float64), file["focal"].astype(np.float64),
            file["centre"].astype(np.float64), file["distortion"].astype(np.float64), file["solved"].astype(bool), (width, height),
            file["interpolated"].astype(bool) if "interpolated" in file else None,
        )
