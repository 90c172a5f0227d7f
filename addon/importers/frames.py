"""Slow motion: the frames in between as a clip of their own. Imports bpy."""

from __future__ import annotations

from pathlib import Path

import bpy

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
    place.colour_alike(slow.colorspace_settings, clip)
    return slow
