"""Slow motion in Blender: a scene of its own whose camera, depth, tracks and masks stand where the truth is at fractional times."""

from __future__ import annotations

import shutil

import bpy
import numpy as np
import pytest
from shots import SIZE, make_shot, write_frames
from test_depth import distances, evaluated


@pytest.fixture
def made(unflatten, scene, tmp_path):
    """A shot of 4 frames and its slow motion of 13, at times 1, 1.25, ... 4, as `--out` lays them; and what was imported."""
    from unflatten.addon.importers import everything, place

    fine = make_shot(tmp_path / "fine", 1, 13)
    whole = make_shot(tmp_path / "whole", 1, 4)
    slow = tmp_path / "whole" / "slowmo"
    write_frames(fine, slow)
    np.savez(slow / "times.npz", time=1 + np.arange(13) / 4, before=0, after=0, fraction=0.0, fps=np.array([24000, 1001]))
    shutil.copy(tmp_path / "fine" / "camera" / "camera.npz", slow / "camera.npz")
    shutil.copytree(tmp_path / "fine" / "depth", slow / "depth")
    shutil.copytree(tmp_path / "fine" / "mattes" / "person", slow / "alpha" / "person")
    spots = np.array([[0.2, 1.0, 1.7], [-0.5, 2.0, 1.0]])
    seen = np.concatenate([fine.project(row, spots) for row in range(13)])
    np.savez(slow / "tracks.npz", track=np.tile([3, 5], 13), frame=np.repeat(np.arange(1, 14), 2), xy=seen)
    clip = place.load_clip(str(whole.folder / "frames" / "000001.png"))
    clip.unflatten.slow_strip = True

    def run():
        list(everything.import_all(clip, scene, _found(whole.folder), ("camera", "slowmo")))
        memory = clip.unflatten.made["slow motion"]
        return clip, memory.clip, memory.scene

    return fine, spots, run


def _found(folder):
    from unflatten.addon import results

    found = results.of_folder(folder)
    assert {"camera", "slowmo", "retimed"} <= found.keys()
    return found


def test_a_scene_of_its_own(made, scene):
    fine, _, run = made
    clip, slow, stage = run()
    assert stage != scene and (stage.frame_start, stage.frame_end) == (1, 13) and stage.active_clip == slow
    assert stage.render.fps / stage.render.fps_base == pytest.approx(24000 / 1001) and stage.render.resolution_x == fine.size[0]
    assert (scene.frame_start, scene.frame_end, scene.active_clip) == (1, 4, clip)
    bpy.context.window_manager.windows[0].scene = stage
    for frame, source in ((1, 1.0), (6, 2.25), (13, 4.0)):
        stage.frame_set(frame)
        assert stage["source_frame"] == pytest.approx(source)
    assert clip.unflatten.made["points"].object.name in stage.objects  # the same points, no copy
    assert not {item.name for item in scene.objects} & {f"{slow.name} camera", f"{slow.name} depth"}


def test_everything_stands_at_the_truth_between_frames(made):
    from unflatten.addon.nodes import modifier

    fine, spots, run = made
    clip, slow, stage = run()
    window = bpy.context.window_manager.windows[0]
    window.scene = stage
    surface = slow.unflatten.made["depth"].object
    modifier.set_inputs(surface.modifiers[0], {"Step": 1, "Steepest": 90.0})
    for row in (0, 6, 11):
        found, _ = evaluated(stage, surface, row + 1)
        assert len(found) == SIZE[0] * SIZE[1]
        assert distances(fine.positions(row)[1:-1, 1:-1].reshape(-1, 3)[::29], found).max() < 1e-4
        assert np.allclose(np.array(stage.camera.matrix_world)[:3, 3], fine.poses[row][:3, 3], atol=1e-5)
        tracks = slow.tracking.objects[0].tracks
        at = np.array([track.markers.find_frame(row + 1).co for track in tracks])
        truth = fine.project(row, spots)
        assert np.abs(at * fine.size - np.c_[truth[:, 0], fine.size[1] - truth[:, 1]]).max() < 1e-3
    mask = slow.unflatten.made["mask person"].mask
    assert (mask.frame_start, mask.frame_end) == (1, 13)


def test_again_updates_in_place(made, tmp_path):
    from unflatten.addon import versions

    _, _, run = made
    _, slow, stage = run()
    counts = [len(kind) for kind in (bpy.data.scenes, bpy.data.objects, bpy.data.movieclips, bpy.data.masks, slow.tracking.objects[0].tracks)]
    folder = tmp_path / "whole" / "slowmo"
    with np.load(folder / "times.npz") as content:
        np.savez(folder / "times.npz", **{**content, "fps": np.array([50, 1])})
    _, again, same = run()
    assert (again, same) == (slow, stage) and stage.render.fps / stage.render.fps_base == 50
    assert counts == [len(kind) for kind in (bpy.data.scenes, bpy.data.objects, bpy.data.movieclips, bpy.data.masks, slow.tracking.objects[0].tracks)]
    strips = versions.strips_of(stage)
    assert len(strips) == 1 and len(strips[0].elements) == 13 and strips[0].frame_final_duration == 13
