"""What the artist draws on a frame becomes a key of the mattes: masks, their boxes, markers; on the clip's frame, in its pixels."""

from __future__ import annotations

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
