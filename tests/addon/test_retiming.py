"""Slow motion by curve: keys on the clip become source times, freeze and reverse among them."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from shots import write_image


@pytest.fixture
def clip(unflatten, scene, tmp_path):
    """Frames 5 to 24 of an image sequence."""
    from unflatten.addon.importers import place

    for number in range(5, 25):
        write_image(tmp_path / f"a_{number:04d}.png", np.ones((36, 64, 4)), "PNG")
    return place.load_clip(str(tmp_path / "a_0005.png"))


def times(clip):
    from unflatten.addon import request

    asked = request.request_of(clip, bpy.context.scene, ("slowmo",))
    return [float(part) for part in asked.options.get("interpolate", {}).get("times", "").split()]


def key(clip, name, points):
    from unflatten.addon import versions

    for frame, value in points:
        setattr(clip.unflatten, name, value)
        assert clip.keyframe_insert(f"unflatten.{name}", frame=frame)
    for point in versions.fcurve_of(clip, f"unflatten.{name}").keyframe_points:
        point.interpolation = "LINEAR"


def test_the_factor_rules_until_asked_otherwise(clip):
    assert times(clip) == []
    clip.unflatten.interpolate.factor = 4
    assert times(clip) == []


def test_one_speed_needs_no_key(clip):
    clip.unflatten.retime_by = "SPEED"
    clip.unflatten.retime_speed = 25.0
    assert times(clip) == pytest.approx(np.arange(5, 24.01, 0.25))
    clip.unflatten.retime_speed = -50.0
    assert times(clip) == pytest.approx(np.arange(24, 4.99, -0.5))


def test_a_keyed_speed_is_walked(clip):
    """Full speed for 8 frames, down to a freeze within 4, frozen for 5, and back at double speed."""
    clip.unflatten.retime_by = "SPEED"
    key(clip, "retime_speed", [(1, 100), (9, 100), (13, 0), (18, 0), (19, -200), (30, -200)])
    found = np.array(times(clip))
    assert found[:9] == pytest.approx(np.arange(5, 14)) and found[12:18] == pytest.approx(15.0)
    assert found[18] == pytest.approx(14.0) and found[19] == pytest.approx(12.0) and found[-1] == pytest.approx(6.0)


def test_a_keyed_frame_is_shown_when_it_is_keyed(clip):
    clip.unflatten.retime_by = "FRAME"
    key(clip, "retime_frame", [(1, 5), (11, 10), (15, 10), (19, 40)])  # beyond the end: held there
    found = np.array(times(clip))
    assert len(found) == 19 and found[:11] == pytest.approx(np.arange(5, 10.01, 0.5)) and found[11:15] == pytest.approx(10.0)
    assert found[-1] == 24
    clip.unflatten.use_range, clip.unflatten.first, clip.unflatten.last = True, 8, 9
    assert min(times(clip)) == 8 and max(times(clip)) == 9
