"""The camera through Blender's exporters and back, and the engine's files copied to a folder."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from shots import make_shot


@pytest.fixture
def imported(unflatten, scene, tmp_path):
    from unflatten.addon.importers import camera, place, points

    shot = make_shot(tmp_path / "shot")
    clip = place.load_clip(str(shot.folder / "frames" / "000001.png"))
    bpy.context.scene.active_clip = clip
    camera.import_camera(clip, bpy.context.scene, shot.folder / "camera")
    points.import_points(clip, bpy.context.scene, shot.folder / "camera")
    scene.frame_start, scene.frame_end = 1, 4
    return clip


def poses(target) -> np.ndarray:
    """World matrices of an object over the frames."""
    out = []
    for frame in range(1, 5):
        bpy.context.scene.frame_set(frame)
        out.append(np.array(target.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world))
    return np.array(out)


@pytest.mark.parametrize("kind", ["abc", "usd", "fbx"])
def test_the_camera_comes_back_from_other_formats(imported, tmp_path, kind: str) -> None:
    from unflatten.addon import exports

    imported.unflatten.made["root"].object.scale = (2, 2, 2)  # the correction of the world goes along
    bpy.context.view_layer.update()
    bystander = bpy.data.objects.new("bystander", None)
    bpy.context.scene.collection.objects.link(bystander)
    bystander.select_set(True)
    camera = imported.unflatten.made["camera"].object
    true, lens = poses(camera), camera.data.lens
    path = tmp_path / f"out{exports.KINDS[kind][1]}"
    assert bpy.ops.unflatten.export_scene(kind=kind, filepath=str(path)) == {"FINISHED"} and path.stat().st_size > 500
    assert [it.name for it in bpy.context.selected_objects] == ["bystander"]
    before = set(bpy.data.objects)
    if kind == "fbx":
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    else:
        {"abc": bpy.ops.wm.alembic_import, "usd": bpy.ops.wm.usd_import}[kind](filepath=str(path))
    fresh = set(bpy.data.objects) - before
    back = next(it for it in fresh if it.type == "CAMERA")
    assert not any("bystander" in it.name for it in fresh)
    found = poses(back)
    assert np.allclose(found[:, :3, 3], true[:, :3, 3], atol=2e-3 * np.abs(true[:, :3, 3]).max())
    ahead, true_ahead = (m[:, :3, 2] / np.linalg.norm(m[:, :3, 2], axis=1, keepdims=True) for m in (found, true))
    assert ((ahead * true_ahead).sum(1) > 0.99999).all()
    assert abs(back.data.lens / back.data.sensor_width - lens / camera.data.sensor_width) < 1e-3


def test_files_are_copied(imported, tmp_path, monkeypatch) -> None:
    from unflatten.addon import request

    for name in ("export/camera.chan", "export/done.json", "export/colmap/images.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(request, "standing_of", lambda clip, scene: request.Standing({"export": tmp_path / "export"}))
    assert bpy.ops.unflatten.export_files(directory=str(tmp_path / "mine")) == {"FINISHED"}
    assert sorted(it.name for it in (tmp_path / "mine").rglob("*.*")) == ["camera.chan", "images.txt"]
