"""All results of a clip, one after another, in steps small enough that Blender stays awake. Imports bpy and the other importers."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import bpy

from ..nodes import displace
from . import camera, depth, footage, mattes, points, slow

# What the artist may ask to be imported -> the kinds of result that answer it.
OFFERS = {
    "camera": ("camera",), "depth": ("depth", "camera"), "cloud": ("cloud", "camera"), "mattes": ("mattes",), "slowmo": ("slowmo",),
}


def import_all(
    clip: bpy.types.MovieClip, scene: bpy.types.Scene, found: dict[str, Path], wants: tuple[str, ...], match: bool = True,
) -> Generator[tuple[float, str], None, None]:
    """Import what of `wants` is in `found` (kind -> folder, see results.py); yields (part done, what is being done)."""
    todo = [want for want in OFFERS if want in wants and all(kind in found for kind in OFFERS[want])]
    footage.import_footage(clip, found.get("frames"))
    for index, want in enumerate(todo):
        for part, note in _STEPS[want](clip, scene, found, match):
            yield (index + part) / len(todo), note
    clip.use_fake_user = True  # it carries the settings and the memory of what was made
    yield 1.0, ""


def _import_camera(clip: bpy.types.MovieClip, scene: bpy.types.Scene, found: dict[str, Path], match: bool) -> Iterator[tuple[float, str]]:
    yield 0.0, "Camera"
    camera.import_camera(clip, scene, found["camera"])
    if match:
        camera.match_scene(clip, scene, found.get("frames"), tuple(camera.read(found["camera"]).size))
    yield 0.5, "Points"
    fresh = clip.unflatten.made.get("points") is None
    made = points.import_points(clip, scene, found["camera"])
    if made is not None and fresh:  # a guide for the eye, no part of the picture
        made.hide_render = True
    yield 1.0, "Points"


def _import_depth(clip: bpy.types.MovieClip, scene: bpy.types.Scene, found: dict[str, Path], match: bool) -> Iterator[tuple[float, str]]:
    for _ in displace.build():
        yield 0.0, "Depth"
    for part, as_points in ((0.2, False), (0.6, True)):
        yield part, "Depth"
        fresh = clip.unflatten.made.get(depth.POINTS) is None
        made = depth.import_depth(clip, scene, found["depth"], found["camera"], found.get("frames"), as_points)
        if as_points and fresh:  # the surface shows the same; both at once cost twice
            made.hide_render = True
            made.hide_set(True)
    yield 1.0, "Depth"


def _import_cloud(clip: bpy.types.MovieClip, scene: bpy.types.Scene, found: dict[str, Path], match: bool) -> Iterator[tuple[float, str]]:
    yield 0.0, "Point cloud"
    fresh = clip.unflatten.made.get("cloud") is None
    xyz, rgb = points.read_cloud(found["cloud"])
    yield 0.3, "Point cloud"
    made = points.place_cloud(clip, scene, xyz)
    yield 0.7, "Point cloud"
    points.colour(made, rgb)
    if fresh:
        made.hide_render = True
    yield 1.0, "Point cloud"


def _import_mattes(clip: bpy.types.MovieClip, scene: bpy.types.Scene, found: dict[str, Path], match: bool) -> Iterator[tuple[float, str]]:
    subjects = mattes.subjects(found["mattes"])
    for index, subject in enumerate(subjects):
        mattes.import_alpha(clip, found["mattes"], subject)
        for part in mattes.import_mask(clip, found["mattes"], subject):
            yield (index + part) / len(subjects), "Mattes"


_STEPS = {
    "camera": _import_camera, "depth": _import_depth, "cloud": _import_cloud, "mattes": _import_mattes, "slowmo": slow.import_slow,
}
