"""Several shots by one command: a folder, a table, a farm's tasks; one line and one file for each, and the exit status of the worst."""

from __future__ import annotations

import json
import shutil
import subprocess

import bpy
import pytest
from play import PYTHON, make_engine
from shots import make_shot


@pytest.fixture
def shots(unflatten, scene, tmp_path, monkeypatch):
    """A folder with two shots of pictures and one film that is none, and an engine that plays."""
    from unflatten.addon import preferences

    shot = make_shot(tmp_path / "shot", count=3)
    monkeypatch.setattr(preferences, "ROOT", make_engine(tmp_path / "root", shot.folder))
    monkeypatch.setattr(preferences, "_override", "")
    for name in ("müller 01", "b"):
        shutil.copytree(shot.folder / "frames", tmp_path / "day" / name)
    return tmp_path


def told(capsys):
    """Our lines without their times; Blender says of each file that it was saved."""
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("Info:") and " | " not in line]
    assert all(line.endswith(" s") for line in lines)
    return [line.partition(" in ")[0] for line in lines]


def test_a_folder_of_shots(unflatten, shots, capsys):
    from unflatten.addon import command

    words = ["--python", PYTHON, "--store", str(shots / "store"), "--save", str(shots / "out")]
    assert command.main([str(shots / "day"), *words]) == 0
    assert told(capsys) == ["b: done", "müller 01: done"]
    for name in ("b", "müller 01"):
        bpy.ops.wm.open_mainfile(filepath=str(shots / "out" / f"{name}.blend"))
        assert len(bpy.data.movieclips) == 1 and bpy.context.scene.camera.name.endswith(" camera")


def test_a_table_of_shots(unflatten, shots, capsys):
    from unflatten.addon import command

    table = shots / "day" / "shots.csv"
    table.write_text("clip,want,frames,set,save\nb/000001.png,camera,1-2,depth.fill=2 solve.tracks=300,one.blend\nmüller 01/000001.png,,,,\n", "utf-8-sig")
    assert command.main([str(table), "--python", PYTHON, "--store", str(shots / "store")]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(shots / "day" / "one.blend"))
    asked = bpy.data.movieclips[0].unflatten
    assert (asked.first, asked.last, asked.depth.fill, asked.solve.tracks) == (1, 2, 2.0, 300)
    assert "depth" not in asked.made and "camera" in asked.made
    capsys.readouterr()
    table.write_text("clip\ngone.mp4\nb/000001.png\n")
    assert command.main([str(table), "--python", PYTHON, "--store", str(shots / "store")]) == 1
    assert told(capsys) == ["gone: failed", "b: done"]
    table.write_text("shot\nb\n")
    assert command.main([str(table)]) == 2
    (shots / "empty").mkdir()
    assert command.main([str(shots / "empty")]) == 2
    assert command.main([str(shots / "day" / "b" / "000001.png"), "--frames", "one"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_the_open_file_and_a_clip_by_its_name(unflatten, shots):
    from unflatten.addon import command
    from unflatten.addon.importers import place

    for name in ("b", "müller 01"):
        place.load_clip(str(shots / "day" / name / "000001.png")).name = name
    bpy.data.movieclips["b"].unflatten.depth.fill = 3.0
    words = ["--python", PYTHON, "--store", str(shots / "store")]
    assert command.main(words) == 1  # which of the two?
    assert command.main(["b", *words]) == 0
    assert "camera" in bpy.data.movieclips["b"].unflatten.made and not bpy.data.movieclips["müller 01"].unflatten.made


def test_the_farm_s_tasks_are_words_the_command_knows(unflatten, tmp_path):
    from unflatten.addon import command, preferences

    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed: Flamenco's job type cannot be run")
    play = tmp_path / "play.js"
    play.write_text("""
const made = [];
const author = {
  Task: (name, type) => ({ name, type, commands: [], addCommand(it) { this.commands.push(it); } }),
  Command: (name, values) => ({ name, values }),
};
const source = require("fs").readFileSync(process.argv[2], "utf8");
const settings = { clips: "a|b c", want: "camera,mattes", store: "/farm/store", blendfile: "/farm/shot.blend" };
const type = new Function("author", "job", source + "; compileJob(job); return JOB_TYPE;")(author, { settings, addTask: (it) => made.push(it) });
console.log(JSON.stringify({ type, made }));
""")
    script = preferences.ROOT / "addon" / "farm" / "unflatten.js"
    said = json.loads(subprocess.run([node, str(play), str(script)], capture_output=True, text=True, check=True).stdout)
    assert {entry["key"] for entry in said["type"]["settings"]} == {"clips", "want", "store", "blendfile"}
    for task, clip in zip(said["made"], ("a", "b c"), strict=True):
        values = task["commands"][0]["values"]
        assert task["commands"][0]["name"] == "blender-render" and values["blendfile"] == "/farm/shot.blend"
        assert values["args"][:2] == ["--command", command.NAME]
        given = command._parse(values["args"][2:])
        assert (given.clip, given.want, given.store) == (clip, "camera,mattes", "/farm/store")
