"""Stage cloud: coloured points of the still scene, fused over frames and cleaned, and of single frames; Open3D, no bpy, no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import store
from ..contract.artifacts import FRAME
from ..contract.options import Cloud
from ..dense.shot import Shot
from ..failures import ShotFailure
from ..geometry.evenly import evenly
from ..libraries import open3d
from ..media.frames import read_depth
from ..stage import Inputs, Report

Points = tuple[NDArray[np.float64], NDArray[np.float64]]  # xyz [N, 3] in the world, rgb [N, 3] in 0..1
SPREAD = 0.12  # relative step of depth to a neighbour beyond which a pixel lies on an edge, between two surfaces
FEWEST = 50  # points below which nothing is cleaned


def run(inputs: Inputs, options: Cloud, report: Report, room: Path) -> None:
    """fused.ply of the still scene; with `per_frame` also %06d.ply, movers included."""
    shot = Shot(inputs["frames"], inputs["flow"], inputs["orient"], inputs["scene_movers"])
    solved = [number for number in shot.numbers if shot.row(number) is not None]
    chosen = [solved[k] for k in evenly(len(solved), options.frames)]
    if options.per_frame:
        for done, number in enumerate(solved, 1):
            path = room / f"{FRAME % number}.ply"
            if not path.is_file():
                write(path, clean(points(shot, inputs["consistent_depth"], number, options, movers=True), options))
            report.progress(done, len(solved) + len(chosen) + 1)
    if not (room / "fused.ply").is_file():
        _fuse(shot, inputs["consistent_depth"], chosen, options, report, room, len(solved) if options.per_frame else 0)
    about = store.read_json(room / "cloud.json")
    report.figures.update(about)
    report.used = f"{about['points']} points of {about['frames']} frames, outliers removed by their distance to {options.neighbours} neighbours"


def _fuse(shot: Shot, depth: Path, chosen: list[int], options: Cloud, report: Report, room: Path, before: int) -> None:
    parts, cell = [], 0.0
    for done, number in enumerate(chosen, 1):
        xyz, rgb = points(shot, depth, number, options, movers=False)
        if len(xyz):
            # One cell is about the distance of neighbouring points half-way into the scene: near detail is kept.
            cell = cell or 0.7 * options.step * float(np.median(read_depth(depth / f"{FRAME % number}.exr")[0])) / shot.camera.focal[0, 0]
            parts.append(_thin((xyz, rgb), cell))
        report.progress(before + done, before + len(chosen) + 1)
    if not parts:
        raise ShotFailure(
            "no-points", "There are no points to fuse.", f"No depth of this shot is surer than {options.confidence}.",
            "Lower the confidence that the cloud asks for.", {"cloud": {"confidence": 0.1}},
        )
    fused = _thin(tuple(np.concatenate(part) for part in zip(*parts)), cell)
    fused = clean(fused, options)
    store.write_json(room / "cloud.json", {"points": len(fused[0]), "frames": len(chosen), "cell": cell})
    write(room / "fused.ply", fused)
    report.progress(before + len(chosen) + 1, before + len(chosen) + 1)


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
    """Binary PLY: x y z float32, red green blue uint8."""
    kind = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
    rows = np.empty(len(held[0]), kind)
    for k, name in enumerate("xyz"):
        rows[name] = held[0][:, k]
    for k, name in enumerate(("red", "green", "blue")):
        rows[name] = np.clip(np.rint(held[1][:, k] * 255), 0, 255)
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    lines += [f"property {'float' if name in 'xyz' else 'uchar'} {name}" for name, _ in kind] + ["end_header", ""]
    with store.beside(path) as fresh:
        fresh.write_bytes("\n".join(lines).encode("ascii") + rows.tobytes())
