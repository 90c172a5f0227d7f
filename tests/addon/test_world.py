"""Three points as the floor, two points and a length: the root alone moves, and everything under it together."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion, Vector
from shots import make_shot

FLOOR = (0.3, 0.3, 0.6, 0.35, 0.45, 0.7)


@pytest.fixture(params=["depth", "points"])
def shown(request, unflatten, scene, tmp_path):
    """A shot in the scene, its world askew and too small, with depth or with the solve's points alone."""
    from unflatten.addon.importers import camera, depth, place, points

    shot = make_shot(tmp_path / "shot", lens=(-0.1, 0.02, 0.0, 0.0))
    xyz = shot.positions(2)[::3, ::3].reshape(-1, 3)
    np.savez(shot.folder / "camera" / "points.npz", xyz=xyz, rgb=np.full(xyz.shape, 128, np.uint8), error=np.zeros(len(xyz)), length=np.full(len(xyz), 8))
    clip = place.load_clip(str(shot.folder / "frames"))
    scene.active_clip = clip
    camera.import_camera(clip, scene, shot.folder / "camera")
    points.import_points(clip, scene, shot.folder / "camera")
    if request.param == "depth":
        depth.import_depth(clip, scene, shot.folder / "depth", shot.folder / "camera", shot.folder / "frames", False)
    root = place.root_of(clip, scene)
    root.matrix_world = Matrix.LocRotScale(Vector((1, 2, 3)), Quaternion((0.9, 0.3, -0.2, 0.1)).normalized(), Vector((0.4, 0.4, 0.4)))
    scene.frame_set(3)
    bpy.context.view_layer.update()
    return clip, root


def spots(clip, flat: tuple[float, ...]) -> list[Vector]:
    from unflatten.addon.rigs import world

    return [world.point_at(clip, bpy.context.scene, *flat[k : k + 2]) for k in range(0, len(flat), 2)]


def test_three_points_become_the_floor(shown) -> None:
    clip, root = shown
    camera, cloud = (clip.unflatten.made[role].object for role in ("camera", "points"))
    together = camera.matrix_world.inverted() @ cloud.matrix_world
    assert max(abs(point.z) for point in spots(clip, FLOOR)) > 0.5
    assert bpy.ops.unflatten.floor(spots=FLOOR) == {"FINISHED"}
    assert max(abs(point.z) for point in spots(clip, FLOOR)) < 1e-4 and camera.matrix_world.translation.z > 0
    assert np.allclose(root.matrix_world.to_scale(), 0.4, atol=1e-5)
    assert np.allclose(np.array(camera.matrix_world.inverted() @ cloud.matrix_world), np.array(together), atol=1e-4)
    assert bpy.ops.unflatten.scale(spots=FLOOR[:4], length=2.5) == {"FINISHED"}
    a, b, c = spots(clip, FLOOR)
    assert abs((a - b).length - 2.5) < 1e-4 and max(abs(a.z), abs(b.z), abs(c.z)) < 1e-4


def test_what_cannot_be_is_refused(shown) -> None:
    clip, root = shown
    before = root.matrix_world.copy()
    with pytest.raises(RuntimeError, match="one line"):
        bpy.ops.unflatten.floor(spots=(0.3, 0.3, 0.3, 0.3, 0.6, 0.5))
    with pytest.raises(RuntimeError, match="one place"):
        bpy.ops.unflatten.scale(spots=(0.3, 0.3, 0.3, 0.3), length=1.0)
    assert root.matrix_world == before
