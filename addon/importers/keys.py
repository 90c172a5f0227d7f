"""Keys in bulk: thousands in milliseconds, where keyframe_insert would take seconds. Imports bpy, numpy and versions."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from .. import versions


def write_keys(
    owner: bpy.types.ID, path: str, index: int, frames: Sequence[float], values: Sequence[float], interpolation: str = "LINEAR",
    breakdown: np.ndarray | None = None,
) -> None:
    """Replace the keys of one channel; `frames` and `values` are [N], frames ascending; `breakdown` [N] tells which are of that type."""
    curves = versions.fcurves_of(owner)
    curve = curves.find(path, index=index) or curves.new(path, index=index)
    points = curve.keyframe_points
    points.clear()
    points.add(len(frames))
    flat = np.empty(2 * len(frames), np.float32)
    flat[0::2], flat[1::2] = frames, values
    points.foreach_set("co", flat)
    if len(frames):
        kind = points[0].bl_rna.properties["interpolation"].enum_items[interpolation].value
        points.foreach_set("interpolation", np.full(len(frames), kind, np.int32))
        if breakdown is not None and breakdown.any():
            kinds = points[0].bl_rna.properties["type"].enum_items
            points.foreach_set("type", np.where(breakdown, kinds["BREAKDOWN"].value, kinds["KEYFRAME"].value).astype(np.int32))
    curve.update()


def remove_keys(owner: bpy.types.ID, path: str, index: int = 0) -> None:
    """Take the keys of one channel away; its value stays."""
    if owner.animation_data is None or owner.animation_data.action is None:
        return
    curves = versions.fcurves_of(owner)
    curve = curves.find(path, index=index)
    if curve is not None:
        curves.remove(curve)


def write_or_set(owner: bpy.types.ID, holder: object, name: str, path: str, frames: Sequence[float], values: np.ndarray) -> None:
    """Keys where the values [N] change, one plain value where they do not: `holder.name` is what `path` animates."""
    if np.ptp(values) <= 1e-6 * max(1e-9, float(np.abs(values).max())):
        remove_keys(owner, path)
        setattr(holder, name, float(values[0]))
    else:
        write_keys(owner, path, 0, frames, values)
