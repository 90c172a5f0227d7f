"""Masks follow their contours, pieces come and go, holes cut: rendered, they equal the mattes they came from."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from shots import make_shot, square


def imported(scene, shot):
    from unflatten.addon.importers import mattes, place

    clip = place.load_clip(str(shot.folder / "frames" / f"{shot.frames[0]:06d}.png"))
    done = list(mattes.import_mask(clip, shot.folder / "mattes", "person"))
    assert done[-1] == 1.0 and done == sorted(done)
    return clip, clip.unflatten.made["mask person"].mask


@pytest.mark.parametrize("first", [1, 1001])
def test_contours_are_where_they_were_drawn(unflatten, scene, tmp_path, first):
    from unflatten.addon.importers import mattes

    shot = make_shot(tmp_path, first)
    clip, mask = imported(scene, shot)
    assert len(bpy.data.scenes) == 1
    for index in (0, 2, 7):
        scene.frame_set(first + index)
        truth = mattes.mask_space(np.array(square(20 + 4 * index, 20, 30)), shot.size)
        points = np.array([point.co[:] for point in mask.layers[0].splines[0].points])
        assert np.abs(points - truth).max() < 1e-4


def test_again_refills_the_same_mask(unflatten, scene, tmp_path):
    from unflatten.addon.importers import mattes

    shot = make_shot(tmp_path)
    clip, mask = imported(scene, shot)
    mask.layers.new(name="by hand")
    list(mattes.import_mask(clip, shot.folder / "mattes", "person"))
    assert len(bpy.data.masks) == 1
    assert sorted(layer.name for layer in mask.layers) == ["by hand", "piece 001", "piece 002", "piece 003"]


@pytest.mark.parametrize("index", [0, 3])
def test_the_rendered_mask_is_the_matte(unflatten, scene, tmp_path, index):
    from unflatten.addon import versions

    shot = make_shot(tmp_path)
    clip, mask = imported(scene, shot)
    tree, result, _ = versions.compositor(scene)
    node = tree.nodes.new("CompositorNodeMask")
    node.mask = mask
    tree.links.new(node.outputs[0], result)
    # Blender softens a mask's edge outwards by about one pixel of the render, so the render is larger than the matte.
    scene.render.resolution_x, scene.render.resolution_y = 8 * shot.size[0], 8 * shot.size[1]
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.view_settings.view_transform = "Standard"
    bpy.data.cameras.new("c")
    camera = bpy.data.objects.new("c", bpy.data.cameras[0])
    scene.collection.objects.link(camera)
    scene.camera = camera
    versions.write_images(scene, "PNG", "RGB")
    scene.render.filepath = str(tmp_path / "mask.png")
    scene.frame_set(1 + index)
    bpy.ops.render.render(write_still=True)
    seen = pixels(tmp_path / "mask.png")[4::8, 4::8] > 0.5
    truth = pixels(tmp_path / f"mattes/person/alpha/{1 + index:06d}.png") > 0.5
    assert (seen & truth).sum() / (seen | truth).sum() > 0.95


def test_the_alpha_is_a_sequence(unflatten, scene, tmp_path):
    from unflatten.addon.importers import mattes, place

    shot = make_shot(tmp_path)
    clip = place.load_clip(str(shot.folder / "frames" / "000001.png"))
    image = mattes.import_alpha(clip, shot.folder / "mattes", "person")
    assert image.source == "SEQUENCE" and image.colorspace_settings.name == "Non-Color"
    assert mattes.import_alpha(clip, shot.folder / "mattes", "person") == image
    assert mattes.subjects(shot.folder / "mattes") == ["person"]


def pixels(path):
    image = bpy.data.images.load(str(path), check_existing=False)
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], 4)[..., 0]


def test_a_subject_over_a_colour(unflatten, scene, tmp_path):
    from unflatten.addon import versions
    from unflatten.addon.importers import mattes

    shot = make_shot(tmp_path)
    clip, mask = imported(scene, shot)
    assert not bpy.ops.unflatten.composite.poll()
    mattes.import_alpha(clip, shot.folder / "mattes", "person")
    assert bpy.ops.unflatten.composite(colour=(0, 0, 1)) == {"FINISHED"}
    scene.render.resolution_x, scene.render.resolution_y = shot.size
    scene.render.engine, scene.view_settings.view_transform = "CYCLES", "Standard"
    scene.cycles.samples = 1
    camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    versions.write_images(scene)
    scene.render.filepath = str(tmp_path / "over.png")
    scene.frame_set(4)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    seen = np.array(image.pixels[:], np.float32).reshape(*shot.size[::-1], 4)
    matte = pixels(tmp_path / "mattes/person/alpha/000004.png") > 0.5
    assert (seen[~matte][:, 2] > 0.95).mean() > 0.99 and (seen[~matte][:, 0] < 0.05).mean() > 0.99
    plate = pixels(tmp_path / "frames/000004.png")
    assert np.abs(seen[..., 0] - plate)[matte].mean() < 0.02
