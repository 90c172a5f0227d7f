"""Dolly zoom: the camera moves along its axis, its focal length follows, and the subject keeps its size and place. Imports bpy.

A point at depth Z projects to f X / Z. A step of t along the axis leaves X alone, so f (Z - t) / Z leaves the picture of the
subject's plane as it is, exactly; everything before and behind it changes.
"""

from __future__ import annotations

import bpy
from mathutils import Vector

from ..importers import place

TRAVEL = "Dolly"


def build(clip: bpy.types.MovieClip, scene: bpy.types.Scene, subject: Vector, base: bpy.types.Object) -> bpy.types.Object:
    """A camera that rides on `base` (the recovered camera or any other); its property 'Dolly' moves it towards the subject."""
    mark, _ = place.object_of(clip, scene, "dolly subject", f"{clip.name} dolly subject", lambda name: None)
    mark.empty_display_type, mark.empty_display_size = "SPHERE", 0.1
    mark.matrix_world.translation = subject
    gauge = _gauge(clip, scene, base, mark)
    target, fresh = place.object_of(clip, scene, "dolly camera", f"{clip.name} dolly camera", lambda name: base.data.copy(), parented=False)
    if fresh:
        target.data.animation_data_clear()
        target.data.show_background_images = False  # the plate belongs to the recovered view alone
        target[TRAVEL] = 0.0
        hint = "How far the camera moves towards the subject, in the scene's units"
        target.id_properties_ui(TRAVEL).update(description=hint, soft_min=-100.0, soft_max=100.0)
    target.parent = base
    target.rotation_euler = (0, 0, 0)
    _drive(target.driver_add("location", 2), "-t", {"t": (target, f'["{TRAVEL}"]')})
    known = {"lens": (base.data, "lens"), "t": (target, f'["{TRAVEL}"]')}
    _drive(target.data.driver_add("lens"), "lens * (z + t) / z", known, {"z": gauge})
    for shift in ("shift_x", "shift_y"):
        _drive(target.data.driver_add(shift), "s", {"s": (base.data, shift)})
    return target


def _gauge(clip: bpy.types.MovieClip, scene: bpy.types.Scene, base: bpy.types.Object, mark: bpy.types.Object) -> bpy.types.Object:
    """An empty on the subject in the camera's own axes: its local z tells the subject's depth (negative before the lens)."""
    gauge, fresh = place.object_of(clip, scene, "dolly gauge", f"{clip.name} dolly gauge", lambda name: None, parented=False)
    gauge.parent = base
    if fresh:
        gauge.hide_viewport = False
        gauge.empty_display_size = 0.01
        gauge.constraints.new("COPY_LOCATION").target = mark
        gauge.hide_set(True)
    return gauge


def _drive(curve: bpy.types.FCurve, expression: str, known: dict, depths: dict | None = None) -> None:
    """A driver of plain arithmetic, which Blender runs without asking for trust."""
    driver = curve.driver
    for variable in list(driver.variables):
        driver.variables.remove(variable)
    driver.type = "SCRIPTED"
    for name, (owner, path) in known.items():
        variable = driver.variables.new()
        variable.name, variable.type = name, "SINGLE_PROP"
        variable.targets[0].id_type = owner.id_type
        variable.targets[0].id, variable.targets[0].data_path = owner, path
    for name, owner in (depths or {}).items():
        variable = driver.variables.new()
        variable.name, variable.type = name, "TRANSFORMS"
        aim = variable.targets[0]
        aim.id, aim.transform_type, aim.transform_space = owner, "LOC_Z", "LOCAL_SPACE"
    driver.expression = expression


def travel(target: bpy.types.Object, frames: list[int], amounts: list[float]) -> None:
    """Keys on how far the camera has moved."""
    from ..importers import keys

    keys.write_keys(target, f'["{TRAVEL}"]', 0, frames, amounts, "BEZIER")
