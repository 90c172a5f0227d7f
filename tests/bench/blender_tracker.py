"""Blender's own tracker without a window, as an artist would press it: detect, follow both ways, solve, clean, solve. Runs in .venv-blender:

    python tests/bench/blender_tracker.py FOLDER_OF_FRAMES OUT.json [SPACING [EVERY]]

Writes `found`: frame number -> [world_from_camera 4 x 4 in OpenCV axes, focal length in px], and how many `markers` that rests on.
It starts from 35 mm on 36 mm and refines that.
SPACING is the least distance of two markers where they are set, in parts of the width; new ones are set on each EVERY-th frame.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy


def main(folder: Path, out: Path, spacing: float, every: int) -> None:
    """Track and solve the numbered pictures of a folder."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    names = sorted(folder.glob("*.png"))
    clip = bpy.data.movieclips.load(str(names[0]))
    scene, count = bpy.context.scene, len(names)
    scene.active_clip, scene.frame_start, scene.frame_end = clip, 1, count
    clip.frame_start = 1
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda it: it.width * it.height)
    area.type = "CLIP_EDITOR"
    space = area.spaces.active
    space.clip, space.mode = clip, "TRACKING"
    region = next(it for it in area.regions if it.type == "WINDOW")
    lens, settings = clip.tracking.camera, clip.tracking.settings
    lens.sensor_width, lens.units, lens.focal_length = 36.0, "MILLIMETERS", 35.0
    settings.default_pattern_size, settings.default_search_size, settings.default_correlation_min = 21, 81, 0.75
    settings.default_motion_model, settings.default_pattern_match, settings.use_default_brute = "LocRot", "KEYFRAME", True
    with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region, scene=scene):
        _follow(clip, scene, space, count, round(spacing * clip.size[0]), every)
        _solve(clip, count)
    scale = clip.size[0] / lens.sensor_width
    first = int(names[0].stem)
    found = {}
    for pose in clip.tracking.reconstruction.cameras:
        matrix = [list(row) for row in pose.matrix]
        for row in matrix[:3]:  # y down, z forward
            row[1], row[2] = -row[1], -row[2]
        found[f"{first + pose.frame - 1:06d}"] = [matrix, lens.focal_length * scale]
    out.write_text(json.dumps({"found": found, "markers": len(clip.tracking.tracks)}))


def _follow(clip: bpy.types.MovieClip, scene: bpy.types.Scene, space: bpy.types.Space, count: int, distance: int, every: int) -> None:
    for frame in range(1, count, every):
        for track in clip.tracking.tracks:
            track.select = False
        for backwards in (False, True) if frame > 1 else (False,):
            scene.frame_set(frame)
            space.clip_user.frame_current = frame
            if not backwards:
                bpy.ops.clip.detect_features(placement="FRAME", margin=24, threshold=0.05, min_distance=distance)
            bpy.ops.clip.track_markers(backwards=backwards, sequence=True)
    for track in clip.tracking.tracks:
        track.select = len([marker for marker in track.markers if not marker.mute]) < 8
    bpy.ops.clip.delete_track()


def _solve(clip: bpy.types.MovieClip, count: int) -> None:
    """Several pairs of keyframes, as one would try by hand; the best is cleaned twice."""
    settings, target, answer = clip.tracking.settings, clip.tracking.objects[0], clip.tracking.reconstruction
    settings.refine_intrinsics_focal_length = True
    tried = []
    for pair in (None, (1, count // 3), (1, count // 2), (count // 4, 3 * count // 4), (1, count - 1)):
        settings.use_keyframe_selection = pair is None
        if pair:
            target.keyframe_a, target.keyframe_b = pair
        clip.tracking.camera.focal_length = 35.0
        if _once():
            tried.append((len(answer.cameras) < count, answer.average_error, target.keyframe_a, target.keyframe_b))
    if not tried:
        return
    settings.use_keyframe_selection = False
    target.keyframe_a, target.keyframe_b = min(tried)[2:]
    clip.tracking.camera.focal_length = 35.0
    _once()
    for _ in range(2):
        bpy.ops.clip.clean_tracks(frames=0, error=max(0.5, answer.average_error), action="DELETE_TRACK")
        _once()


def _once() -> bool:
    try:
        bpy.ops.clip.solve_camera()
    except RuntimeError:  # too few tracks in common
        return False
    return bpy.context.scene.active_clip.tracking.reconstruction.is_valid


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.04, int(sys.argv[4]) if len(sys.argv) > 4 else 12)
    os._exit(0)  # bpy 4.5 hangs at the door when a timer is pending
