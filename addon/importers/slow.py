"""Slow motion as a scene of its own: its clip, camera, depth, mattes and tracks run at its own rate, in the world of the first. Imports bpy, numpy.

The clip of the frames in between is a clip like any other: it remembers what was made for it, so that every importer and rig works on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from .. import versions
from ..nodes import displace, plate
from . import camera, depth, frames, keys, mattes, native, place

SOURCE_FRAME = "source_frame"  # the scene's property that says which frame of the first clip is shown
BLUR = "Unflatten motion blur"  # the node that gives it
STILL = ("points", "cloud")  # what was made for the first clip and holds at any time


def import_slow(clip: bpy.types.MovieClip, scene: bpy.types.Scene, found: dict[str, Path], match: bool) -> Iterator[tuple[float, str]]:
    """Everything of the slow motion that is in `found`; yields (part done, what is being done)."""
    yield 0.0, "Slow motion"
    slow = frames.import_frames(clip, scene, found["slowmo"])
    stage = _scene(clip, scene, slow, found["slowmo"], match)
    if "retimed" in found:
        yield from _import_retimed(clip, scene, slow, stage, found["slowmo"], found["retimed"])
    if "slow mattes" in found:
        yield from _import_mattes(slow, found["slow mattes"] / "alpha")
    if place.numbered(found["slowmo"] / "vectors", ".exr"):
        offer_blur(stage, slow, found["slowmo"] / "vectors")
    if clip.unflatten.slow_strip:
        lay_strip(stage, slow, found["slowmo"])
    yield 1.0, "Slow motion"


def _scene(clip: bpy.types.MovieClip, scene: bpy.types.Scene, slow: bpy.types.MovieClip, folder: Path, match: bool) -> bpy.types.Scene:
    """The scene that plays the frames in between: size, rate, range, and the map from its frames to those of the clip."""
    memory = place.made(clip, "slow motion")
    fresh = memory.scene is None
    if fresh:
        memory.scene = bpy.data.scenes.new(slow.name)
        memory.scene.world = scene.world
    stage = memory.scene
    with np.load(folder / "times.npz", allow_pickle=False) as content:
        times, fps = content["time"], content["fps"]
    if fresh or match:
        camera.match_scene(slow, stage, None, (scene.render.resolution_x, scene.render.resolution_y))
        camera.write_rate(stage, f"{fps[0]}/{fps[1]}")
        stage.frame_start, stage.frame_end = 1, len(times)
    stage[SOURCE_FRAME] = float(times[0])
    keys.write_keys(stage, f'["{SOURCE_FRAME}"]', 0, np.arange(1, len(times) + 1), times)
    return stage


def _import_retimed(
    clip: bpy.types.MovieClip, scene: bpy.types.Scene, slow: bpy.types.MovieClip, stage: bpy.types.Scene, pictures: Path, folder: Path,
) -> Iterator[tuple[float, str]]:
    if (folder / "camera.npz").is_file():
        place.made(slow, "root").object = place.root_of(clip, scene)  # one empty corrects both worlds
        camera.import_camera(slow, stage, folder)
        _share(clip, slow, stage)
        yield 0.1, "Tracks"
        write_tracks(slow, folder)
    if (folder / "depth" / "depth.json").is_file():
        for _ in displace.build():
            yield 0.2, "Depth"
        for as_points in (False, True):
            fresh = slow.unflatten.made.get(depth.POINTS) is None
            made = depth.import_depth(slow, stage, folder / "depth", folder, pictures, as_points)
            if as_points and fresh:  # the surface shows the same; both at once cost twice
                made.hide_render = made.hide_viewport = True
            yield 0.4, "Depth"


def _import_mattes(slow: bpy.types.MovieClip, folder: Path) -> Iterator[tuple[float, str]]:
    for subject in sorted(entry.parent.name for entry in folder.glob("*/contours.json")):
        numbers = place.numbered(folder / subject, ".png")
        if numbers:
            place.picture(slow, f"alpha {subject}", folder / subject / f"{numbers[0]:06d}.png", "Non-Color")
        for _ in mattes.import_mask(slow, folder, subject):
            yield 0.6, "Mattes"


def _share(clip: bpy.types.MovieClip, slow: bpy.types.MovieClip, stage: bpy.types.Scene) -> None:
    """Show what holds at any time in the slow scene too: the same objects, not copies."""
    for role in STILL:
        memory = clip.unflatten.made.get(role)
        if memory is not None and memory.object is not None and memory.object.name not in stage.objects:
            place.collection_of(slow, stage).objects.link(memory.object)


def write_tracks(slow: bpy.types.MovieClip, folder: Path) -> None:
    """The longest of the retimed tracks as Blender's tracks; where a track is lost it has a muted marker. The artist's own stay."""
    if not (folder / "tracks.npz").is_file():
        return
    native.remove_tracks(slow)
    ours = slow.tracking.objects[0].tracks
    with np.load(folder / "tracks.npz", allow_pickle=False) as content:
        which, frame, xy = content["track"], content["frame"], content["xy"]
    width, height = (float(side) for side in camera.read(folder).size)
    names, length = np.unique(which, return_counts=True)
    for index, name in enumerate(names[np.argsort(-length, kind="stable")][: native.TRACKS]):
        rows = np.flatnonzero(which == name)
        rows = rows[np.argsort(frame[rows])]
        spots = np.stack([xy[rows, 0] / width, 1 - xy[rows, 1] / height], -1)
        track = ours.new(name=f"{native.PREFIX} {index + 1:03d}", frame=int(frame[rows[0]]))
        for number, spot in zip(frame[rows].tolist(), spots.tolist()):
            track.markers.insert_frame(number, co=spot)
        for end in [*np.flatnonzero(np.diff(frame[rows]) > 1).tolist(), len(rows) - 1]:
            track.markers.insert_frame(int(frame[rows[end]]) + 1, co=spots[end].tolist()).mute = True


def offer_blur(stage: bpy.types.Scene, slow: bpy.types.MovieClip, folder: Path) -> bpy.types.Node:
    """The pictures with motion blur by their vectors, as nodes in the slow scene's compositor; what the scene shows stays as it is."""
    group, _, _ = versions.compositor(stage)
    known = group.nodes.get(BLUR)
    image = place.picture(slow, "vectors", folder / f"{place.numbered(folder, '.exr')[0]:06d}.exr", "Non-Color")
    if known is not None:
        return known
    blur, picture = group.nodes.new("CompositorNodeVecBlur"), group.nodes.new("CompositorNodeMovieClip")
    blur.name = blur.label = BLUR
    picture.clip = slow
    vectors = plate.picture_node(group, image, 0)
    group.links.new(picture.outputs["Image"], blur.inputs["Image"])
    group.links.new(vectors.outputs["Vector"], blur.inputs["Speed"])
    for index, node in enumerate((vectors, picture, blur)):
        node.location = (-600 + 250 * index, -600)
    return blur


def lay_strip(stage: bpy.types.Scene, slow: bpy.types.MovieClip, folder: Path) -> bpy.types.ID:
    """The pictures, and the sound where there is any, as strips of the slow scene's sequencer; rendering the scene still renders its camera."""
    strips, sound = versions.strips_of(stage), f"{slow.name} sound"
    for strip in [strip for strip in strips if strip.name in (slow.name, sound)]:
        strips.remove(strip)
    numbers = place.numbered(folder, ".png")
    channel = 1 + max((strip.channel for strip in strips), default=0)
    strip = strips.new_image(name=slow.name, filepath=str(folder / f"{numbers[0]:06d}.png"), channel=channel, frame_start=1)
    for number in numbers[1:]:
        strip.elements.append(f"{number:06d}.png")
    if bpy.app.build_options.audaspace and (folder / "sound.flac").is_file():
        strips.new_sound(name=sound, filepath=str(folder / "sound.flac"), channel=channel + 1, frame_start=1)
    stage.render.use_sequencer = False
    return strip
