"""Blender's masks as pixels. Imports bpy, numpy."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

STEPS = 16  # pieces of a curve between two of its points


def outlines(mask: bpy.types.Mask, size: tuple[int, int]) -> list[tuple[bool, list[np.ndarray]]]:
    """For each layer that counts, from the lowest: whether it takes away, and its closed curves [N, 2] px from the top left."""
    found = []
    for layer in mask.layers:
        if layer.hide_render or layer.alpha <= 0:
            continue
        curves = [_curve(spline, size) for spline in layer.splines if len(spline.points) > 1]
        found.append((layer.blend == "SUBTRACT", curves))
    return found


def _curve(spline: bpy.types.MaskSpline, size: tuple[int, int]) -> np.ndarray:
    points = list(spline.points)
    knots = np.array([[point.co, point.handle_left, point.handle_right] for point in points], np.float64)
    after = np.roll(knots, -1, 0)
    t = (np.arange(STEPS) / STEPS)[None, :, None]
    p0, p1, p2, p3 = (part[:, None] for part in (knots[:, 0], knots[:, 2], after[:, 1], after[:, 0]))
    curve = ((1 - t) ** 3 * p0 + 3 * t * (1 - t) ** 2 * p1 + 3 * t * t * (1 - t) * p2 + t**3 * p3).reshape(-1, 2)
    longest = max(size)
    return np.stack([size[0] / 2 + (curve[:, 0] - 0.5) * longest, size[1] / 2 - (curve[:, 1] - 0.5) * longest], -1)


def fill(curves: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """[H, W] bool: pixels whose centres the curves enclose, a curve within another cutting a hole."""
    width, height = size
    flips = np.zeros((height, width + 1), np.int64)
    for curve in curves:
        for (x0, y0), (x1, y1) in zip(curve, np.roll(curve, -1, 0)):
            (x0, y0), (x1, y1) = sorted([(x0, y0), (x1, y1)], key=lambda end: end[1])
            rows = np.arange(max(0, int(np.ceil(y0 - 0.5))), min(height, int(np.ceil(y1 - 0.5))))
            if len(rows):
                cross = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                np.add.at(flips, (rows, np.clip(np.ceil(cross - 0.5), 0, width).astype(np.int64)), 1)
    return np.cumsum(flips, axis=1)[:, :-1] % 2 == 1


def filled(mask: bpy.types.Mask, size: tuple[int, int]) -> np.ndarray:
    """The mask as it stands on this frame, [H, W] bool from the top."""
    whole = np.zeros(size[::-1], bool)
    for takes_away, curves in outlines(mask, size):
        whole = whole & ~fill(curves, size) if takes_away else whole | fill(curves, size)
    return whole


def write(path: Path, mask: np.ndarray) -> None:
    """A mask as PNG, white inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("Unflatten mask", mask.shape[1], mask.shape[0])
    try:
        image.colorspace_settings.name = "Non-Color"
        values = np.ones((*mask.shape, 4), np.float32)
        values[..., :3] = mask[::-1, :, None]
        image.pixels.foreach_set(values.ravel())
        image.filepath_raw, image.file_format = str(path), "PNG"
        image.save()
    finally:
        bpy.data.images.remove(image)
