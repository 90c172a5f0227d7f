"""Every English text that the add-on can draw: from the contract, from what Blender registered, and from the calls of `say` in its sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import bpy

ADDON = Path(__file__).resolve().parents[2] / "addon"


def of_contract() -> set[str]:
    from unflatten.engine.contract.option import describe
    from unflatten.engine.contract.stages import STAGES

    found = {stage.label for stage in STAGES}
    for about in (about for stage in STAGES for about in describe(stage.options)):
        found |= {about.label, about.help + (f" ({about.unit})" if about.unit else "")}
        found |= {text for choice in about.choices for text in (choice.label, choice.help)}
    return found


def registered() -> list[type]:
    """Our classes: panels, operators, property groups, preferences. A menu's label is what was chosen last."""
    bases = (bpy.types.Panel, bpy.types.Operator, bpy.types.PropertyGroup, bpy.types.AddonPreferences, bpy.types.FileHandler)
    return [kind for base in bases for kind in base.__subclasses__() if kind.__name__.startswith("UNFLATTEN_")]


def of_classes() -> set[str]:
    found: set[str] = set()
    for kind in registered():
        if issubclass(kind, bpy.types.Panel | bpy.types.FileHandler):
            found.add(kind.bl_label)
        rna = kind.bl_rna
        if issubclass(kind, bpy.types.Operator):
            found |= {kind.bl_label, kind.__doc__}
            rna = getattr(bpy.ops.unflatten, kind.bl_idname.split(".")[1]).get_rna_type()
        theirs = {entry.identifier for base in (bpy.types.Operator, bpy.types.PropertyGroup, bpy.types.AddonPreferences) for entry in base.bl_rna.properties}
        for entry in rna.properties:
            if entry.identifier in theirs or entry.is_hidden or entry.translation_context != "Unflatten":
                continue
            found |= {entry.name, entry.description}
            if entry.type == "ENUM":
                found |= {text for item in entry.enum_items for text in (item.name, item.description)}
    return found


def unmarked() -> list[str]:
    """Properties with a name whose words would be looked up among Blender's own."""
    bare = []
    for kind in registered():
        for base in kind.__mro__:
            for name, made in base.__dict__.get("__annotations__", {}).items():
                words = getattr(made, "keywords", {})
                if words.get("name") and words.get("translation_context") != "Unflatten" and base.__name__ != "AddPresetBase":
                    bare.append(f"{kind.__name__}.{name}")
    return bare


def of_sources() -> set[str]:
    """First words of every `say`, notes of imports and of set-ups."""
    found: set[str] = set()
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            first = node.args[0] if isinstance(node, ast.Call) and node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and ast.unparse(node.func) in ("say", "Work"):
                found.add(first.value)
            if isinstance(node, ast.Yield) and path.parent.name == "importers" and isinstance(node.value, ast.Tuple):
                note = node.value.elts[1]
                assert not isinstance(note, ast.JoinedStr), f"{path}:{node.lineno}: a note that no table can hold"
                found |= {note.value} if isinstance(note, ast.Constant) else set()
            if isinstance(node, ast.Assign) and path.name == "setup.py":
                pairs = [(target, node.value) for target in node.targets]
                if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = [*zip(node.targets[0].elts, node.value.elts)]
                found |= {value.value for target, value in pairs if ast.unparse(target) == "self.note" and isinstance(value, ast.Constant)}
    of_cards = {"good", "fair", "doubtful", "unjudged", "metric", "assumed", "arbitrary", "unknown"}
    return found | of_cards | {"Starting", "Unflatten presets", "Recover and import depth first"}


def everything() -> set[str]:
    """All of them, without what is the same in every language."""
    return {text for text in of_contract() | of_classes() | of_sources() if any(letter.isalpha() for letter in text)} - {"Unflatten"}


def literals() -> list[str]:
    """Where a text would be drawn past `say`: `text="…"` in a call, or a bare sentence as a report or a reason."""
    bare = []
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.keyword) and node.arg == "text" else None
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".report", ".poll_message_set")) and node.args:
                text = node.args[-1]
            told = isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value
            words = [part.value for part in getattr(text, "values", ()) if isinstance(part, ast.Constant)] if isinstance(text, ast.JoinedStr) else []
            if told or any(re.search(r"[a-z]+ +[a-z]+", word) for word in words):
                bare.append(f"{path.relative_to(ADDON)}:{text.lineno}")
    return bare
