"""Stage cloud: coloured points of the still scene, fused over frames and cleaned, and of single frames; Open3D, no bpy, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import store
from ..contract.artifacts import FRAME
from ..contract.options import Cloud
from ..dense.shot import Shot
from ..failures import ShotFailure
from ..geometry import ply
from ..geometry.evenly import evenly
from ..geometry.splat import splat, swung
from ..libraries import open3d
from ..media.frames import VideoWriter, read_depth
from ..stage import Inputs, Report

Points = tuple[NDArray[np.float64], NDArray[np.float64]]  # xyz [N, 3] in the world, rgb [N, 3] in 0..1
SPREAD = 0.12  # relative step of depth to a neighbour beyond which a pixel lies on an edge, between two surfaces
FEWEST = 50  # points below which nothing is cleaned
SWING = 0.35  # radians that the film's camera goes to either side
BEHIND = 0.12  # grey of the film where no point is


def run(inputs: Inputs, options: Cloud, report: Report, room: Path) -> None:
    """fused.ply of the still scene; with `per_frame` also %06d.ply, movers included; with `film` cloud.mp4."""
    shot = Shot(inputs["frames"], inputs["flow"], inputs["orient"], inputs["scene_movers"])
    solved = [number for number in shot.numbers if shot.row(number) is not None]
    chosen = [solved[k] for k in evenly(len(solved), options.frames)]
    steps = Steps(report, len(solved) * (options.per_frame + options.film) + len(chosen) + 1)
    if options.per_frame:
        for number in solved:
            path = room / f"{FRAME % number}.ply"
            if not path.is_file():
                write(path, _whole(shot, inputs["consistent_depth"], number, options))
            steps.one()
    if (room / "fused.ply").is_file():
        steps.one(len(chosen) + 1)
    else:
        _fuse(shot, inputs["consistent_depth"], chosen, options, steps, room)
    if options.film and not (room / "cloud.mp4").is_file():
        _film(shot, inputs["consistent_depth"], solved, options, steps, room)
    about = store.read_json(room / "cloud.json")
    report.figures.update(about)
    report.used = f"{about['points']} points of {about['frames']} frames, outliers removed by their distance to {options.neighbours} neighbours"


@dataclass
class Steps:
    """How many steps of all are done."""

    report: Report
    total: int
    done: int = 0

    def one(self, count: int = 1) -> None:
        """So many more."""
        self.done += count
        self.report.progress(self.done, self.total)


def _fuse(shot: Shot, depth: Path, chosen: list[int], options: Cloud, steps: Steps, room: Path) -> None:
    parts, cell = [], 0.0
    for number in chosen:
        xyz, rgb = points(shot, depth, number, options, movers=False)
        if len(xyz):
            # One cell is about the distance of neighbouring points half-way into the scene: near detail is kept.
            cell = cell or 0.7 * options.step * _middle(depth, number, options) / shot.camera.focal[0, 0]
            parts.append(_thin((xyz, rgb), cell))
        steps.one()
    if not parts:
        raise ShotFailure(
            "no-points", "There are no points to fuse.", f"No depth of this shot is surer than {options.confidence}.",
            "Lower the confidence that the cloud asks for.", {"cloud": {"confidence": 0.1}},
        )
    fused = _thin(tuple(np.concatenate(part) for part in zip(*parts)), cell)
    fused = clean(fused, options)
    store.write_json(room / "cloud.json", {"points": len(fused[0]), "frames": len(chosen), "cell": cell})
    write(room / "fused.ply", fused)
    steps.one()


def _film(shot: Shot, depth: Path, solved: list[int], options: Cloud, steps: Steps, room: Path) -> None:
    """cloud.mp4: the fused scene and each frame's own points, what moves among them, by a camera that swings about what the plate's looks at."""
    (xyz, rgb), cell = read(room / "fused.ply"), store.read_json(room / "cloud.json")["cell"]
    distance = float(np.median([_middle(depth, number, options) for number in solved[::8]]))
    with VideoWriter(room / "cloud.mp4", shot.size, shot.frames.fps) as film:
        for k, number in enumerate(solved):
            row = shot.row(number)
            own, colours = read(room / f"{FRAME % number}.ply") if options.per_frame else _whole(shot, depth, number, options)
            pose = shot.camera.world_from_camera[row]
            away = (own - pose[:3, 3]) @ pose[:3, 2]
            across = np.concatenate([np.full(len(xyz), cell), 1.5 * options.step * away / shot.camera.focal[row, 0]])
            eye = swung(pose, distance, SWING * np.sin(2 * np.pi * k / max(1, len(solved) - 1)))
            seen = np.concatenate([xyz, own]), np.concatenate([rgb, colours])
            film.write(splat(*seen, across, eye, shot.camera.focal[row], shot.camera.centre[row], shot.size, BEHIND))
            steps.one()


def _whole(shot: Shot, depth: Path, number: int, options: Cloud) -> Points:
    """One frame's cloud, what moves in it included."""
    return clean(points(shot, depth, number, options, movers=True), options)


def points(shot: Shot, depth: Path, number: int, options: Cloud, movers: bool) -> Points:
    """The sure points of one frame on every `step`-th pixel; edges left out, and what moves unless `movers`."""
    z, confidence = read_depth(depth / f"{FRAME % number}.exr")
    row = shot.row(number)
    moving = shot.movers(number)
    keep = (z > 0) & (((confidence >= options.confidence) & ~moving) | (moving if movers else False)) & ~_edges(z)
    keep[np.arange(z.shape[0]) % options.step != options.step // 2] = False
    keep[:, np.arange(z.shape[1]) % options.step != options.step // 2] = False
    pose = shot.camera.world_from_camera[row]
    local = shot.rays(row)[keep].astype(np.float64) * z[keep][:, None]
    return local @ pose[:3, :3].T + pose[:3, 3], shot.picture(number)[keep].astype(np.float64)


def _middle(depth: Path, number: int, options: Cloud) -> float:
    """How far the scene of a frame is: median of its sure depth, since a sky lies a hundred times beyond; of all where nothing is sure."""
    z, confidence = read_depth(depth / f"{FRAME % number}.exr")
    sure = z[(z > 0) & (confidence >= options.confidence)]
    return float(np.median(sure if len(sure) else z[z > 0]))


def _edges(z: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels [H, W] beside a jump of depth."""
    out = np.zeros(z.shape, bool)
    for axis in (0, 1):
        a, b = (z[:-1], z[1:]) if axis == 0 else (z[:, :-1], z[:, 1:])
        jump = np.abs(a - b) > SPREAD * np.minimum(a, b)
        (out[:-1] if axis == 0 else out[:, :-1])[...] |= jump
        (out[1:] if axis == 0 else out[:, 1:])[...] |= jump
    return out


def _thin(held: Points, cell: float) -> Points:
    """One point, the mean, for every occupied cell of a grid."""
    cloud = _to_open3d(held).voxel_down_sample(cell)
    return np.asarray(cloud.points), np.asarray(cloud.colors)


def clean(held: Points, options: Cloud) -> Points:
    """Points whose mean distance to their neighbours is no outlier among all points (Rusu 2008)."""
    if len(held[0]) < FEWEST:
        return held
    _, kept = _to_open3d(held).remove_statistical_outlier(options.neighbours, options.deviation)
    return held[0][kept], held[1][kept]


def _to_open3d(held: Points):  # type: ignore[no-untyped-def]
    library = open3d()
    cloud = library.geometry.PointCloud(library.utility.Vector3dVector(held[0]))
    cloud.colors = library.utility.Vector3dVector(held[1])
    return cloud


def write(path: Path, held: Points) -> None:
    """As PLY."""
    with store.beside(path) as fresh:
        fresh.write_bytes(ply.encode(held[0], np.clip(np.rint(held[1] * 255), 0, 255).astype(np.uint8)))


def read(path: Path) -> Points:
    """What `write` wrote."""
    xyz, rgb = ply.decode(path.read_bytes())
    return xyz, rgb / 255
