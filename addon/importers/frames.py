"""Slow motion: the frames in between as a clip of their own, with the camera and depth of the same times. Imports bpy and numpy."""

from __future__ import annotations

from pathlib import Path

import bpy

from . import camera as cameras
from . import place


def import_frames(clip: bpy.types.MovieClip, scene: bpy.types.Scene, folder: Path) -> bpy.types.MovieClip:
    """The clip of the frames in between; frame 1 shows at scene frame 1."""
    numbers = place.numbered(folder, ".png")
    path = Path(folder) / f"{numbers[0]:06d}.png"
    memory = place.made(clip, "slow motion")
    slow = memory.clip
    if slow is None:
        slow = memory.clip = place.load_clip(str(path))
        slow.name = f"{clip.name} slow motion"
    elif bpy.path.abspath(slow.filepath) != str(path):
        slow.filepath = str(path)
    slow.frame_start = numbers[0]
    return slow


def import_retimed_camera(clip: bpy.types.MovieClip, scene: bpy.types.Scene, folder: Path, slow: bpy.types.MovieClip) -> bpy.types.Object:
    """The camera at the times of the frames in between; it stands in the same world, beside the first."""
    camera = cameras.read(folder)
    target, fresh = place.object_of(clip, scene, "slow camera", f"{clip.name} slow camera", bpy.data.cameras.new)
    cameras.write_pose(target, camera, 0)
    cameras.write_lens(target.data, camera, 0, clip.tracking.camera.sensor_width)
    cameras.write_distortion(slow, camera)
    if fresh:
        target.data.display_size, target.data.clip_start, target.data.clip_end = 0.3, 0.01, 10000.0
        cameras.show_plate(target.data, slow)
    return target
