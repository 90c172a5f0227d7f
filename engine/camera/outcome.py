"""Camera room: a solved shot as solve and orient write it: camera, points, their tracks, COLMAP text; no torch, no pycolmap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import camera as camera_file
from ..geometry import ply
from ..geometry.camera import Camera
from ..geometry.similarity import Similarity
from ..store import beside, read_json, write_json, writing
from . import card, colmap

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """One solved shot. Observations refer to rows of the points; pixels are at the camera's size."""

    camera: Camera
    xyz: Array  # [P, 3]
    rgb: NDArray[np.uint8]  # [P, 3]
    error: Array  # [P] px, mean
    length: NDArray[np.int64]  # [P] frames
    track: NDArray[np.int64]  # [N] row of the point
    frame: NDArray[np.int64]  # [N] the clip's number
    xy: Array  # [N, 2] px, where the pictures show them
    report: dict[str, Any]
    shift: Array | None = None  # [N, 2] px of it that a rolling shutter did, where one was taken out

    @property
    def straight(self) -> Array:
        """[N, 2] px where the instant of each frame's pose has the observations."""
        return self.xy if self.shift is None else self.xy - self.shift

    def moved(self, similarity: Similarity) -> Outcome:
        """The same in another world."""
        poses = similarity.poses(self.camera.world_from_camera)
        return replace(self, camera=replace(self.camera, world_from_camera=poses), xyz=similarity.points(self.xyz))

    def residuals(self) -> Array:
        """Reprojection error [N] px of each observation."""
        xy, _ = self.camera.project(np.searchsorted(self.camera.frame, self.frame), self.xyz[self.track])
        return np.linalg.norm(xy - self.straight, axis=1)

    def write(self, room: Path) -> None:
        """camera.npz, points.npz, points.ply, tracks.npz, colmap/, report.json, report.png."""
        with writing(room / "camera.npz") as file:
            self.camera.save(file)
        with writing(room / "points.npz") as file:
            np.savez(file, xyz=self.xyz, rgb=self.rgb, error=self.error, length=self.length)
        with writing(room / "tracks.npz") as file:
            np.savez(file, track=self.track, frame=self.frame, xy=self.xy, **({} if self.shift is None else {"shift": self.shift}))
        with beside(room / "points.ply") as fresh:
            fresh.write_bytes(ply.encode(self.xyz, self.rgb))
        colmap.write(room / "colmap", self)
        write_json(room / "report.json", self.report)
        card.write(room / "report.png", self)


def read(room: Path) -> Outcome:
    """What Outcome.write wrote."""
    with np.load(room / "points.npz", allow_pickle=False) as p, np.load(room / "tracks.npz", allow_pickle=False) as t:
        return Outcome(
            camera_file.load(room / "camera.npz"), p["xyz"], p["rgb"], p["error"], p["length"], t["track"], t["frame"], t["xy"],
            read_json(room / "report.json"), t["shift"] if "shift" in t else None,
        )
