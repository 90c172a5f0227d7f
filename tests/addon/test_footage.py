"""The footage behind the camera is what the engine read, also where Blender reads the clip otherwise."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest
from shots import make_shot


@pytest.fixture
def shown(unflatten, scene, tmp_path):
    """A shot, its clip, and the import of its camera after clip.json says something else."""
    from unflatten.addon.importers import everything, footage, place

    shot = make_shot(tmp_path, 1001, lens=(-0.1, 0.0, 0.0, 0.0))
    shutil.copytree(shot.folder / "frames", tmp_path / "source")
    clip = place.load_clip(str(tmp_path / "source" / "001001.png"))
    clip.frame_start = 11

    def told(**about):
        path = shot.folder / "frames" / "clip.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "source_size": shot.size, **about}))
        found = {"frames": shot.folder / "frames", "camera": shot.folder / "camera"}
        for _ in everything.import_all(clip, scene, found, ("camera",)):
            pass
        return clip, footage.of(clip)

    return told


def test_a_clip_that_blender_reads_alike_is_shown_itself(shown, scene):
    clip, footage = shown(aspect="1/1", turn=0, mirrored=False, layer="")
    assert footage == clip and scene.camera.data.background_images[0].clip == clip


@pytest.mark.parametrize("about", [{"turn": 90}, {"mirrored": True}, {"layer": "beauty"}, {"source_size": [100, 72]}])
def test_frames_stand_in_for_a_clip_that_blender_reads_otherwise(shown, scene, tmp_path, about):
    clip, footage = shown(**about)
    assert footage != clip and footage.filepath == str(tmp_path / "frames" / "001001.png")
    assert footage.frame_start == 11 and tuple(footage.size) == (128, 72)
    picture = scene.camera.data.background_images[0]
    assert picture.clip == footage and picture.clip_user.use_render_undistorted
    assert footage.tracking.camera.brown_k1 == pytest.approx(-0.1) == clip.tracking.camera.brown_k1
    assert shown(**about)[1] == footage  # brought up to date, not doubled
    assert shown(source_size=[128, 72], turn=0, mirrored=False, layer="")[1] == clip == picture.clip


def test_a_camera_that_would_slip_is_told(shown, tmp_path):
    from unflatten.addon.importers import footage

    for path in (tmp_path / "frames").glob("*.png"):  # results that were copied to another disk
        path.unlink()
    clip, stands = shown(turn=90)
    assert stands == clip and footage.slips(clip, tmp_path / "frames") and not footage.slips(clip, None)
    clip, _ = shown(turn=0)
    assert not footage.slips(clip, tmp_path / "frames")


def test_pixels_that_are_not_square_are_shown_in_their_shape(shown, scene):
    clip, footage = shown(aspect="2/1", size=[256, 72])
    assert footage == clip and tuple(clip.display_aspect) == (2.0, 1.0) and clip.tracking.camera.pixel_aspect == 2.0
    assert (scene.render.resolution_x, scene.render.resolution_y) == (256, 72)


@pytest.mark.parametrize("times, alike", [
    ([0, 0.042, 0.083, 0.125], True),  # 24 frames a second, in ms
    ([0, 0.042, 0.208, 0.25], False),  # numbered one by one though time is missing
    ([0, 0.0417, 0.0853, 0.125], False),  # a phone's: late by 2 ms, and Blender shows the one before
    ([0, 0.0417, 0.0803, 0.125], True),  # early does no harm
])
def test_films_are_followed_by_the_clock(unflatten, times, alike):
    from unflatten.addon.importers import footage

    film = SimpleNamespace(size=(64, 48), source="MOVIE", fps=24.0)
    assert footage.is_shown(film, {"source_size": [64, 48], "frames": [1, 2, 3, 4], "times": times}) == alike


@pytest.mark.parametrize("name, alike", [("shot.%d.left.png", True), ("shot_%d_v02.png", False), ("a1_%d.png", True)])
def test_sequences_are_numbered_as_the_engine_numbers_them(unflatten, tmp_path, name, alike):
    from unflatten.addon.importers import footage, place

    for number in (1001, 1002, 1003):
        (tmp_path / (name % number)).touch()
    clip = SimpleNamespace(source="SEQUENCE", filepath=str(tmp_path / (name % 1002)), size=(64, 48))
    (tmp_path / (name % 1007)).touch()
    assert place.first_frame(clip) == 1002 and place.last_frame(clip) == 1007  # Blender stops counting at the gap
    assert footage.is_shown(clip, {"source_size": [64, 48]}) == alike
    assert place.first_frame(SimpleNamespace(source="SEQUENCE", filepath=str(tmp_path / "plain.png"))) == 1
