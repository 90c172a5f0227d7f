"""Depth as geometry stands where the pixels' true positions are, on every frame, cut where the depth jumps."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from shots import SIZE, make_shot


def evaluated(scene, target, frame):
    """World positions [N, 3] and the attribute Col of what the object shows at a frame."""
    scene.frame_set(frame)
    seen = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if hasattr(seen, "evaluated_geometry"):
        everything = seen.evaluated_geometry()
        data = everything.mesh if everything.mesh and len(everything.mesh.vertices) else everything.pointcloud
    else:
        everything, data = None, seen.data
    attributes = data.attributes
    xyz = np.empty(len(attributes["position"].data) * 3, np.float32)
    attributes["position"].data.foreach_get("vector", xyz)
    matrix = np.array(seen.matrix_world)
    faces = len(data.polygons) if hasattr(data, "polygons") else 0
    return xyz.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3], faces


def imported(scene, shot, points=False):
    from unflatten.addon.importers import camera, depth, place

    clip = place.load_clip(str(shot.folder / "frames" / f"{shot.frames[0]:06d}.png"))
    camera.import_camera(clip, scene, shot.folder / "camera")
    return clip, depth.import_depth(clip, scene, shot.folder / "depth", shot.folder / "camera", shot.folder / "frames", points)




def distances(truth, found):
    """Distance from each true position to the nearest found one."""
    return np.sqrt(((truth[:, None] - found[None]) ** 2).sum(-1)).min(1)


LENSES = [(0, 0, 0, 0), (-0.2, 0.05, 0.004, -0.003)]


@pytest.mark.parametrize("first, zoom, lens", [(1, False, LENSES[0]), (1001, True, LENSES[0]), (1, False, LENSES[1]), (5, True, LENSES[1])])
@pytest.mark.parametrize("points", [False, True])
def test_vertices_stand_at_the_truth(unflatten, scene, tmp_path, first, zoom, lens, points):
    from unflatten.addon.nodes import modifier

    if points and not hasattr(bpy.types.Object, "evaluated_geometry"):
        pytest.skip("this Blender shows no evaluated point cloud to scripts")
    shot = make_shot(tmp_path, first, zoom=zoom, lens=lens)
    clip, target = imported(scene, shot, points)
    modifier.set_inputs(target.modifiers[0], {"Step": 1, "Steepest": 90.0})
    for index in (0, 3, 7):
        found, faces = evaluated(scene, target, int(shot.frames[index]))
        assert len(found) == SIZE[0] * SIZE[1]
        assert (faces == (SIZE[0] - 1) * (SIZE[1] - 1)) != points
        truth = shot.positions(index)[1:-1, 1:-1].reshape(-1, 3)
        assert distances(truth[::13], found).max() < 2e-4


def test_faces_across_a_jump_are_cut(unflatten, scene, tmp_path):
    from unflatten.addon.nodes import modifier

    shot = make_shot(tmp_path)
    clip, target = imported(scene, shot)
    modifier.set_inputs(target.modifiers[0], {"Step": 1})
    scene.frame_set(1)
    mesh = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    z = np.empty(len(mesh.vertices), np.float32)
    mesh.attributes["depth"].data.foreach_get("value", z)
    corners = np.array([z[list(face.vertices)] for face in mesh.polygons])
    assert np.ptp(corners, 1).max() < 0.5  # no face hangs between the board and the wall
    rim = 2 * (16 + 14)
    assert (SIZE[0] - 1) * (SIZE[1] - 1) - 2 * rim < len(mesh.polygons) < (SIZE[0] - 1) * (SIZE[1] - 1) - rim + 8


def test_outside_the_clip_there_is_nothing(unflatten, scene, tmp_path):
    shot = make_shot(tmp_path)
    clip, target = imported(scene, shot)
    scene.frame_set(30)
    assert len(target.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices) == 0


def test_again_updates_and_keeps_what_the_artist_did(unflatten, scene, tmp_path):
    from unflatten.addon.importers import depth
    from unflatten.addon.nodes import modifier

    clip, target = imported(scene, make_shot(tmp_path / "a"))
    modifier.set_inputs(target.modifiers[0], {"Step": 4, "Far": 7.0})
    own = bpy.data.materials.new("own")
    modifier.set_inputs(target.modifiers[0], {"Material": own})
    target.is_holdout = True
    counts = [len(bpy.data.objects), len(bpy.data.node_groups), len(bpy.data.materials)]
    again = depth.import_depth(clip, scene, tmp_path / "a" / "depth", tmp_path / "a" / "camera", tmp_path / "a" / "frames")
    assert again == target and target.is_holdout and len(target.modifiers) == 1
    assert modifier.get_input(target.modifiers[0], "Step") == 4 and modifier.get_input(target.modifiers[0], "Material") == own
    assert counts == [len(bpy.data.objects), len(bpy.data.node_groups), len(bpy.data.materials)]


def test_the_plate_lies_on_the_surface(unflatten, scene, tmp_path):
    """Rendered through the recovered camera, the surface shows the plate's own colours."""
    from unflatten.addon.importers import camera
    from unflatten.addon.nodes import modifier

    shot = make_shot(tmp_path)
    clip, target = imported(scene, shot)
    camera.match_scene(clip, scene, shot.folder / "frames", shot.size)
    modifier.set_inputs(target.modifiers[0], {"Step": 1, "Steepest": 90.0})
    scene.render.engine, scene.cycles.samples = "CYCLES", 4
    scene.cycles.use_denoising = False
    scene.render.filepath = str(tmp_path / "seen.png")
    scene.frame_set(4)
    bpy.ops.render.render(write_still=True)
    seen, plate = (pixels(path) for path in (tmp_path / "seen.png", tmp_path / "frames" / "000004.png"))
    assert np.abs(seen - plate)[3:-3, 3:-3].mean() < 0.01
    assert abs(float(np.median(seen[..., 2] - plate[..., 2]))) < 0.01  # blue tells the frame


def pixels(path):
    image = bpy.data.images.load(str(path), check_existing=False)
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], 4)[..., :3]


def test_points_carry_the_plates_colours(unflatten, scene, tmp_path):
    from unflatten.addon.nodes import modifier

    if not hasattr(bpy.types.Object, "evaluated_geometry"):
        pytest.skip("this Blender shows no evaluated point cloud to scripts")
    shot = make_shot(tmp_path)
    clip, target = imported(scene, shot, points=True)
    modifier.set_inputs(target.modifiers[0], {"Step": 1})
    scene.frame_set(6)
    shown = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).evaluated_geometry()  # must outlive what is read of it
    colours = np.array([value.color[:3] for value in shown.pointcloud.attributes["Col"].data])
    coded = np.where(colours <= 0.0031308, colours * 12.92, 1.055 * np.maximum(colours, 1e-9) ** (1 / 2.4) - 0.055)
    assert np.allclose(coded[:, 2], 0.5, atol=0.01)  # blue tells the frame
    assert coded[:, 0].min() < 0.03 and coded[:, 0].max() > 0.97 and len(np.unique(coded[:, 1].round(2))) > 30


def test_a_group_left_half_built_is_no_group(unflatten, scene):
    from unflatten.addon.nodes import displace

    steps = displace.build()
    next(steps)
    steps.close()  # what Esc does to an import
    assert not bpy.data.node_groups
    whole = displace.depth_group()
    assert displace.depth_group() == whole and list(displace.build()) == [] and len(bpy.data.node_groups) == 1
