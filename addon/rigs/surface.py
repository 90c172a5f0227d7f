"""Where a pixel of the plate lies in the world: a ray through the recovered lens against the depth of that frame. Imports bpy, numpy."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from ..importers import depth, place
from ..nodes import displace, modifier

SPREAD = 0.03  # of the plate's sides: the patch whose normal counts
HOLES = (0.004, 0.008, 0.016, 0.024)  # and how far around a hole the surface is looked for


@dataclass(frozen=True)
class Spot:
    """A place on the recovered surface, in the world as it is shown (after the correction by the root)."""

    point: Vector
    normal: Vector  # towards the camera
    distance: float  # along the optical axis, in the world's units


def undistort(seen: np.ndarray, lens: np.ndarray) -> np.ndarray:
    """Normalised [..., 2] as the plate has them -> without distortion (k1 k2 p1 p2), by fixed-point iteration."""
    k1, k2, p1, p2 = (float(value) for value in lens)
    ray = seen.copy()
    for _ in range(20 if np.any(lens) else 0):
        x, y = ray[..., 0], ray[..., 1]
        rr = x * x + y * y
        shift = np.stack([2 * p1 * x * y + p2 * (rr + 2 * x * x), p1 * (rr + 2 * y * y) + 2 * p2 * x * y], -1)
        ray = (seen - shift) / (1 + k1 * rr + k2 * rr * rr)[..., None]
    return ray


def find_spot(clip: bpy.types.MovieClip, scene: bpy.types.Scene, x: float, y: float) -> Spot | None:
    """The surface at (x, y), parts of the plate's width and height from the top left, at the scene's frame; None in the void."""
    source = place.made(clip, depth.SURFACE).object
    if source is None:
        return None
    seen, shape = source.evaluated_get(bpy.context.evaluated_depsgraph_get()), source.modifiers[modifier.NAME]
    centre = _cast(seen, shape, x, y) or _across_a_hole(seen, shape, x, y)
    if centre is None:
        return None
    around = [(x + dx * SPREAD, y + dy * SPREAD) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    hits = [hit for at in around if (hit := _cast(seen, shape, *at)) is not None]
    near = np.array([hit for hit in hits if abs(hit.z - centre.z) < 0.2 * abs(centre.z)])
    normal = _plane_normal(near, np.array(centre))
    matrix = source.matrix_world
    turned = (matrix.to_3x3().inverted().transposed() @ Vector(normal)).normalized()
    return Spot(matrix @ centre, turned, -centre.z * matrix.to_scale().x)


def _across_a_hole(seen: bpy.types.Object, shape: bpy.types.Modifier, x: float, y: float) -> Vector | None:
    """On the ray of (x, y), as far off as the surface around it: where depth is unsure or steep the surface is cut."""
    for reach in HOLES:
        ring = [(x + reach * dx, y + reach * dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
        far = sorted(hit.z for at in ring if (hit := _cast(seen, shape, *at)) is not None)
        if far:
            ray = _ray(shape, x, y)
            return ray * (far[len(far) // 2] / ray.z)
    return None


def _cast(seen: bpy.types.Object, shape: bpy.types.Modifier, x: float, y: float) -> Vector | None:
    """The hit in the camera's own axes (y up, z backward)."""
    hit, point, _, _ = seen.ray_cast(Vector((0, 0, 0)), _ray(shape, x, y).normalized())
    return point if hit else None


def _ray(shape: bpy.types.Modifier, x: float, y: float) -> Vector:
    """Through (x, y), parts of the plate's sides from the top left, one unit along the optical axis."""
    read = {name: modifier.get_input(shape, name) for name in ("Focal", "Aspect", "Centre X", "Centre Y", "K1", "K2", "P1", "P2")}
    on_plate = np.array([(x - read["Centre X"]) / read["Focal"], (y - read["Centre Y"]) * read["Aspect"] / read["Focal"]])
    ray = undistort(on_plate, np.array([read[name] for name in ("K1", "K2", "P1", "P2")]))
    return Vector((ray[0], -ray[1], -1.0))


def _plane_normal(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The normal of the plane that fits best, turned to the camera at the origin."""
    if len(points) < 3:
        return -centre / np.linalg.norm(centre)
    normal = np.linalg.svd(points - points.mean(0))[2][2]
    return normal if normal @ centre < 0 else -normal


def occluder(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> bpy.types.Object:
    """The depth as a holdout: what stands before an inserted object hides it. Finer than the surface, and set back a little."""
    source = place.made(clip, depth.SURFACE).object
    fresh = place.made(clip, "occluder").object is None
    target, _ = place.object_of(clip, scene, "occluder", f"{clip.name} occluder", bpy.data.meshes.new)
    if fresh:
        _copy_motion(source, target)
        shape = modifier.attach(target, displace.depth_group())
        for item in shape.node_group.interface.items_tree:
            if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.socket_type != "NodeSocketGeometry":
                modifier.set_inputs(shape, {item.name: modifier.get_input(source.modifiers[modifier.NAME], item.name)})
        # Seen from the camera a stretched face is as thin as a line, and leaves no gap for what is behind.
        modifier.set_inputs(shape, {"Step": 1, "Steepest": 90.0, "Push Back": 1.04, "Confidence": 0.0})
        target.is_holdout = True
        target.visible_shadow = target.visible_diffuse = target.visible_glossy = False
        target.hide_set(True)
    return target


def _copy_motion(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """The same action: the occluder moves as the surface does, also after the next import."""
    target.rotation_mode = source.rotation_mode
    data = target.animation_data_create()
    data.action = source.animation_data.action
    if hasattr(data, "action_slot"):
        data.action_slot = source.animation_data.action_slot


