"""Rigs on a shot whose truth is known: picked spots, occlusion by depth, rendered and measured."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Vector
from shots import SIZE, make_shot

LENS = (-0.15, 0.02, 0.0, 0.0)


def imported(scene, shot):
    from unflatten.addon.importers import everything, place
    from unflatten.addon.results import of_folder

    clip = place.load_clip(str(shot.folder / "frames" / f"{shot.frames[0]:06d}.png"))
    for _ in everything.import_all(clip, scene, of_folder(shot.folder), ("camera", "depth")):
        pass
    return clip


@pytest.mark.parametrize("lens", [(0, 0, 0, 0), LENS])
def test_a_picked_pixel_lies_on_the_surface(unflatten, scene, tmp_path, lens):
    from unflatten.addon.nodes import modifier
    from unflatten.addon.rigs import surface

    shot = make_shot(tmp_path, lens=lens)
    clip = imported(scene, shot)
    modifier.set_inputs(clip.unflatten.made["depth"].object.modifiers[0], {"Step": 1})
    for index, (x, y) in ((0, (50, 30)), (4, (27, 15)), (7, (5, 5))):
        scene.frame_set(int(shot.frames[index]))
        spot = surface.find_spot(clip, scene, (x + 0.5) / SIZE[0], (y + 0.5) / SIZE[1])
        truth = shot.positions(index)[y, x]
        assert np.linalg.norm(np.array(spot.point) - truth) < 2e-3
        assert spot.distance == pytest.approx(float(shot.depth[index, y, x]), rel=1e-3)
        assert spot.normal.dot(Vector(shot.poses[index][:3, 3] - truth)) > 0


def test_the_world_may_be_corrected_first(unflatten, scene, tmp_path):
    from unflatten.addon.rigs import surface

    shot = make_shot(tmp_path)
    clip = imported(scene, shot)
    scene.frame_set(1)
    before = surface.find_spot(clip, scene, 0.8, 0.8)
    clip.unflatten.made["root"].object.scale = (3, 3, 3)
    bpy.context.view_layer.update()
    after = surface.find_spot(clip, scene, 0.8, 0.8)
    assert (after.point - 3 * before.point).length < 1e-3 and after.distance == pytest.approx(3 * before.distance, rel=1e-4)


def test_a_click_into_a_hole_takes_the_surface_around_it(unflatten, scene, tmp_path, monkeypatch):
    from unflatten.addon.rigs import surface

    clip = imported(scene, make_shot(tmp_path))
    scene.frame_set(1)
    whole, cast = surface.find_spot(clip, scene, 0.8, 0.8), surface._cast
    monkeypatch.setattr(surface, "_cast", lambda seen, shape, x, y: None if np.hypot(x - 0.8, y - 0.8) < 0.01 else cast(seen, shape, x, y))
    across = surface.find_spot(clip, scene, 0.8, 0.8)
    assert across.distance == pytest.approx(whole.distance, rel=0.03) and (across.point - whole.point).length < 0.03 * whole.distance
    monkeypatch.setattr(surface, "_cast", lambda *given: None)
    assert surface.find_spot(clip, scene, 0.8, 0.8) is None


def test_what_stands_before_it_hides_an_inserted_object(unflatten, scene, tmp_path):
    """A wide wall between the board and the far slope: where the board is, the plate shows; elsewhere the wall does."""
    from unflatten.addon.rigs import insertion, surface

    shot = make_shot(tmp_path)
    clip = imported(scene, shot)
    index = 4
    scene.frame_set(int(shot.frames[index]))
    spot = surface.find_spot(clip, scene, 0.9, 0.9)
    mesh = bpy.data.meshes.new("wall")
    mesh.from_pydata([(-20, 0, -20), (20, 0, -20), (20, 0, 20), (-20, 0, 20)], [], [(0, 1, 2, 3)])
    wall = bpy.data.objects.new("wall", mesh)
    scene.collection.objects.link(wall)
    insertion.insert(clip, scene, spot, wall)
    place_at, forward = shot.poses[index][:3, 3], shot.poses[index][:3, 2]
    wall.matrix_world.translation = place_at + forward * 5.0  # the board is at 3.3, the slope beyond 8
    for name in ("shadow", "sun"):
        clip.unflatten.made[name].object.hide_render = True
    scene.render.film_transparent = True
    scene.cycles.samples = 4
    scene.cycles.use_denoising = False
    seen = rendered(scene, tmp_path / "inserted.png")
    plate = pixels(tmp_path / "frames" / f"{shot.frames[index]:06d}.png")
    same = np.abs(seen - plate).max(-1) < 0.03
    width, height = shot.size
    left, top = 2 * (10 + int(20 * index / 7)), 16
    board = np.zeros((height, width), bool)
    board[top:top + 32, left:left + 28] = True
    grown, shrunk = np.zeros_like(board), np.zeros_like(board)
    grown[top - 2:top + 34, left - 2:left + 30] = True
    shrunk[top + 2:top + 30, left + 2:left + 26] = True
    assert same[shrunk].mean() > 0.99, "the board must hide the wall"
    assert same[~grown].mean() < 0.02, "the wall must hide what is behind it"


def test_a_second_insertion_moves_the_first(unflatten, scene, tmp_path):
    from unflatten.addon.rigs import insertion, surface

    shot = make_shot(tmp_path)
    clip = imported(scene, shot)
    scene.frame_set(1)
    first = insertion.insert(clip, scene, surface.find_spot(clip, scene, 0.8, 0.8))
    count, nodes = len(bpy.data.objects), len(bpy.data.materials)
    spot = surface.find_spot(clip, scene, 0.7, 0.6)
    second = insertion.insert(clip, scene, spot)
    assert first == second and (len(bpy.data.objects), len(bpy.data.materials)) == (count, nodes)
    bpy.context.view_layer.update()
    lowest = min((second.matrix_world @ Vector(corner)).z for corner in second.bound_box)
    assert lowest == pytest.approx(spot.point.z, abs=1e-3)


def rendered(scene, path):
    from unflatten.addon import versions

    versions.write_images(scene)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return pixels(path)


def pixels(path):
    image = bpy.data.images.load(str(path), check_existing=False)
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], 4)[::-1, :, :3]


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_dolly_zoom_keeps_the_subjects_size_and_place(unflatten, scene, tmp_path, scale):
    from bpy_extras.object_utils import world_to_camera_view
    from unflatten.addon.rigs import dolly_zoom, surface

    shot = make_shot(tmp_path, zoom=True)
    clip = imported(scene, shot)
    clip.unflatten.made["root"].object.scale = (scale, scale, scale)
    scene.frame_set(5)
    spot = surface.find_spot(clip, scene, 27.5 / SIZE[0], 15.5 / SIZE[1])
    base = clip.unflatten.made["camera"].object
    camera = dolly_zoom.build(clip, scene, spot.point, base)
    dolly_zoom.travel(camera, [1, 8], [-1.0, 2.0])
    across = base.matrix_world.to_3x3().normalized() @ Vector((0.3, 0.2, 0))
    far = base.matrix_world @ Vector((1.0, 0.5, -9.0))
    moved = []
    for frame in (1, 3, 5, 8):
        scene.frame_set(frame)
        across = base.matrix_world.to_3x3().normalized() @ Vector((0.3, 0.2, 0))
        for point in (spot.point, spot.point + across):
            before, after = (np.array(world_to_camera_view(scene, it, point))[:2] for it in (base, camera))
            assert np.abs(before - after).max() < 0.0005
        far = base.matrix_world @ Vector((1.0, 0.5, -9.0))
        before, after = (np.array(world_to_camera_view(scene, it, far))[:2] for it in (base, camera))
        moved.append(np.abs(before - after).max())
    assert max(moved) > 0.02


def test_focus_follows_the_picked_marks(unflatten, scene, tmp_path):
    from unflatten.addon.rigs import focus, surface

    shot = make_shot(tmp_path)
    clip = imported(scene, shot)
    camera = clip.unflatten.made["camera"].object
    for index, (x, y) in ((0, (50, 30)), (6, (31, 15))):
        scene.frame_set(int(shot.frames[index]))
        spot = surface.find_spot(clip, scene, (x + 0.5) / SIZE[0], (y + 0.5) / SIZE[1])
        mark = focus.focus_on(clip, scene, spot.point, camera)
    assert focus.marks(clip) == [1, 7] and camera.data.dof.focus_object == mark
    for index, (x, y) in ((0, (50, 30)), (6, (31, 15))):
        scene.frame_set(int(shot.frames[index]))
        inside = camera.matrix_world.inverted() @ mark.matrix_world.translation
        assert -inside.z == pytest.approx(float(shot.depth[index, y, x]), rel=0.02)


def test_the_plate_blurs_where_it_is_out_of_focus(unflatten, scene, tmp_path):
    from unflatten.addon.rigs import focus, surface

    shot = make_shot(tmp_path)
    width, height = shot.size
    noise = np.random.default_rng(1).random((height, width, 1)).repeat(4, 2)
    noise[..., 3] = 1
    for frame in shot.frames:
        from shots import write_image

        write_image(tmp_path / "frames" / f"{frame:06d}.png", noise, "PNG")
    clip = imported(scene, shot)
    scene.frame_set(1)
    spot = surface.find_spot(clip, scene, 15.5 / SIZE[0], 15.5 / SIZE[1])
    camera = clip.unflatten.made["camera"].object
    focus.focus_on(clip, scene, spot.point, camera)
    assert focus.blur_plate(clip, scene, 0.05)
    for target in scene.objects:
        target.hide_render = target.type == "MESH"
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    seen = rendered(scene, tmp_path / "blur.png")
    board, wall = seen[22:44, 24:44], seen[50:70, 80:120]
    assert wall.std() < 0.5 * board.std()


def test_a_new_view_starts_where_the_plate_was_shot(unflatten, scene, tmp_path):
    from unflatten.addon.rigs import new_view

    shot = make_shot(tmp_path)
    clip = imported(scene, shot)
    base = clip.unflatten.made["camera"].object
    camera = new_view.free(clip, scene, base)
    assert new_view.free(clip, scene, base) == camera == scene.camera
    scene.frame_set(6)
    assert np.allclose(np.array(camera.matrix_world), np.array(base.matrix_world), atol=1e-6)


def test_the_buttons_do_the_same(unflatten, scene, tmp_path):
    assert not bpy.ops.unflatten.insert.poll()
    shot = make_shot(tmp_path)
    clip = imported(scene, shot)
    scene.active_clip = clip
    assert bpy.ops.unflatten.insert(x=0.8, y=0.8) == {"FINISHED"}
    assert bpy.ops.unflatten.focus(x=0.8, y=0.8) == {"FINISHED"}
    assert bpy.ops.unflatten.dolly_zoom(x=0.8, y=0.8) == {"FINISHED"}
    assert scene.camera == clip.unflatten.made["dolly camera"].object
    assert clip.unflatten.made["occluder"].object.hide_render and clip.unflatten.made["depth"].object.visible_camera
    assert bpy.ops.unflatten.new_view() == {"FINISHED"} and bpy.ops.unflatten.blur_plate() == {"FINISHED"}
