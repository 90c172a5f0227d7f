"""Depth as geometry that follows the frame: one surface or one cloud, read from the sequence on disk. Imports bpy and numpy.

The object moves by keys of its own, equal to the recovered camera's, so that the camera may be freed without tearing it.
"""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np

from ..nodes import displace, modifier, plate
from . import keys, place
from .camera import Camera, read, write_pose

SURFACE, POINTS = "depth", "depth points"


def import_depth(
    clip: bpy.types.MovieClip, scene: bpy.types.Scene, folder: Path, camera_folder: Path, frames: Path | None,
    points: bool = False, role: str = "", name: str = "",
) -> bpy.types.Object:
    """The object whose geometry is the depth of the current frame. `role` sets a further copy apart (the occluder)."""
    role = role or (POINTS if points else SURFACE)
    target, fresh = place.object_of(clip, scene, role, name or f"{clip.name} {role}", bpy.data.meshes.new)
    numbers = place.numbered(folder, ".exr")
    about = json.loads((Path(folder) / "depth.json").read_text(encoding="utf-8"))
    camera = read(camera_folder)
    shape = modifier.attach(target, displace.depth_group())
    shift = place.frame_shift(clip)
    picture = plate_image(clip, frames)
    modifier.set_inputs(shape, {
        "Depth": place.picture(clip, "depth picture", Path(folder) / f"{numbers[0]:06d}.exr", "Non-Color"), "Plate": picture,
        "Width": int(about["size"][0]), "Height": int(about["size"][1]), "Frame Shift": shift,
    })
    if fresh:
        modifier.set_inputs(shape, {"Points": points, "Step": _step(about["size"]), "Material": _material(clip, points)})
    if not points:
        show_plate(clip, frames, picture, shift)
    write_pose(target, camera, shift)
    write_lens(target, shape, camera, shift)
    return target


def write_lens(target: bpy.types.Object, shape: bpy.types.Modifier, camera: Camera, shift: int) -> None:
    """The lens as inputs of the node group; the focal length with keys where the lens zooms."""
    known = camera.solved.astype(bool)
    width, height = (float(side) for side in camera.size)
    middle = int(np.flatnonzero(known)[known.sum() // 2])
    focal = camera.focal[known, 0] / width
    centre, (k1, k2, p1, p2) = camera.centre[middle], (float(value) for value in camera.distortion[middle])
    modifier.set_inputs(shape, {
        "Focal": float(focal[len(focal) // 2]), "Aspect": height / width * float(camera.focal[middle, 0] / camera.focal[middle, 1]),
        "Centre X": float(centre[0]) / width, "Centre Y": float(centre[1]) / height,
        "K1": k1, "K2": k2, "P1": p1, "P2": p2, "Iterations": 10 if any((k1, k2, p1, p2)) else 0,
    })
    path = modifier.input_path(shape, "Focal")
    if np.ptp(focal) > 1e-6 * focal.max():
        keys.write_keys(target, path, 0, camera.frame[known] + shift, focal)
    else:
        keys.remove_keys(target, path)


def plate_image(clip: bpy.types.MovieClip, frames: Path | None) -> bpy.types.Image:
    """The frames of the clip as an image: those that the engine has decoded, else the clip's own file."""
    numbers = place.numbered(frames, ".png") if frames else []
    if numbers:
        found = place.picture(clip, "plate", Path(frames) / f"{numbers[0]:06d}.png", "sRGB")
        place.colour_alike(found.colorspace_settings, clip)
        return found
    return place.picture(clip, "plate", Path(bpy.path.abspath(clip.filepath)), "sRGB", clip.source)


def show_plate(clip: bpy.types.MovieClip, frames: Path | None, picture: bpy.types.Image, shift: int) -> None:
    """Give the plate's material its frames."""
    numbers = place.numbered(frames, ".png") if frames else []
    first = numbers[0] if numbers else place.first_frame(clip)
    count = (numbers[-1] if numbers else place.last_frame(clip)) - first + 1
    plate.show_on(_material(clip, False), picture, first, count, shift)


def _material(clip: bpy.types.MovieClip, points: bool) -> bpy.types.Material:
    if points:
        return plate.colour_material()
    memory = place.made(clip, "plate material")
    if memory.material is None:
        memory.material = plate.plate_material(f"{clip.name} plate")
    return memory.material


def _step(size: list[int]) -> int:
    """So many pixels between vertices that the surface plays in real time: some sixty thousand of them."""
    return max(1, round((size[0] * size[1] / 60000) ** 0.5))
