"""What the artist draws on a frame becomes a key of the mattes: masks, their boxes, markers; on the clip's frame, in its pixels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest
from shots import make_shot


@pytest.fixture
def clip(unflatten, scene, tmp_path, monkeypatch):
    from unflatten.addon import preferences
    from unflatten.addon.importers import place

    shot = make_shot(tmp_path / "shot", 1001)
    monkeypatch.setattr(preferences, "_override", str(tmp_path / "store"))
    loaded = place.load_clip(str(shot.folder / "frames" / "001001.png"))
    loaded.frame_start = 101  # the artist has moved it
    scene.frame_set(104)
    return loaded


def circle(mask, size, x, y, radius, count=8, blend="MERGE_ADD"):
    """A round spline of px from the top left, on a layer of its own."""
    layer = mask.layers.new()
    layer.blend = blend
    spline = layer.splines.new()
    spline.use_cyclic = True
    spline.points.add(count - 1)
    for point, turn in zip(spline.points, np.arange(count) * 2 * np.pi / count):
        middle, along = np.array([x, y]) + radius * np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        reach = 4 / 3 * np.tan(np.pi / 2 / count) * radius * along
        point.handle_type = "FREE"
        point.co, point.handle_left, point.handle_right = (place_of(it, size) for it in (middle, middle - reach, middle + reach))


def place_of(pixel, size):
    longest = max(size)
    return (pixel[0] - size[0] / 2) / longest + 0.5, (size[1] / 2 - pixel[1]) / longest + 0.5


def pixels(path):
    image = bpy.data.images.load(str(path), check_existing=False)
    return np.array(image.pixels[:], np.float32).reshape(image.size[1], image.size[0], 4)[::-1, :, 0]


def test_a_mask_becomes_a_key_of_this_frame(clip):
    size = tuple(clip.size)
    mask = bpy.data.masks.new("hand")
    circle(mask, size, 40, 30, 20)
    circle(mask, size, 40, 30, 8, blend="SUBTRACT")
    assert bpy.ops.unflatten.use_mask() == {"FINISHED"}
    asked = clip.unflatten.mattes
    files = sorted(Path(asked.drawn).iterdir())
    assert asked.method == "drawn" and [path.name for path in files] == ["001004.png"]
    y, x = np.mgrid[:size[1], :size[0]] + 0.5
    far = np.hypot(x - 40, y - 30)
    seen = pixels(files[0]) > 0.5
    assert seen.shape == far.shape and not (seen ^ ((far < 20) & (far > 8)))[(np.abs(far - 20) > 0.3) & (np.abs(far - 8) > 0.3)].any()
    assert bpy.ops.unflatten.forget_drawn() == {"FINISHED"}
    assert not asked.drawn and asked.method == "motion" and not files[0].exists()


def test_a_box_and_markers_become_prompts(clip):
    size = tuple(clip.size)
    mask = bpy.data.masks.new("hand")
    circle(mask, size, 40, 30, 20)
    assert bpy.ops.unflatten.use_mask(box=True) == {"FINISHED"}
    number, kind, values = clip.unflatten.mattes.prompts.split(" ")
    borders = np.array([float(value) for value in values.split(",")]) * [*size, *size]
    assert (number, kind) == ("1004", "box") and np.abs(borders - [20, 10, 60, 50]).max() < 0.6
    with pytest.raises(RuntimeError):
        bpy.ops.unflatten.use_markers()
    track = clip.tracking.objects.active.tracks.new(name="spot", frame=4)
    track.markers[0].co, track.select = (0.25, 0.75), True
    for outside in (False, False, True):
        assert bpy.ops.unflatten.use_markers(outside=outside) == {"FINISHED"}
    assert clip.unflatten.mattes.prompts.split("; ")[1:] == ["1004 in 0.2500,0.2500", "1004 out 0.2500,0.2500"]


def test_without_a_mask_the_button_says_so(clip):
    with pytest.raises(RuntimeError, match="Draw a mask"):
        bpy.ops.unflatten.use_mask()


@pytest.fixture
def read_otherwise(unflatten, scene, tmp_path, monkeypatch):
    """A shot whose files lie on their side, as a phone's do; its results, imported."""
    from unflatten.addon import preferences
    from unflatten.addon.importers import everything, footage, place

    shot = make_shot(tmp_path / "shot", 1001)
    monkeypatch.setattr(preferences, "_override", str(tmp_path / "store"))
    shutil.copytree(shot.folder / "frames", tmp_path / "source")
    about = shot.folder / "frames" / "clip.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "source_size": shot.size, "turn": 90}))
    clip = place.load_clip(str(tmp_path / "source" / "001001.png"))
    clip.frame_start = 101
    list(everything.import_all(clip, scene, {"frames": shot.folder / "frames", "mattes": shot.folder / "mattes"}, ("mattes",)))
    scene.frame_set(104)
    return clip, footage.of(clip)


def test_frames_that_stand_in_for_a_clip_are_drawn_on_in_its_name(read_otherwise, scene):
    from unflatten.addon.clips import behind, clip_of

    clip, shown = read_otherwise
    assert shown != clip and behind(shown) == clip == behind(clip) == clip_of(bpy.context)
    mask = bpy.data.masks.new("hand")
    circle(mask, tuple(shown.size), 40, 30, 20)
    assert bpy.ops.unflatten.use_mask(mask="hand") == {"FINISHED"}
    assert clip.unflatten.mattes.method == "drawn" and shown.unflatten.mattes.method == "motion"
    (path,) = Path(clip.unflatten.mattes.drawn).iterdir()
    assert path.name == "001004.png" and abs(pixels(path).sum() - np.pi * 400) < 30
    track = shown.tracking.objects.active.tracks.new(name="spot", frame=4)
    track.markers[0].co, track.select = (0.25, 0.75), True
    assert bpy.ops.unflatten.use_markers() == {"FINISHED"} and clip.unflatten.mattes.prompts == "1004 in 0.2500,0.2500"


def test_what_the_editor_shows_otherwise_is_not_drawn_on(read_otherwise, scene, monkeypatch):
    from unflatten.addon import canvas, request

    clip, shown = read_otherwise
    circle(bpy.data.masks.new("hand"), tuple(clip.size), 40, 30, 20)
    monkeypatch.setattr(canvas, "in_editor", lambda context: clip)
    for act in (bpy.ops.unflatten.use_mask, bpy.ops.unflatten.mask_moves):
        with pytest.raises(RuntimeError, match="as recovered' here"):
            act(mask="hand")
    scene.active_clip, clip.unflatten.made["footage"].clip = clip, None  # the results are in the cache, but nothing was imported
    frames = Path(bpy.path.abspath(shown.filepath)).parent
    monkeypatch.setattr(request, "standing_of", lambda clip, scene: request.Standing({"frames": frames}))
    with pytest.raises(RuntimeError, match="press Import"):
        bpy.ops.unflatten.use_mask(mask="hand")
    assert not clip.unflatten.mattes.drawn and not clip.unflatten.movers.masks


def test_a_mask_with_its_animation_is_what_moves(clip, scene, tmp_path):
    from unflatten.addon.importers import mattes, place

    size, folder = tuple(clip.size), tmp_path / "shot"
    list(mattes.import_mask(clip, folder / "mattes", "person"))  # a square that goes 4 px a frame
    name = clip.unflatten.made["mask person"].mask.name
    scene.frame_set(103)
    assert bpy.ops.unflatten.mask_moves(mask=name) == {"FINISHED"} and scene.frame_current == 103
    given = sorted(Path(clip.unflatten.movers.masks).iterdir())
    assert [path.stem for path in given] == [f"{number:06d}" for number in range(1001, place.last_frame(clip) + 1)]
    lefts = [int(np.flatnonzero((pixels(path)[22:30] > 0.5).any(0))[0]) for path in given]
    assert pixels(given[0]).shape == size[::-1] and np.abs(np.array(lefts) - (20 + 4 * np.arange(len(given)))).max() <= 1
    before = clip.unflatten.movers.masks
    clip.unflatten.use_range, clip.unflatten.first, clip.unflatten.last = True, 1002, 1003
    assert bpy.ops.unflatten.mask_moves(mask=name) == {"FINISHED"} and clip.unflatten.movers.masks == before
    assert [path.stem for path in sorted(Path(before).iterdir())] == ["001002", "001003"]
    assert not list(Path(before).parent.glob("*.part"))
    with pytest.raises(RuntimeError, match="Draw a mask"):
        bpy.ops.unflatten.mask_moves(mask="nobody")
