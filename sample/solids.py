"""The sample shot's building blocks: boxes, turned solids, balls, leaves and cloth as meshes; knows bpy alone."""

from __future__ import annotations

import math
import random
from typing import Any, Sequence

import bmesh
import bpy

Vector3 = tuple[float, float, float]


def _object(name: str, mesh: bmesh.types.BMesh, material: Any, place: Vector3, turn: Vector3 = (0, 0, 0), smooth: bool = False) -> Any:
    data = bpy.data.meshes.new(name)
    mesh.to_mesh(data)
    mesh.free()
    data.materials.append(material)
    if smooth:
        data.polygons.foreach_set("use_smooth", [True] * len(data.polygons))
    thing = bpy.data.objects.new(name, data)
    thing.location, thing.rotation_euler = place, turn
    bpy.context.scene.collection.objects.link(thing)
    return thing


def box(name: str, size: Vector3, material: Any, place: Vector3, turn: Vector3 = (0, 0, 0), bevel: float = 0.012) -> Any:
    """A box of full extents `size` with softened edges, its middle at `place`."""
    mesh = bmesh.new()
    bmesh.ops.create_cube(mesh, size=1.0)
    bmesh.ops.scale(mesh, vec=size, verts=mesh.verts)
    if bevel:
        bmesh.ops.bevel(mesh, geom=mesh.edges[:], offset=min(bevel, min(size) / 3), segments=2, affect="EDGES", profile=0.6)
    return _object(name, mesh, material, place, turn)


def turned(name: str, profile: Sequence[tuple[float, float]], material: Any, place: Vector3, turn: Vector3 = (0, 0, 0),
           sides: int = 40) -> Any:
    """A solid of revolution about z: profile of (radius, height) from the bottom up, closed at both ends."""
    mesh = bmesh.new()
    rings = [[mesh.verts.new((r * math.cos(a), r * math.sin(a), z)) for a in (2 * math.pi * i / sides for i in range(sides))]
             for r, z in profile]
    for low, high in zip(rings, rings[1:], strict=False):
        for i in range(sides):
            j = (i + 1) % sides
            mesh.faces.new((low[i], low[j], high[j], high[i]))
    mesh.faces.new(rings[0][::-1])
    mesh.faces.new(rings[-1])
    return _object(name, mesh, material, place, turn, smooth=True)


def ball(name: str, radii: Vector3, material: Any, place: Vector3, turn: Vector3 = (0, 0, 0), segments: int = 24) -> Any:
    """An ellipsoid."""
    mesh = bmesh.new()
    bmesh.ops.create_uvsphere(mesh, u_segments=segments, v_segments=segments // 2, radius=1.0)
    bmesh.ops.scale(mesh, vec=radii, verts=mesh.verts)
    return _object(name, mesh, material, place, turn, smooth=True)


def leaves(name: str, count: int, spread: Vector3, length: float, material: Any, place: Vector3, seed: int) -> Any:
    """A bush: folded leaves on an ellipsoid's shell, pointing outwards."""
    from mathutils import Matrix, Vector

    dice, mesh = random.Random(seed), bmesh.new()
    for _ in range(count):
        way = Vector((dice.gauss(0, 1), dice.gauss(0, 1), abs(dice.gauss(0, 1)) - 0.25)).normalized()
        root = Vector((way.x * spread[0], way.y * spread[1], way.z * spread[2])) * dice.uniform(0.35, 1.0)
        size = length * dice.uniform(0.7, 1.3)
        outline = [(0, 0, 0), (0.28, 0.42, 0.08), (0, 1, -0.12), (-0.28, 0.42, 0.08)]
        frame = Matrix.Rotation(dice.uniform(-1.2, 1.2), 3, way) @ way.to_track_quat("Y", "Z").to_matrix()
        corners = [mesh.verts.new(root + frame @ Vector(corner) * size) for corner in outline]
        mesh.faces.new((corners[0], corners[1], corners[2]))
        mesh.faces.new((corners[0], corners[2], corners[3]))
    return _object(name, mesh, material, place)


def cloth(name: str, corners: Sequence[Vector3], sag: float, material: Any, steps: int = 24) -> Any:
    """A hanging sheet between four corners (in order), sagging by `sag` metres in its middle."""
    mesh = bmesh.new()
    grid = []
    for i in range(steps + 1):
        u = i / steps
        row = []
        for j in range(steps + 1):
            v = j / steps
            shares = ((1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v)
            x, y, z = (sum(share * corner[axis] for share, corner in zip(shares, corners, strict=True)) for axis in range(3))
            row.append(mesh.verts.new((x, y, z - sag * math.sin(math.pi * u) * math.sin(math.pi * v) - 0.02 * math.sin(18 * u) * v)))
        grid.append(row)
    for i in range(steps):
        for j in range(steps):
            mesh.faces.new((grid[i][j], grid[i + 1][j], grid[i + 1][j + 1], grid[i][j + 1]))
    return _object(name, mesh, material, (0, 0, 0), smooth=True)
