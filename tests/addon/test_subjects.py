"""The subjects in the panel: found beside the results, and kept, dropped or joined by a button."""

from __future__ import annotations

import json

import bpy
from shots import make_shot


def test_subjects_are_chosen_by_buttons(unflatten, scene, tmp_path):
    from unflatten.addon import subjects
    from unflatten.addon.importers import place

    shot = make_shot(tmp_path)
    clip = place.load_clip(str(shot.folder / "frames" / f"{shot.frames[0]:06d}.png"))
    folder = shot.folder / "mattes"
    listed = json.loads((folder / "mattes.json").read_text(encoding="utf-8"))["subjects"]
    memory = clip.unflatten.results.add()
    memory.name, memory.path = "mattes", str(folder)
    assert subjects.folder_of(clip, scene) == folder
    assert [subject["name"] for subject in subjects.subjects_of(folder)] == [subject["name"] for subject in listed]
    assert subjects.picture_of(folder, listed[0]["name"]) == 0  # none was made
    picture = bpy.data.images.new("picture", 8, 8, alpha=True)
    picture.filepath_raw, picture.file_format = str(folder / listed[0]["name"] / "picture.png"), "PNG"
    picture.save()
    subjects.picture_of(folder, listed[0]["name"])
    assert len(subjects._pictures["all"]) == 1
    assert subjects.rank_of("subject_3", "", 1) == 3 and subjects.rank_of("drummer", "singer, drummer", 1) == 2 and subjects.rank_of("x", "", 4) == 4
    assert subjects._joined("2+3", 4) == "1+4,2+3" and subjects._joined("1+4,2+3", 5) == "1+4+5,2+3" and subjects._with("2", "2") == "2"
    area = next(area for area in bpy.context.window.screen.areas)
    area.type = "CLIP_EDITOR"
    area.spaces.active.clip = clip
    with bpy.context.temp_override(area=area):
        bpy.ops.unflatten.subject(rank=2, what="drop")
        bpy.ops.unflatten.subject(rank=3, what="drop")
        bpy.ops.unflatten.subject(rank=4, what="join")
        asked = clip.unflatten.mattes
        assert (asked.drop, asked.join) == ("2,3", "1+4")
        bpy.ops.unflatten.subject(rank=2, what="keep")
        assert (asked.keep, asked.drop) == ("2", "")
        bpy.ops.unflatten.subject(what="all")
        assert (asked.keep, asked.drop, asked.join) == ("", "", "")
