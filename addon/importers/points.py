"""Coloured points: those of the solve, and the fused cloud. Imports bpy and numpy."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..nodes import cloud, modifier
from . import place

_PLY_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}


def import_points(clip: bpy.types.MovieClip, scene: bpy.types.Scene, folder: Path) -> bpy.types.Object | None:
    """The points of the solve, or None where the folder holds none."""
    path = Path(folder) / "points.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as content:
        xyz, rgb = content["xyz"], content["rgb"]
    made = _place(clip, scene, "points", f"{clip.name} points", xyz, 0.1)
    colour(made, rgb)
    return made


def import_cloud(clip: bpy.types.MovieClip, scene: bpy.types.Scene, folder: Path) -> bpy.types.Object:
    """The fused cloud of the still scene."""
    xyz, rgb = read_cloud(folder)
    made = place_cloud(clip, scene, xyz)
    colour(made, rgb)
    return made


def read_cloud(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Positions and colours of the fused cloud."""
    return read_ply(Path(folder) / "fused.ply")


def place_cloud(clip: bpy.types.MovieClip, scene: bpy.types.Scene, xyz: np.ndarray) -> bpy.types.Object:
    """The object of a cloud that has been read; `colour` gives it its colours."""
    return _place(clip, scene, "cloud", f"{clip.name} cloud", xyz, 0.1)


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """xyz [N, 3] float32 and rgb [N, 3] uint8 of a PLY file's vertices, binary or text."""
    with open(path, "rb") as file:
        names, kinds, count, form = _header(file)
        layout = np.dtype([(name, ("<" if "little" in form else ">") + kind) for name, kind in zip(names, kinds)])
        if form == "ascii":
            rows = np.loadtxt(file, max_rows=count, ndmin=2) if count else np.empty((0, len(names)))
            columns = {name: rows[:, index] for index, name in enumerate(names)}
        else:
            rows = np.frombuffer(file.read(layout.itemsize * count), layout)
            columns = {name: rows[name] for name in names}
    xyz = np.stack([columns[axis] for axis in "xyz"], -1).astype(np.float32)
    if "red" not in columns:
        return xyz, np.full(xyz.shape, 200, np.uint8)
    return xyz, np.stack([columns[name] for name in ("red", "green", "blue")], -1).astype(np.uint8)


def _header(file: object) -> tuple[list[str], list[str], int, str]:
    names, kinds, count, form, inside = [], [], 0, "", False
    for line in iter(lambda: file.readline().decode("ascii").split(), ["end_header"]):
        if line[:1] == ["format"]:
            form = line[1]
        elif line[:1] == ["element"]:
            inside = line[1] == "vertex"
            count = int(line[2]) if inside else count
        elif line[:1] == ["property"] and inside:
            kinds.append(_PLY_TYPES[line[1]])
            names.append(line[2])
    return names, kinds, count, form


def _place(clip: bpy.types.MovieClip, scene: bpy.types.Scene, role: str, name: str, xyz: np.ndarray, spacing: float) -> bpy.types.Object:
    target, fresh = place.object_of(clip, scene, role, name, bpy.data.meshes.new)
    mesh = target.data
    mesh.clear_geometry()
    mesh.vertices.add(len(xyz))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(xyz, np.float32).ravel())
    mesh.update()
    if fresh:
        shape = modifier.attach(target, cloud.points_group())
        modifier.set_inputs(shape, {"Size": _spread(xyz) * spacing})
    return target


def colour(target: bpy.types.Object, rgb: np.ndarray) -> None:
    """Give each point its colour, [N, 3] uint8."""
    mesh = target.data
    layer = mesh.attributes.get(cloud.COLOUR) or mesh.attributes.new(cloud.COLOUR, "BYTE_COLOR", "POINT")
    rgba = np.concatenate([rgb.astype(np.float32) / 255, np.ones((len(rgb), 1), np.float32)], 1)
    layer.data.foreach_set("color_srgb", np.ascontiguousarray(rgba).ravel())
    mesh.update()


def _spread(xyz: np.ndarray) -> float:
    """A length that suits the cloud: the typical distance of neighbours if the points lay on a surface."""
    if len(xyz) < 8:
        return 0.05
    low, high = np.percentile(xyz[:: 1 + len(xyz) // 5000], (10, 90), axis=0)  # some tell as much as all
    return max(1e-6, float(np.linalg.norm(high - low)) / np.sqrt(len(xyz)))
