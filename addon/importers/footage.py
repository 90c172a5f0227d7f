"""What shows the frames that were recovered: the clip, or where Blender reads it otherwise, those frames as a clip of their own. Imports bpy.

Blender plays by time stamps, knows no pixel aspect and no EXIF turn, takes an EXR's data window for its picture, and has its own idea of layers:
a camera that was recovered from other pictures would slip on them.
"""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy

from .. import versions
from . import place

ROLE = "footage"
EARLY = 0.0006  # s by which a frame may be late: Blender rounds to the stream's clock, which is 0.001 s at the coarsest


def of(clip: bpy.types.MovieClip) -> bpy.types.MovieClip:
    """What shows the frames that were recovered from the clip."""
    memory = clip.unflatten.made.get(ROLE)
    return memory.clip if memory is not None and memory.clip is not None else clip


def import_footage(clip: bpy.types.MovieClip, frames: Path | None) -> bpy.types.MovieClip:
    """Let the clip be seen as the engine read it: its pixels by their aspect, and where that is not enough, the engine's frames in its place."""
    before = of(clip)
    if frames is None:
        return before
    about, numbers = json.loads((frames / "clip.json").read_text(encoding="utf-8")), place.numbered(frames, ".png")
    alike = is_shown(clip, about)
    if alike:
        _square(clip, Fraction(about.get("aspect", "1/1")))
    if not alike and numbers:
        place.made(clip, ROLE).clip = _stand_in(clip, frames / f"{numbers[0]:06d}.png", numbers[0])
    elif alike and ROLE in clip.unflatten.made:
        place.made(clip, ROLE).clip = None
    for data in bpy.data.cameras:
        for picture in data.background_images:
            if picture.clip == before:
                picture.clip = of(clip)
    return of(clip)


def _stand_in(clip: bpy.types.MovieClip, path: Path, number: int) -> bpy.types.MovieClip:
    """The engine's frames from `path` on, on the same scene frames as the clip."""
    made = place.made(clip, ROLE).clip
    if made is None:
        made = place.load_clip(str(path))
        made.name = f"{clip.name} as recovered"
    made.filepath = str(path)
    made.frame_start = number + place.frame_shift(clip)
    place.colour_alike(made.colorspace_settings, clip)
    return made


def slips(clip: bpy.types.MovieClip, frames: Path | None) -> bool:
    """Whether the recovered camera slips on what stands behind it: Blender reads the clip otherwise, and the engine's frames are not there."""
    return frames is not None and of(clip) == clip and not is_shown(clip, json.loads((frames / "clip.json").read_text(encoding="utf-8")))


def is_shown(clip: bpy.types.MovieClip, about: dict[str, Any]) -> bool:
    """Whether Blender shows the pictures that the engine read, each at its number. `about`: the content of clip.json."""
    turn, stored = about.get("turn", 0), tuple(about.get("source_size", clip.size))
    if tuple(clip.size) != (stored[::-1] if turn % 180 else stored) or about.get("mirrored") or about.get("layer"):
        return False
    if clip.source == "SEQUENCE":
        return place.counted(clip) == place.first_frame(clip)
    return (versions.turns_films() or turn == 0) and _in_time(about["frames"], about["times"], clip.fps)


def _in_time(numbers: list[int], times: list[float], fps: float) -> bool:
    """Whether frame n is the last that has begun when Blender shows frame n: it plays by the clock, at a steady rate."""
    shown = [(number - place.NUMBERED_FROM) / fps + EARLY for number in numbers] if fps else []
    begun = all(time <= at for time, at in zip(times, shown))
    return bool(shown) and begun and all(later > at for at, (_, later) in zip(shown, pairwise(times)))


def _square(clip: bpy.types.MovieClip, aspect: Fraction) -> None:
    """Show the clip, and let Blender's tracker count, with the pixels' true shape."""
    if aspect != 1:
        clip.display_aspect = (max(1.0, float(aspect)), max(1.0, float(1 / aspect)))
        clip.tracking.camera.pixel_aspect = float(aspect)
