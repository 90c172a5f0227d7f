"""Buttons, scripts and the command give the same scene; the panels know what is done; remedies and cancel work."""

from __future__ import annotations

import time

import bpy
import pytest
from play import PYTHON, make_engine
from shots import make_shot


@pytest.fixture
def stage_set(unflatten, scene, tmp_path, monkeypatch):
    """A shot, an engine that plays, a store of its own, and the clip."""
    from unflatten.addon import preferences, request
    from unflatten.addon.importers import place

    shot = make_shot(tmp_path / "shot")
    monkeypatch.setattr(preferences, "engine_python", lambda: PYTHON)
    monkeypatch.setattr(preferences, "_override", str(tmp_path / "store"))

    def play(how="works"):
        monkeypatch.setattr(preferences, "ROOT", make_engine(tmp_path / "root", shot.folder, how))
        request.forget()
        return place.load_clip(str(shot.folder / "frames" / "000001.png"))

    return play


def names():
    kinds = ("objects", "meshes", "cameras", "masks", "movieclips", "materials", "node_groups", "collections", "images")
    return {kind: sorted(it.name for it in getattr(bpy.data, kind)) for kind in kinds}


def test_run_waits_and_imports(stage_set):
    clip = stage_set()
    assert bpy.ops.unflatten.run(wants="camera,depth,cloud,mattes") == {"FINISHED"}
    made = {entry.name: entry for entry in clip.unflatten.made}
    assert {"root", "camera", "points", "depth", "depth points", "cloud", "mask person", "alpha person"} <= set(made)
    assert made["camera"].object.parent == made["root"].object and bpy.context.scene.camera == made["camera"].object
    assert [made[role].object.hide_render for role in ("points", "depth", "depth points", "cloud")] == [True, False, True, True]
    assert {result.name for result in clip.unflatten.results} >= {"frames", "orient", "consistent_depth"}


def test_recover_without_an_engine_makes_it_first(stage_set, monkeypatch):
    from unflatten.addon import environment, preferences

    clip, ready = stage_set(), []
    monkeypatch.setattr(preferences, "engine_python", lambda: PYTHON if ready else None)
    monkeypatch.setattr(environment, "make", lambda *given, **more: ready.append(True) or PYTHON)
    monkeypatch.setattr(environment, "verify", lambda python, root: {"device": "cpu"})
    bpy.context.preferences.system.use_online_access = False
    assert not bpy.ops.unflatten.run.poll()
    bpy.context.preferences.system.use_online_access = True
    assert bpy.ops.unflatten.run.poll()
    with pytest.raises(RuntimeError, match="Set up the engine first"):
        bpy.ops.unflatten.run(wants="camera")  # a script is not asked, so nothing is fetched
    assert not ready
    clip.unflatten.want_depth = False
    assert bpy.ops.unflatten.setup(recover=clip.name) == {"FINISHED"}
    assert ready and clip.unflatten.made["camera"].object
    bpy.context.preferences.system.use_online_access = False


def test_the_add_on_s_folder_is_only_read(stage_set, tmp_path):
    """It may lie where nobody may write; the engine's results go to the store, its request to the temporary folder."""
    stage_set()
    root = tmp_path / "root"
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if "__pycache__" not in str(path) and path.is_file()}
    bpy.ops.unflatten.run(wants="camera,mattes")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if "__pycache__" not in str(path) and path.is_file()} == before


def test_again_changes_nothing(stage_set):
    stage_set()
    bpy.ops.unflatten.run(wants="camera,depth,cloud,mattes")
    before = names()
    bpy.ops.unflatten.run(wants="camera,depth,cloud,mattes")
    assert names() == before


def test_the_command_gives_the_same_scene(unflatten, stage_set, tmp_path):
    from unflatten.addon import command

    clip = stage_set()
    path = bpy.path.abspath(clip.filepath)
    bpy.ops.unflatten.run(wants="camera,depth,mattes")
    by_button = names()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    saved = tmp_path / "scene.blend"
    assert command.main([path, "--want", "camera,depth,mattes", "--python", PYTHON, "--store", str(tmp_path / "store2"), "--save", str(saved)]) == 0
    assert names() == by_button and saved.exists()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert command.main([path, "--want", "camera,depth,mattes", "--results", str(tmp_path / "shot")]) == 0
    assert names() == by_button


def test_the_command_refuses_in_one_sentence(unflatten, stage_set, tmp_path, capsys):
    from unflatten.addon import command

    stage_set()
    assert command.main([str(tmp_path / "nothing.mp4")]) == 1
    assert command.main(["--want", "colour", "--python", PYTHON]) == 2
    assert command.main(["--set", "depth.nonsense=1", "--python", PYTHON]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 3 and all(line.startswith("unflatten: ") for line in said)


def test_state_follows_the_settings(unflatten, stage_set):
    from unflatten.addon import panels, request

    clip, scene = stage_set(), bpy.context.scene
    assert panels.state_of(clip, scene, "depth") == "never"
    bpy.ops.unflatten.run(wants="camera,depth")
    states = {name: panels.state_of(clip, scene, name) for name in ("frames", "solve", "depth", "consistent_depth", "mattes")}
    assert states == {"frames": "done", "solve": "done", "depth": "done", "consistent_depth": "done", "mattes": "never"}
    clip.unflatten.depth.fill = 2.0
    request.forget()
    assert [panels.state_of(clip, scene, name) for name in ("solve", "depth", "consistent_depth")] == ["done", "stale", "stale"]
    clip.unflatten.depth.property_unset("fill")
    request.forget()
    assert panels.state_of(clip, scene, "consistent_depth") == "done"


def test_a_failure_brings_its_remedy(unflatten, stage_set):
    from unflatten.addon import jobs

    clip = stage_set("fails")
    clip.unflatten.auto_import = False
    assert bpy.ops.unflatten.run(wants="camera") == {"FINISHED"}  # frames and flow are there
    job = jobs.of(clip)
    assert job.status == "failed" and job.stages["solve"].status == "failed" and job.stages["orient"].status == "skipped"
    assert bpy.ops.unflatten.remedy(index=0) == {"FINISHED"}
    assert clip.unflatten.solve.motion == "tripod" and clip.unflatten.solve.tracks == 900
    assert jobs.of(clip).status == "done"


def test_the_queue_runs_on_a_timer_and_cancels_within_a_second(unflatten, stage_set):
    from unflatten.addon import jobs

    clip = stage_set("slow")
    first, second = jobs.make(clip, bpy.context.scene), jobs.make(clip, bpy.context.scene)
    jobs.enqueue(first)
    jobs.enqueue(second)
    until = time.monotonic() + 15
    while first.stages["flow"].status != "running" and time.monotonic() < until:
        jobs.tick()  # background Blender fires no timers
        time.sleep(0.02)
    assert first.status == "running" and second.status == "waiting" and first.seconds_left == 3.0
    second.cancel()
    began = time.monotonic()
    first.cancel()
    while not first.finished:
        jobs.tick()
        time.sleep(0.01)
    # Before the grace ends after which it would be killed: a busy machine must not fail here.
    assert time.monotonic() - began < 2.5 and first.status == "cancelled" and second.status == "cancelled"
    while jobs.tick() is not None:
        pass
    bpy.app.timers.unregister(jobs.tick)


def test_without_a_clip_or_an_engine_the_button_says_why(unflatten, scene, monkeypatch):
    from unflatten.addon import preferences

    monkeypatch.setattr(preferences, "engine_python", lambda: None)
    assert not bpy.ops.unflatten.run.poll()
    monkeypatch.setattr(preferences, "engine_python", lambda: PYTHON)
    assert not bpy.ops.unflatten.run.poll()
    assert not bpy.ops.unflatten.import_results.poll()


def test_losses_of_a_stage_that_learns_are_kept_for_the_panel(unflatten):
    from unflatten.addon.job import Job
    from unflatten.engine.contract import messages
    from unflatten.engine.contract.job import Request

    job = Job("clip", 1, Request("clip", ("camera",), "store"))
    for done, note, loss in ((0, "", None), (1, "learning", 0.671), (2, "learning", 0.6), (3, "following points", None)):
        job._take(messages.Progress("solve", done, 3, 0.1, None, note, loss))
    assert job.stages["solve"].losses == [0.671, 0.6] and job.stages["solve"].note == "following points"
