"""The subjects of the mattes in the panel: each with its picture; keep, drop and join. Imports bpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews
from bpy.props import IntProperty, StringProperty

from . import request
from .clips import clip_of
from .languages import say
from .sidebar import OfClip

_pictures: dict[str, Any] = {}  # one collection, while the add-on is on


def folder_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> Path | None:
    """The folder of the clip's mattes, as they are or as they were made last."""
    found = request.standing_of(clip, scene).folders.get("mattes")
    memory = clip.unflatten.results.get("mattes")
    path = Path(found) if found else Path(memory.path) if memory else None
    return path if path and (path / "mattes.json").is_file() else None


def subjects_of(folder: Path) -> list[dict[str, Any]]:
    """Name, area and rank of each."""
    told = json.loads((folder / "mattes.json").read_text(encoding="utf-8"))["subjects"]
    return [{"rank": place, **subject} for place, subject in enumerate(told, 1)]


def picture_of(folder: Path, name: str) -> int:
    """The icon of a subject's picture; 0 where there is none."""
    path = folder / name / "picture.png"
    if not path.is_file():
        return 0
    if "all" not in _pictures:
        _pictures["all"] = bpy.utils.previews.new()
    held = _pictures["all"]
    key = f"{path} {path.stat().st_mtime_ns}"
    return (held[key] if key in held else held.load(key, str(path), "IMAGE")).icon_id


class UNFLATTEN_OT_subject(bpy.types.Operator):
    """Tick: keep only this one. Join: it and the first are one thing. Cross: leave it out. It counts when the mattes are made again"""

    bl_idname = "unflatten.subject"
    bl_label = "Choose the subject"
    bl_options = {"UNDO", "INTERNAL"}

    rank: IntProperty(min=1, options={"SKIP_SAVE"})
    what: StringProperty(options={"SKIP_SAVE"})  # keep, drop, join, all

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return clip_of(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        asked = clip_of(context).unflatten.mattes
        if self.what == "all":
            for name in ("keep", "drop", "join"):
                asked.property_unset(name)
        elif self.what == "keep":
            asked.keep = str(self.rank)
            asked.property_unset("drop")
        elif self.what == "drop":
            asked.drop = _with(asked.drop, str(self.rank))
        else:
            asked.join = _joined(asked.join, self.rank)
        return {"FINISHED"}


def _with(listed: str, rank: str) -> str:
    parts = [part.strip() for part in listed.split(",") if part.strip()]
    return ",".join(parts if rank in parts else [*parts, rank])


def _joined(listed: str, rank: int) -> str:
    """The first subject's group with one more."""
    groups = [part.strip().split("+") for part in listed.split(",") if part.strip()]
    first = next((group for group in groups if "1" in group), None)
    if first is None:
        groups.insert(0, first := ["1"])
    if str(rank) not in first:
        first.append(str(rank))
    return ",".join("+".join(group) for group in groups)


def rank_of(name: str, names: str, place: int) -> int:
    """The rank that an option means by a subject: from its own name, or the one that was given; else its place."""
    given = [part.strip() for part in names.split(",")]
    if name in given:
        return given.index(name) + 1
    number = name.removeprefix("subject_")
    return int(number) if number.isdigit() else place


class UNFLATTEN_PT_subjects(OfClip, bpy.types.Panel):
    """What was found, each with its picture"""

    bl_label = "Subjects"
    bl_parent_id = "UNFLATTEN_PT_mattes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        clip = clip_of(context)
        return clip is not None and folder_of(clip, context.scene) is not None

    def draw(self, context: bpy.types.Context) -> None:
        clip = clip_of(context)
        folder, asked = folder_of(clip, context.scene), clip.unflatten.mattes
        for subject in subjects_of(folder) if folder else []:
            row = self.layout.row(align=True)
            if icon := picture_of(folder, subject["name"]):
                row.template_icon(icon, scale=3.0)
            row.label(text=f"{subject['name']}  {100 * subject['area']:.1f} %", translate=False)
            if asked.method == "drawn":
                continue
            rank = rank_of(subject["name"], asked.names, subject["rank"])
            for what, shown in (("keep", "CHECKMARK"), ("join", "AUTOMERGE_ON"), ("drop", "X")):
                if what != "join" or rank > 1:
                    button = row.operator("unflatten.subject", text="", icon=shown)
                    button.rank, button.what = rank, what
        if asked.keep or asked.drop or asked.join:
            self.layout.operator("unflatten.subject", text=say("All again"), icon="LOOP_BACK").what = "all"


CLASSES = (UNFLATTEN_OT_subject, UNFLATTEN_PT_subjects)


def register() -> None:
    """Classes."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    """Classes and pictures."""
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
    for held in _pictures.values():
        bpy.utils.previews.remove(held)
    _pictures.clear()
