"""Blender's own solver, fed with our tracks, finds our cameras again."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from shots import make_shot


@pytest.mark.parametrize("first, lens", [(1, (0, 0, 0, 0)), (1001, (-0.15, 0.03, 0.002, -0.003))])
def test_the_native_solve_is_our_solve(unflatten, scene, tmp_path, first, lens):
    from unflatten.addon.importers import camera, native, place

    shot = make_shot(tmp_path, first, count=12, lens=lens)
    clip = place.load_clip(str(tmp_path / "frames" / f"{first:06d}.png"))
    error = native.hand_over(clip, scene, tmp_path / "camera")
    assert error < 0.05
    found = {one.frame: np.array(one.matrix)[:3, 3] for one in clip.tracking.reconstruction.cameras}
    assert len(found) == 12
    ours = np.array([camera.to_blender(pose)[:3, 3] for pose in shot.poses])
    theirs = np.array([found[frame] for frame in sorted(found)])
    path = np.linalg.norm(np.diff(ours, axis=0), axis=1).sum()
    assert similarity_error(theirs, ours) < 0.002 * path
    assert sum(track.has_bundle for track in clip.tracking.objects[0].tracks) > 30
    count = len(clip.tracking.objects[0].tracks)
    native.hand_over(clip, scene, tmp_path / "camera")
    assert len(clip.tracking.objects[0].tracks) == count


def test_pixels_that_are_not_square_are_solved_in_their_shape(unflatten, scene, tmp_path):
    """A clip stored at half its width: Blender counts its lens and its tracks in stored pixels."""
    from unflatten.addon.importers import camera, footage, native, place

    shot = make_shot(tmp_path, 1, count=12, lens=(-0.15, 0.03, 0.002, -0.003))
    (tmp_path / "stored").mkdir()
    for path in sorted((tmp_path / "frames").glob("*.png")):
        picture = bpy.data.images.load(str(path))
        picture.scale(64, 72)
        picture.save_render(str(tmp_path / "stored" / path.name))
    about = tmp_path / "frames" / "clip.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "source_size": [64, 72], "aspect": "2/1"}))
    clip = place.load_clip(str(tmp_path / "stored" / "000001.png"))
    assert footage.import_footage(clip, tmp_path / "frames") == clip and tuple(clip.size) == (64, 72)
    assert native.hand_over(clip, scene, tmp_path / "camera") < 0.05
    found = {one.frame: np.array(one.matrix)[:3, 3] for one in clip.tracking.reconstruction.cameras}
    ours = np.array([camera.to_blender(matrix)[:3, 3] for matrix in shot.poses])
    path = np.linalg.norm(np.diff(ours, axis=0), axis=1).sum()
    assert similarity_error(np.array([found[frame] for frame in sorted(found)]), ours) < 0.002 * path


def similarity_error(a, b):
    """Root mean square distance after the best similarity."""
    ma, mb = a.mean(0), b.mean(0)
    u, s, vt = np.linalg.svd((b - mb).T @ (a - ma) / len(a))
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    turn = u @ flip @ vt
    scale = np.trace(np.diag(s) @ flip) / ((a - ma) ** 2).sum(1).mean()
    return float(np.sqrt((np.linalg.norm(scale * (turn @ (a - ma).T).T + mb - b, axis=1) ** 2).mean()))
