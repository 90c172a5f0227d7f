"""Presets, films dropped onto the editor, manual links, and every panel drawn in every state."""

from __future__ import annotations

import fnmatch
import re
from contextlib import contextmanager

import bpy
import pytest
from play import PYTHON, make_engine
from shots import make_shot


class Paper:
    """A layout that remembers the texts and buttons put on it."""

    def __init__(self, said=None):
        self.said = [] if said is None else said

    def part(self, *given, **more):
        return Paper(self.said)

    row = column = box = split = part

    def panel(self, name, **more):
        return Paper(self.said), Paper(self.said)

    def label(self, text="", **more):
        self.said.append(text)

    def progress(self, text="", **more):
        self.said.append(text)

    def prop(self, data, name, **more):
        assert name in data.bl_rna.properties or name.startswith("["), name
        self.said.append(name)

    def operator(self, name, text="", **more):
        self.said.append(text or name)
        return type("Given", (), {})()

    def menu(self, name, text="", **more):
        self.said.append(text)


@contextmanager
def clip_editor(clip=None):
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "CLIP_EDITOR"
    area.spaces.active.clip = clip
    with bpy.context.temp_override(window=window, area=area, region=area.regions[0]):
        yield bpy.context


@pytest.fixture
def clip(unflatten, scene, tmp_path, monkeypatch):
    from unflatten.addon import preferences, request
    from unflatten.addon.importers import place

    shot = make_shot(tmp_path / "shot", count=3)
    monkeypatch.setattr(preferences, "engine_python", lambda: PYTHON)
    monkeypatch.setattr(preferences, "_override", str(tmp_path / "store"))
    monkeypatch.setattr(preferences, "ROOT", make_engine(tmp_path / "root", shot.folder, "fails"))
    request.forget()
    return place.load_clip(str(shot.folder / "frames" / "000001.png"))


def drawn(context):
    from unflatten.addon import desk, panels, preferences, preferences_page

    paper = Paper()
    for kind in panels.CLASSES:
        if getattr(kind, "poll", lambda context: True)(context):
            kind.draw(type("Panel", (), {"layout": paper})(), context)
            if hasattr(kind, "draw_header"):
                kind.draw_header(type("Panel", (), {"layout": paper})(), context)
    desk.draw_status(type("Header", (), {"layout": paper})(), context)
    settings = preferences.UNFLATTEN_AP_preferences.bl_rna.properties
    chosen = type("Chosen", (), {"bl_rna": type("R", (), {"properties": settings})()})()
    preferences_page.draw_preferences(paper, chosen)
    return paper.said


def test_every_panel_is_drawn_in_every_state(unflatten, clip, monkeypatch):
    from unflatten.addon import jobs, lines, preferences
    from unflatten.engine.contract import messages

    monkeypatch.setattr(lines, "split", lambda text, wide: [text])
    with clip_editor() as context:
        clip.name = "shown"
        assert "unflatten.run" in drawn(context)  # the only clip of the file
    with clip_editor(clip) as context:
        said = drawn(context)
        assert {"unflatten.run", "Presets", "want_camera", "frames", "Clean"} & set(said) >= {"unflatten.run", "Presets", "want_camera", "Clean"}
        assert any(re.fullmatch(r"On .+, \d+\.\d GB free", text) for text in said)
        job = jobs.make(clip, context.scene, ("camera",))
        assert "Clips before this one: 1" in drawn(context)
        job.status, job.device, job.memory_free, job.seconds_left, job.overall = "running", "cpu", 8_000_000_000, 30.0, 0.25
        job.stages["solve"].status, job.stages["solve"].done, job.stages["solve"].total = "running", 3, 9
        monkeypatch.setattr(jobs, "_queue", [job])
        said = drawn(context)
        assert {"Solve the camera  25 %", "3 of 9", "30 s left", "On the processor, 8.0 GB free", "unflatten.cancel", "shown: 25 %"} <= set(said)
        monkeypatch.setattr(jobs, "_queue", [])
        job.status = "cancelled"
        assert "Cancelled; finished frames are kept" in drawn(context)
        clip.unflatten.auto_import = False
        bpy.ops.unflatten.run(wants="camera")
        assert {"Motion: Tripod, Tracks: 900", "unflatten.remedy"} <= set(drawn(context))
        jobs.of(clip).failures[:] = [messages.Failed("weights-missing", "What", "Why", "Remedy", "interpolate", network="super_slomo")]
        assert "Import a copy" in drawn(context)
        monkeypatch.setattr(preferences, "engine_python", lambda: None)
        for online, offered in ((False, "Allow online access"), (True, "unflatten.setup")):
            bpy.context.preferences.system.use_online_access = online
            assert {"The engine is not set up yet.", offered} <= set(drawn(context))
        bpy.context.preferences.system.use_online_access = False


def test_presets_turn_their_knobs_and_back(unflatten, clip):
    from unflatten.addon import desk, request

    shipped = {path.stem: path for path in (desk.SHIPPED / "presets" / "unflatten").glob("*.py")}
    assert set(shipped) == {"Draft", "Standard", "Fine"}
    folders = bpy.utils.preset_paths("unflatten")
    assert str(desk.SHIPPED / "presets" / "unflatten") in [str(folder) for folder in folders]
    with clip_editor(clip):
        asked = {}
        for name in ("Draft", "Fine", "Standard"):
            assert bpy.ops.script.execute_preset(filepath=str(shipped[name]), menu_idname="UNFLATTEN_MT_presets") == {"FINISHED"}
            asked[name] = request.request_of(clip, bpy.context.scene).options
    assert asked["Draft"]["flow"]["preset"] == "fast" and asked["Fine"]["flow"]["preset"] == "fine" and asked["Standard"] == {}
    assert {(stage, name) for stage, values in asked["Draft"].items() for name in values} >= {("solve", "size"), ("cloud", "step")}


def test_a_preset_of_ones_own(unflatten, clip, tmp_path, monkeypatch):
    monkeypatch.setenv("BLENDER_USER_SCRIPTS", str(tmp_path / "scripts"))
    clip.unflatten.depth.fill, clip.unflatten.want_mattes = 2.5, True
    with clip_editor(clip):
        assert bpy.ops.unflatten.add_preset(name="My shots") == {"FINISHED"}
        kept = next(path for folder in bpy.utils.preset_paths("unflatten") for path in __import__("pathlib").Path(folder).glob("My*.py"))
        try:
            clip.unflatten.depth.property_unset("fill")
            bpy.ops.script.execute_preset(filepath=str(kept), menu_idname="UNFLATTEN_MT_presets")
        finally:
            kept.unlink()
    assert clip.unflatten.depth.fill == 2.5 and clip.unflatten.want_mattes


def test_a_film_dropped_onto_the_editor_opens(unflatten, clip):
    from unflatten.addon import desk

    path = bpy.path.abspath(clip.filepath)
    bpy.data.movieclips.remove(clip)
    assert not bpy.ops.unflatten.open_clip.poll() or bpy.context.area.type == "CLIP_EDITOR"
    with clip_editor() as context:
        assert desk.UNFLATTEN_FH_clip.poll_drop(context) and ".mp4" in desk.UNFLATTEN_FH_clip.bl_file_extensions.split(";")
        assert bpy.ops.unflatten.open_clip(filepath=path) == {"FINISHED"}
        assert context.space_data.clip == bpy.data.movieclips[0]
        with pytest.raises(RuntimeError):
            bpy.ops.unflatten.open_clip(filepath=path + ".gone")


def test_manual_links_lead_to_headings(unflatten):
    from unflatten.addon import desk, preferences

    prefix, pairs = desk.manual()
    text = (preferences.ROOT / "README.md").read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    assert prefix == (preferences.ROOT / "README.md").as_uri() + "#"
    assert {anchor for _, anchor in pairs} <= anchors
    for name in ("bpy.ops.unflatten.run", "bpy.ops.unflatten.setup", "bpy.types.unflatten_pg_depth.fill"):
        assert any(fnmatch.fnmatchcase(name, pattern) for pattern, _ in pairs)
