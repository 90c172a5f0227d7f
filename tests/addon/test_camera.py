"""The recovered camera in Blender sees every point where OpenCV's formulas put it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from shots import make_shot


def imported(unflatten, scene, shot):
    from unflatten.addon.importers import camera, place

    clip = place.load_clip(str(shot.folder / "frames" / f"{shot.frames[0]:06d}.png"))
    made = camera.import_camera(clip, scene, shot.folder / "camera")
    camera.match_scene(clip, scene, shot.folder / "frames", shot.size)
    return clip, made


@pytest.mark.parametrize("first, zoom", [(1, False), (1, True), (1001, True), (0, False)])
def test_points_fall_where_opencv_puts_them(unflatten, scene, tmp_path, first, zoom):
    shot = make_shot(tmp_path, first, zoom=zoom)
    clip, camera = imported(unflatten, scene, shot)
    for index, frame in enumerate(shot.frames):
        scene.frame_set(int(frame))
        world = shot.positions(index).reshape(-1, 3)[::101]
        expected = shot.project(index, world)
        seen = np.array([world_to_camera_view(scene, camera, Vector(point))[:2] for point in world])
        seen = np.stack([seen[:, 0] * shot.size[0], (1 - seen[:, 1]) * shot.size[1]], -1)
        assert np.abs(seen - expected).max() < 0.02, f"frame {frame}"


def test_scene_is_that_of_the_clip(unflatten, scene, tmp_path):
    shot = make_shot(tmp_path, 1001)
    imported(unflatten, scene, shot)
    assert (scene.frame_start, scene.frame_end) == (1001, 1008)
    assert scene.render.fps / scene.render.fps_base == pytest.approx(24000 / 1001)
    assert (scene.render.resolution_x, scene.render.resolution_y) == shot.size


def test_an_artist_who_moved_the_clip_keeps_it_there(unflatten, scene, tmp_path):
    from unflatten.addon.importers import camera as importer
    from unflatten.addon.importers import place

    shot = make_shot(tmp_path, 1001)
    clip = place.load_clip(str(shot.folder / "frames" / "001001.png"))
    clip.frame_start = 101
    camera = importer.import_camera(clip, scene, shot.folder / "camera")
    scene.frame_set(103)
    assert np.allclose(np.array(camera.matrix_world), importer.to_blender(shot.poses[2]), atol=1e-5)


def test_again_updates_and_keeps_what_the_artist_did(unflatten, scene, tmp_path):
    from unflatten.addon.importers import camera as importer

    clip, camera = imported(unflatten, scene, make_shot(tmp_path / "a"))
    child = bpy.data.objects.new("lamp", None)
    scene.collection.objects.link(child)
    child.parent = camera
    limit = camera.constraints.new("LIMIT_LOCATION")
    camera.name, camera.data.dof.use_dof = "hero", True
    before = len(bpy.data.objects), len(bpy.data.cameras), len(bpy.data.actions), len(bpy.data.collections)
    shot = make_shot(tmp_path / "b", zoom=True)
    again = importer.import_camera(clip, scene, shot.folder / "camera")
    assert again == camera and camera.name == "hero" and child.parent == camera and camera.data.dof.use_dof
    assert limit.name in camera.constraints
    after = len(bpy.data.objects), len(bpy.data.cameras), len(bpy.data.actions), len(bpy.data.collections)
    assert (after[0], after[1], after[3]) == (before[0], before[1], before[3])
    assert len(camera.data.background_images) == 1
    scene.frame_set(8)
    assert camera.data.lens == pytest.approx(140 * clip.tracking.camera.sensor_width / 128, rel=1e-5)
    importer.import_camera(clip, scene, tmp_path / "a" / "camera")  # and back to a lens that does not zoom
    scene.frame_set(8)
    assert camera.data.lens == pytest.approx(110 * clip.tracking.camera.sensor_width / 128, rel=1e-5)


def test_the_whole_world_turns_with_its_parent(unflatten, scene, tmp_path):
    shot = make_shot(tmp_path)
    clip, camera = imported(unflatten, scene, shot)
    camera.parent.scale = (2, 2, 2)
    camera.parent.location = (0, 0, 1)
    scene.frame_set(1)
    assert np.allclose(camera.matrix_world.translation, 2 * shot.poses[0][:3, 3] + (0, 0, 1), atol=1e-5)


@pytest.mark.parametrize("interpolated", [False, True])
def test_lost_frames_get_no_keys_unless_they_are_interpolated(unflatten, scene, tmp_path, interpolated):
    from unflatten.addon import versions
    from unflatten.addon.importers import camera as importer
    from unflatten.addon.importers import place

    shot = make_shot(tmp_path)
    with np.load(tmp_path / "camera" / "camera.npz") as content:
        fields = dict(content)
    fields["solved"][3] = False
    if interpolated:
        fields["interpolated"] = np.arange(8) == 3
        fields["world_from_camera"][3, :3, 3] += 0.5
    else:
        fields["world_from_camera"][3] = np.nan
    np.savez(tmp_path / "camera" / "camera.npz", **fields)
    clip = place.load_clip(str(tmp_path / "frames" / "000001.png"))
    camera = importer.import_camera(clip, scene, tmp_path / "camera")
    scene.frame_set(4)
    assert np.isfinite(np.array(camera.matrix_world)).all()
    assert not interpolated or np.allclose(np.array(camera.matrix_world), importer.to_blender(fields["world_from_camera"][3]), atol=1e-5)
    kinds = {int(key.co[0]): key.type for key in versions.fcurves_of(camera).find("location", index=0).keyframe_points}
    assert kinds == {frame: "BREAKDOWN" if frame == 4 else "KEYFRAME" for frame in range(1, 9) if frame != 4 or interpolated}
    scene.frame_set(5)
    assert np.allclose(np.array(camera.matrix_world), importer.to_blender(shot.poses[4]), atol=1e-5)


def test_a_thousand_frames_in_a_tenth_of_a_second(unflatten, scene, tmp_path):
    import time

    from unflatten.addon.importers import camera as importer
    from unflatten.addon.importers import place

    make_shot(tmp_path)
    with np.load(tmp_path / "camera" / "camera.npz") as content:
        fields = dict(content)
    many = {name: np.repeat(value, 125, 0) if name != "size" else value for name, value in fields.items()}
    many["frame"] = np.arange(1, 1001)
    np.savez(tmp_path / "camera" / "camera.npz", **many)
    clip = place.load_clip(str(tmp_path / "frames" / "000001.png"))
    began = time.perf_counter()
    importer.import_camera(clip, scene, tmp_path / "camera")
    assert time.perf_counter() - began < 0.5  # a busy machine; measured 0.03 s
