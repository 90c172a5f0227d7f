"""The recovered camera as Blender's own solve: our points as tracks, our lens, then clip.solve_camera. Imports bpy and numpy.

Blender's reconstruction cannot be written by scripts. But its solver, given exact tracks and the lens, finds our cameras again;
then bundles, the Camera Solver constraint and Set Up Tracking Scene work as artists know them.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import camera as cameras
from . import place

TRACKS = 160  # enough for an exact solve, few enough to look at
PREFIX = "Unflatten"


def hand_over(clip: bpy.types.MovieClip, scene: bpy.types.Scene, folder: Path) -> float:
    """Write the tracks and let Blender solve; returns its average error in px. Artist's own tracks stay."""
    camera = cameras.read(folder)
    with np.load(Path(folder) / "points.npz", allow_pickle=False) as points:
        xyz, length = points["xyz"].astype(float), points["length"]
    cameras.write_distortion(clip, camera)
    seen = _project_all(camera, xyz)
    chosen = _spread(seen, length)
    _write_tracks(clip, camera, seen[chosen])
    own = camera.frame - place.first_frame(clip) + 1  # Blender counts markers from the clip's first frame
    return _solve(clip, [(int(own[first]), int(own[second])) for first, second in _keyframes(camera)])


def _project_all(camera: cameras.Camera, xyz: np.ndarray) -> np.ndarray:
    """[N, T, 2] parts of the picture (y up); NaN where a point is behind the lens, outside, or the frame lost."""
    width, height = camera.size
    out = np.full((len(xyz), len(camera.frame), 2), np.nan)
    for row in np.flatnonzero(camera.solved):
        inside = np.linalg.inv(camera.world_from_camera[row])
        before = (xyz @ inside[:3, :3].T + inside[:3, 3])[:, 2] > 1e-6
        at = cameras.project(camera, np.full(len(xyz), row), xyz)
        part = np.stack([at[:, 0] / width, 1 - at[:, 1] / height], -1)
        good = before & (np.abs(part - 0.5) < 0.495).all(-1)
        out[good, row] = part[good]
    return out


def _spread(seen: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Rows of points that cover picture and time: the longest of each cell in turn."""
    known = np.isfinite(seen[..., 0])
    life = known.sum(1)
    with np.errstate(invalid="ignore"):
        centre = np.nanmean(np.where(life[:, None, None] > 0, seen, 0.5), 1)
    cell = (np.clip(centre, 0, 0.999) * 8).astype(int) @ np.array([8, 1])
    order = np.lexsort((-np.minimum(life, 10 * length), cell))
    rank = np.arange(len(order)) - np.searchsorted(cell[order], cell[order])
    chosen = order[np.argsort(rank, kind="stable")]
    return chosen[life[chosen] >= 3][:TRACKS]


def _write_tracks(clip: bpy.types.MovieClip, camera: cameras.Camera, seen: np.ndarray) -> None:
    """One track for each point, with a muted marker where it is out of sight."""
    tracks = clip.tracking.objects[0].tracks
    remove_tracks(clip)
    frames = camera.frame - place.first_frame(clip) + 1
    for index, path in enumerate(seen):
        rows = np.flatnonzero(np.isfinite(path[:, 0]))
        track = tracks.new(name=f"{PREFIX} {index + 1:03d}", frame=int(frames[rows[0]]))
        for row in rows:
            track.markers.insert_frame(int(frames[row]), co=path[row])
        for end in rows[np.flatnonzero(np.diff(rows) > 1)].tolist() + [rows[-1]]:
            marker = track.markers.insert_frame(int(frames[end]) + 1, co=path[end])
            marker.mute = True
        track.use_custom_color, track.color = True, (0.3, 0.8, 0.4)


def remove_tracks(clip: bpy.types.MovieClip) -> None:
    """Take away the tracks that were written here; the artist's own stay."""
    tracks = clip.tracking.objects[0].tracks
    if not any(track.name.startswith(PREFIX) for track in tracks):
        return
    with _clip_editor(clip) as override, bpy.context.temp_override(**override):
        for track in tracks:
            track.select = track.name.startswith(PREFIX)
        bpy.ops.clip.delete_track()


def _keyframes(camera: cameras.Camera) -> list[tuple[int, int]]:
    """Pairs of rows far apart in place but not in time, the best first."""
    rows = np.flatnonzero(camera.solved)
    where = camera.world_from_camera[rows, :3, 3]
    pairs = [(rows[a], rows[b]) for a, b in ((0, len(rows) // 2), (len(rows) // 4, 3 * len(rows) // 4), (0, len(rows) - 1), (0, len(rows) // 4))]
    at = {row: spot for row, spot in zip(rows, where)}
    return sorted(pairs, key=lambda pair: -float(np.linalg.norm(at[pair[0]] - at[pair[1]])))


def _solve(clip: bpy.types.MovieClip, pairs: list[tuple[int, int]]) -> float:
    settings, target = clip.tracking.settings, clip.tracking.objects[0]
    settings.use_keyframe_selection = settings.use_tripod_solver = False
    settings.refine_intrinsics_focal_length = settings.refine_intrinsics_principal_point = False
    settings.refine_intrinsics_radial_distortion = settings.refine_intrinsics_tangential_distortion = False
    best = float("inf")
    with _clip_editor(clip) as override, bpy.context.temp_override(**override):
        for first, second in pairs:
            target.keyframe_a, target.keyframe_b = first, second
            bpy.ops.clip.solve_camera()
            answer = clip.tracking.reconstruction
            best = answer.average_error if answer.is_valid else float("inf")
            if best < 0.5:
                break
    return best


@contextmanager
def _clip_editor(clip: bpy.types.MovieClip) -> Any:
    window = bpy.context.window_manager.windows[0]
    area = next((it for it in window.screen.areas if it.type == "CLIP_EDITOR"), min(window.screen.areas, key=lambda it: it.width * it.height))
    kind = area.ui_type
    area.type = "CLIP_EDITOR"
    space = area.spaces.active
    shown, mode = space.clip, space.mode
    space.clip, space.mode = clip, "TRACKING"
    region = next(it for it in area.regions if it.type == "WINDOW")
    try:
        yield {"window": window, "screen": window.screen, "area": area, "region": region}
    finally:
        space.mode = mode
        if shown is not None:
            space.clip = shown
        area.ui_type = kind
