"""Every rig on a shot that Blender itself rendered, and rendered again: against the scene that the shot was made of."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector
from rendered import BOX, FOCAL, FRAMES, SIZE, build, eye, glow, make_shot, picture, prepare, render

RADIUS = 0.6  # of the inserted ball


@pytest.fixture(scope="module")
def shot(unflatten, tmp_path_factory):
    """The shot's folder."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return make_shot(tmp_path_factory.mktemp("rendered"))


@pytest.fixture
def clip(scene, shot):
    """The shot, imported into an empty file."""
    from unflatten.addon.importers import everything, place
    from unflatten.addon.results import of_folder

    clip = place.load_clip(str(shot / "frames" / f"{FRAMES[0]:06d}.png"))
    for _ in everything.import_all(clip, scene, of_folder(shot), ("camera", "depth")):
        pass
    prepare(scene)
    scene.frame_set(2)
    return clip


def true_depth(shot, frame):
    return picture(shot / "depth" / f"{frame:06d}.exr")[..., 0]


def where(point, frame=2):
    """Parts of the picture's width and height from the top left at which the true camera sees a point of the world."""
    inside = eye(frame).inverted() @ Vector(point)
    return 0.5 + inside.x / -inside.z * FOCAL / SIZE[0], 0.5 - inside.y / -inside.z * FOCAL / SIZE[1]


def rim(mask):
    """[N, 2] the pixels of a mask that have a neighbour outside it."""
    inner = mask.copy()
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return np.argwhere(mask & ~inner)


def apart(one, other):
    """The largest distance of the rims of two masks, px, either way."""
    between = np.linalg.norm(rim(one)[:, None] - rim(other)[None], axis=-1)
    return max(between.min(0).max(), between.min(1).max())


def ball(scene):
    import bmesh

    mesh, shape = bpy.data.meshes.new("ball"), bmesh.new()
    bmesh.ops.create_uvsphere(shape, u_segments=64, v_segments=32, radius=RADIUS)
    shape.to_mesh(mesh)
    shape.free()
    mesh.materials.append(bpy.data.materials.new("lamp"))
    glow(mesh.materials[0])[0]["Emission"].inputs["Color"].default_value = (4, 0, 0, 1)  # no plate has this red
    made = bpy.data.objects.new("ball", mesh)
    scene.collection.objects.link(made)
    return made


def truth_of(matrix, tmp_path):
    """The mask of that ball among the solids themselves."""
    from unflatten.addon import versions

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    for solid in build(scene):
        solid.is_holdout = True
    scene.camera.matrix_world = eye(2)
    ball(scene).matrix_world = matrix
    scene.render.film_transparent = True
    versions.write_images(scene, "PNG", "RGBA")
    return picture(render(scene, tmp_path / "truth.png"))[..., 3] > 0.5


@pytest.mark.parametrize("how", ["HOLDOUT", "COMPOSITOR"])
def test_what_hides_an_inserted_object_does_so_to_two_pixels(clip, scene, shot, tmp_path, how):
    from unflatten.addon import versions

    at = Vector((-0.2, 2.2, 0.0))  # on the floor, just beside the box; the ball is wider than that
    x, y = where(at)
    inserted = ball(scene)
    bpy.context.view_layer.objects.active = inserted
    scene.active_clip = clip
    assert bpy.ops.unflatten.insert(x=x, y=y, use_active=True) == {"FINISHED"}
    prepare(scene)
    bpy.context.view_layer.update()
    stands = inserted.matrix_world.copy()
    assert (stands.translation - at - Vector((0, 0, RADIUS))).length < 0.06
    for role in ("shadow", "sun"):
        clip.unflatten.made[role].object.hide_render = True
    versions.write_images(scene, "PNG", "RGB")
    if how == "COMPOSITOR":
        assert bpy.ops.unflatten.occlude(how=how) == {"FINISHED"}
        assert clip.unflatten.made["occluder"].object.hide_render
    with_ball = picture(render(scene, tmp_path / "with.png"))[..., :3]
    inserted.hide_render = True
    without = picture(render(scene, tmp_path / "without.png"))[..., :3]
    seen, truth = np.abs(with_ball - without).max(-1) > 0.12, truth_of(stands, tmp_path)
    assert 150 < truth.sum() < 2000 and apart(seen, truth) <= 2.0, apart(seen, truth)


def card(scene, camera, depth, side):
    """A square that faces the camera at a depth, alone visible."""
    mesh = bpy.data.meshes.new("card")
    half = side / 2
    mesh.from_pydata([(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)], [], [(0, 1, 2, 3)])
    made = bpy.data.objects.new("card", mesh)
    scene.collection.objects.link(made)
    made.matrix_world = camera.matrix_world @ Matrix.Translation((0, 0, -depth))
    return made


def test_a_dolly_zoom_keeps_the_subjects_rendered_size(clip, scene, shot, tmp_path):
    from unflatten.addon import versions
    from unflatten.addon.rigs import dolly_zoom

    scene.active_clip = clip
    x, y = where((BOX[0], BOX[1] - 0.3, 0.8))
    assert bpy.ops.unflatten.dolly_zoom(x=x, y=y) == {"FINISHED"}
    camera, base = clip.unflatten.made["dolly camera"].object, clip.unflatten.made["camera"].object
    dolly_zoom.travel(camera, [1, 3], [-1.5, 1.5])
    depth = float(true_depth(shot, 2)[int(y * SIZE[1]), int(x * SIZE[0])])
    versions.write_images(scene, "PNG", "RGBA")
    scene.render.film_transparent, scene.cycles.samples = True, 16
    for target in [*scene.objects]:
        target.hide_render = True
    sizes = {}
    for name, where_at in (("subject", depth), ("behind", depth + 3)):
        for frame in (1, 3):
            scene.frame_set(frame)
            # The subject keeps its depth from the recovered camera only on the frame of the pick: measured from there.
            inside = base.matrix_world.inverted() @ clip.unflatten.made["dolly subject"].object.matrix_world.translation
            shown = card(scene, base, -inside.z + where_at - depth, 1.2)
            for view in (base, camera):
                scene.camera = view
                alpha = picture(render(scene, tmp_path / "card.png"))[..., 3]
                sizes[name, frame, view == camera] = float(np.sqrt(alpha.sum()))
            bpy.data.objects.remove(shown)
    for frame in (1, 3):
        assert sizes["subject", frame, True] == pytest.approx(sizes["subject", frame, False], rel=0.005)
        assert abs(sizes["behind", frame, True] / sizes["behind", frame, False] - 1) > 0.05, "the rest of the scene must move"


def test_the_focus_lies_where_it_was_picked(clip, scene, shot, tmp_path):
    """Two specks beside the focus blur as the lens says: where their blurs would meet in nothing is the focus."""
    from unflatten.addon import versions

    scene.active_clip = clip
    x, y = where((2.0, 3.0, 1.0))
    assert bpy.ops.unflatten.focus(x=x, y=y) == {"FINISHED"}
    truth = float(true_depth(shot, 2)[int(y * SIZE[1]), int(x * SIZE[0])])
    camera = clip.unflatten.made["camera"].object
    camera.data.dof.aperture_fstop = 0.02
    versions.write_images(scene, "OPEN_EXR", "RGBA", "32")
    scene.render.film_transparent, scene.cycles.samples = True, 64
    for target in [*scene.objects]:
        target.hide_render = True
    blur = {}
    for depth in (0.7 * truth, 1.4 * truth):
        speck = card(scene, camera, depth, 0.01 * depth)
        alpha = picture(render(scene, tmp_path / "speck.exr"))[..., 3].astype(float)
        bpy.data.objects.remove(speck)
        column = np.arange(SIZE[0]) + 0.5
        share = alpha.sum(0) / alpha.sum()
        blur[depth] = float(np.sqrt((share * (column - share @ column) ** 2).sum()))
    (near, at_near), (far, at_far) = blur.items()
    assert min(at_near, at_far) > 3
    found = (at_near + at_far) / (at_far / near + at_near / far)
    assert found == pytest.approx(truth, rel=0.02)


def test_a_new_view_shows_what_stands_there_and_holes_where_nothing_was_seen(clip, scene, shot, tmp_path):
    from unflatten.addon import versions

    scene.active_clip = clip
    assert bpy.ops.unflatten.new_view() == {"FINISHED"}
    view = clip.unflatten.made["view camera"].object
    scene.frame_set(1)
    bpy.context.view_layer.update()
    view.matrix_basis = view.parent.matrix_world.inverted() @ eye(3)  # from where the third frame was shot
    versions.write_images(scene, "PNG", "RGBA")
    seen, plate = picture(render(scene, tmp_path / "view.png")), picture(shot / "frames" / "000003.png")
    covered = seen[..., 3] > 0.99
    assert 0.6 < covered.mean() < 0.98
    assert np.median(np.abs(seen - plate)[covered][:, :3]) < 0.02
    assert (seen[..., 3] < 0.01).any(), "what the plate never saw stays empty"
