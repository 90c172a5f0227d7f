"""Where imported things live: the collection, the empty that carries everything, and the memory of what was made. Imports bpy.

What was made is remembered by pointers on the clip, so that renaming, moving or hiding does not lead to a second copy.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

import bpy

from ...engine.contract import sequence

DISPLAYED = frozenset(".exr .hdr .pfm".split())  # of these the engine makes display colours, which Blender takes for sRGB
NUMBERED_FROM = 1  # the engine counts the frames of a movie from here


def first_frame(clip: bpy.types.MovieClip) -> int:
    """The engine's number of the clip's first frame: 1 for movies, the number in the file name for sequences."""
    return _numbers(clip)[0] if clip.source == "SEQUENCE" else NUMBERED_FROM


def last_frame(clip: bpy.types.MovieClip) -> int:
    """The engine's number of the last one: of a sequence also behind a gap, at which Blender stops counting."""
    return _numbers(clip)[1] if clip.source == "SEQUENCE" else NUMBERED_FROM + clip.frame_duration - 1


def counted(clip: bpy.types.MovieClip) -> int:
    """Blender's own number of a sequence's first frame: the last digits in the name, also of `shot_1001_v02.png`."""
    numbers = re.findall(r"\d+", Path(clip.filepath).stem)
    return int(numbers[-1]) if numbers else NUMBERED_FROM


def _numbers(clip: bpy.types.MovieClip) -> tuple[int, int]:
    """The engine's numbers of the picture that the clip names, and of the last one in its folder."""
    path = Path(bpy.path.abspath(clip.filepath))
    known = _files(path, path.parent.stat().st_mtime_ns) if path.parent.is_dir() else {}
    first = known.get(path.name, counted(clip))
    return first, max(known.values(), default=first)


@lru_cache(64)
def _files(path: Path, changed: int) -> dict[str, int]:
    """Name -> number of the sequence around a picture; `changed` is when its folder was."""
    found = sequence.find(path)
    return {file.name: number for number, file in found.files.items()} if found else {}


def frame_shift(clip: bpy.types.MovieClip) -> int:
    """Scene frame minus clip frame: where the artist has laid the clip on the timeline."""
    return clip.frame_start - first_frame(clip) - clip.frame_offset


def load_clip(path: str) -> bpy.types.MovieClip:
    """The clip of a file, or of a folder that holds one, laid so that scene frames equal clip frames."""
    clip = bpy.data.movieclips.load(str(sequence.file_of(Path(path))), check_existing=True)
    clip.frame_start = first_frame(clip)
    return clip


def made(clip: bpy.types.MovieClip, role: str) -> bpy.types.PropertyGroup:
    """The memory of one thing that was made for this clip: `.object`, `.material`, `.mask`, `.clip`, `.image`, `.group`."""
    memory = clip.unflatten.made
    found = memory.get(role)
    if found is None:
        found = memory.add()
        found.name = role
    return found


def collection_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> bpy.types.Collection:
    """The collection that holds what was recovered from this clip."""
    memory = made(clip, "collection")
    if memory.collection is None:
        memory.collection = bpy.data.collections.new(f"Unflatten {clip.name}")
    if memory.collection not in scene.collection.children_recursive:
        scene.collection.children.link(memory.collection)
    return memory.collection


def root_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> bpy.types.Object:
    """The empty that carries everything: turn, move and scale it to correct the world as a whole."""
    root, fresh = object_of(clip, scene, "root", f"Unflatten {clip.name}", lambda name: None, parented=False)
    if fresh:
        root.empty_display_type, root.empty_display_size = "ARROWS", 0.5
    return root


def object_of(
    clip: bpy.types.MovieClip, scene: bpy.types.Scene, role: str, name: str, data: object, parented: bool = True,
) -> tuple[bpy.types.Object, bool]:
    """The object of a role and whether it is new; `data(name)` makes its data. A deleted one comes back to its collection."""
    memory = made(clip, role)
    fresh = memory.object is None
    if fresh:
        memory.object = bpy.data.objects.new(name, data(name))
        if parented:
            memory.object.parent = root_of(clip, scene)
    if memory.object.name not in scene.objects:
        collection_of(clip, scene).objects.link(memory.object)
    return memory.object, fresh


def picture(clip: bpy.types.MovieClip, role: str, path: Path, colorspace: str, source: str = "SEQUENCE") -> bpy.types.Image:
    """The image of a role; the same datablock is led to another file when the result has moved."""
    memory = made(clip, role)
    if memory.image is None:
        memory.image = bpy.data.images.load(str(path))
        memory.image.name = f"{clip.name} {role}"
    image = memory.image
    if image.source != source:
        image.source = source
    if bpy.path.abspath(image.filepath) != str(path):
        image.filepath = str(path)
    if image.colorspace_settings.name != colorspace:
        image.colorspace_settings.name = colorspace
    return image


def colour_alike(settings: bpy.types.ColorManagedInputColorspaceSettings, clip: bpy.types.MovieClip) -> None:
    """Let pictures that the engine has made of a clip be read as the clip is: it keeps the values of films and of 8 and 16 bit pictures."""
    if Path(clip.filepath).suffix.lower() not in DISPLAYED:
        settings.name = clip.colorspace_settings.name


def numbered(folder: Path, ending: str) -> list[int]:
    """The frame numbers of the files in a folder, ascending."""
    if not Path(folder).is_dir():
        return []
    stems = (name[: -len(ending)] for name in os.listdir(folder) if name.endswith(ending))
    return sorted(int(stem) for stem in stems if stem.isdigit())
