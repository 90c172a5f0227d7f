"""The properties of a clip are the contract's options: same defaults, same limits, same numbers back."""

from __future__ import annotations

import bpy
import pytest


@pytest.fixture
def clip(unflatten, scene, tmp_path):
    import numpy as np
    from shots import write_image
    from unflatten.addon.importers import place

    write_image(tmp_path / "a_0001.png", np.ones((36, 64, 4)), "PNG")
    return place.load_clip(str(tmp_path / "a_0001.png"))


def stages():
    from unflatten.engine.contract.stages import STAGES

    return STAGES


def test_defaults_are_the_contracts(clip):
    from unflatten.addon import request, settings

    for stage in stages():
        assert settings.values_of(getattr(clip.unflatten, stage.name), stage.options) == {}
    asked = request.request_of(clip, bpy.context.scene)
    assert asked.options == {} and asked.wants == ("camera", "depth")
    for stage in asked.stages():
        assert asked.options_of(stage) == stage.options()


def test_every_value_comes_back_as_the_contract_would_have_it(clip):
    from unflatten.addon import settings

    for stage in stages():
        for about in settings.describe(stage.options):
            other = {
                "bool": lambda a: not a.default, "int": lambda a: int(a.low or 0) if a.default != (a.low or 0) else int(a.low or 0) + 1,
                "float": lambda a: round((a.low or 0) + 0.123 * ((a.high if a.high is not None else 1) - (a.low or 0)), 4),
                "choice": lambda a: next((c.value for c in a.choices if c.value != a.default), a.default), "text": lambda a: "1,2",
                "file": lambda a: "/tmp/x", "folder": lambda a: "/tmp/x",
            }[about.kind](about)
            setattr(getattr(clip.unflatten, stage.name), about.name, other)
        values = settings.values_of(getattr(clip.unflatten, stage.name), stage.options)
        for about in settings.describe(stage.options):
            if about.name in values:
                assert about.check(values[about.name]) == values[about.name]
            if about.kind == "float":
                assert values.get(about.name, about.default) == pytest.approx(getattr(getattr(clip.unflatten, stage.name), about.name), rel=1e-6)


def test_limits_hold_in_blender_too(clip):
    clip.unflatten.solve.tracks = 10**6
    assert clip.unflatten.solve.tracks == 20000


def test_settings_survive_the_file(clip, tmp_path):
    clip.unflatten.depth.fill, clip.use_fake_user = 3.5, True
    clip.unflatten.want_mattes = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    again = bpy.data.movieclips[0]
    assert again.unflatten.depth.fill == 3.5 and again.unflatten.want_mattes


def test_a_sequence_carries_the_rate_of_the_scene(clip):
    from unflatten.addon import request

    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.001
    assert request.request_of(clip, scene).fps == "24000/1001"
    scene.render.fps, scene.render.fps_base = 25, 1.0
    assert request.request_of(clip, scene).fps == "25"


def test_a_half_made_engine_is_none(unflatten, scene, tmp_path, monkeypatch):
    from unflatten.addon import environment, preferences

    monkeypatch.setattr(preferences, "engine_folder", lambda: tmp_path / "engine")
    monkeypatch.setattr(preferences, "path_of", lambda name: None)
    monkeypatch.setattr(preferences, "ROOT", tmp_path)
    python = environment.python_of(tmp_path / "engine")
    python.parent.mkdir(parents=True)
    python.touch()
    assert preferences.engine_python() is None
    (tmp_path / "engine" / environment.STAMP).touch()
    assert preferences.engine_python() == python


def test_what_was_not_chosen_is_not_drawn(unflatten, scene, tmp_path):
    from shots import make_shot
    from unflatten.addon import panels
    from unflatten.addon.importers import place
    from unflatten.engine.contract.option import describe
    from unflatten.engine.contract.stages import BY_NAME

    make_shot(tmp_path)
    group, options = place.load_clip(str(tmp_path / "frames" / "000001.png")).unflatten.mattes, BY_NAME["mattes"].options

    def drawn():
        return {about.name for about in describe(options) if panels.counts(about, group, options)}

    assert {"method", "subjects", "edge"} <= drawn() and not {"drawn", "sam2", "weights"} & drawn()
    group.follow = "sam2"
    assert "sam2" not in drawn()  # what would carry drawn masks does not matter where none are asked for
    group.method = "drawn"
    assert {"drawn", "prompts", "follow", "sam2"} <= drawn()
