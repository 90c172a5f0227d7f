"""Mattes twice: image sequences, and Mask datablocks whose contours follow the subject. Imports bpy and numpy.

A layer's shape keys hold one fixed number of points, so every piece has a layer of its own; it comes and goes by the layer's alpha.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from .. import versions
from . import keys, place


def subjects(folder: Path) -> list[str]:
    """The names of the subjects in a folder of mattes."""
    return [str(subject["name"]) for subject in json.loads((Path(folder) / "mattes.json").read_text(encoding="utf-8"))["subjects"]]


def import_alpha(clip: bpy.types.MovieClip, folder: Path, subject: str) -> bpy.types.Image | None:
    """The alpha of a subject as an image sequence."""
    alpha = Path(folder) / subject / "alpha"
    numbers = place.numbered(alpha, ".png")
    if not numbers:
        return None
    return place.picture(clip, f"alpha {subject}", alpha / f"{numbers[0]:06d}.png", "Non-Color")


def import_mask(clip: bpy.types.MovieClip, folder: Path, subject: str) -> Iterator[float]:
    """Make or refill the subject's Mask, step by step; yields how much is done, 0..1. Layers the artist added stay."""
    content = json.loads((Path(folder) / subject / "contours.json").read_text(encoding="utf-8"))
    memory = place.made(clip, f"mask {subject}")
    if memory.mask is None:
        memory.mask = bpy.data.masks.new(f"{clip.name} {subject}")
    mask, shift = memory.mask, place.frame_shift(clip)
    for layer in [layer for layer in mask.layers if layer.name.startswith("piece ")]:
        mask.layers.remove(layer)
    # Holes lie above what they cut into.
    pieces = sorted(content["pieces"], key=lambda piece: piece["hole"])
    numbers = [int(number) for piece in pieces for number in piece["points"]]
    if not numbers:
        return
    mask.frame_start, mask.frame_end = min(numbers) + shift, max(numbers) + shift
    with _mask_editor(mask) as editor:
        for index, piece in enumerate(pieces):
            for part in _import_piece(mask, f"piece {index + 1:03d}", piece, content["size"], shift, editor):
                yield (index + part) / len(pieces)


def _import_piece(mask: bpy.types.Mask, name: str, piece: dict, size: list[int], shift: int, editor: Editor) -> Iterator[float]:
    frames = sorted(int(number) for number in piece["points"])
    points = [mask_space(np.asarray(piece["points"][str(frame)], float), size) for frame in frames]
    layer = mask.layers.new(name=name)
    layer.blend = "SUBTRACT" if piece["hole"] else "MERGE_ADD"
    spline = layer.splines.new()
    spline.use_cyclic = bool(piece.get("closed", True))
    spline.points.add(len(points[0]) - 1)
    for point in spline.points:
        point.handle_type = "AUTO"
    select(layer, mask)
    for index, (frame, place_of) in enumerate(zip(frames, points)):
        editor.go_to(frame + shift)
        spline.points.foreach_set("co", place_of.astype(np.float32).ravel())
        editor.insert_key()
        yield (index + 1) / len(frames)
    _write_presence(mask, layer, frames, shift)


def select(layer: bpy.types.MaskLayer, mask: bpy.types.Mask) -> None:
    """Let the key operator see this layer and no other: it keys what is selected, and says nothing when nothing is."""
    for other in mask.layers:
        other.select = other == layer
        for spline in other.splines:
            spline.points.foreach_set("select", [other == layer] * len(spline.points))
    mask.layers.active = layer


def mask_space(pixels: np.ndarray, size: list[int]) -> np.ndarray:
    """[N, 2] px from the top left -> Blender's mask space: centred, in units of the longer side, y up."""
    width, height = size
    longest = max(width, height)
    return np.stack([(pixels[:, 0] - width / 2) / longest + 0.5, (height / 2 - pixels[:, 1]) / longest + 0.5], -1)


def _write_presence(mask: bpy.types.Mask, layer: bpy.types.MaskLayer, frames: list[int], shift: int) -> None:
    """Alpha 1 on the frames that the piece has, 0 on all others."""
    known = set(frames)
    at, alpha = [], []
    for frame in range(frames[0] - 1, frames[-1] + 2):
        value = 1.0 if frame in known else 0.0
        if not at or alpha[-1] != value:
            at.append(frame + shift)
            alpha.append(value)
    keys.write_keys(mask, f'layers["{layer.name}"].alpha', 0, at, alpha, "CONSTANT")


class Editor:
    """An editor in mask mode, borrowed for the key operator, with a scene of its own to set frames in."""

    def __init__(self, override: dict, scene: bpy.types.Scene) -> None:
        self._override, self._scene = override, scene

    def go_to(self, frame: int) -> None:
        """Go to a scene frame before the points are set: an update after that would lay older keys over them."""
        self._scene.frame_current = frame
        if not versions.calls_unevaluated():
            self._scene.frame_set(frame)

    def insert_key(self) -> None:
        """Key the shape of the selected layer here."""
        # In one override the window's own scene would win.
        with bpy.context.temp_override(**self._override), bpy.context.temp_override(scene=self._scene):
            if not versions.insert_mask_key():
                raise RuntimeError("Blender did not take the key of a mask's shape.")


@contextmanager
def _mask_editor(mask: bpy.types.Mask) -> Iterator[Editor]:
    window = bpy.context.window_manager.windows[0]
    # The smallest area: what it shows flickers while the keys are written.
    area = min(window.screen.areas, key=lambda it: it.width * it.height)
    kind, scratch = area.ui_type, bpy.data.scenes.new("Unflatten keys")
    area.type = "IMAGE_EDITOR"
    space = area.spaces.active
    mode, shown = space.mode, space.mask
    space.mode, space.mask = "MASK", mask
    region = next(it for it in area.regions if it.type == "WINDOW")
    try:
        yield Editor({"window": window, "screen": window.screen, "area": area, "region": region}, scratch)
    finally:
        space.mode, space.mask = mode, shown
        area.ui_type = kind
        bpy.data.scenes.remove(scratch)
