"""Every English text that the add-on can draw: from the contract, from what Blender registered, and from the calls of `say` in its sources."""

from __future__ import annotations

import ast
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
    """Our classes: panels, operators, menus, property groups, preferences."""
    from unflatten.addon import desk, operators, panels, preferences, settings, upkeep
    from unflatten.addon.rigs import buttons

    classes = [kind for room in (desk, operators, panels, settings, upkeep, buttons) for kind in room.CLASSES]
    return [*classes, preferences.UNFLATTEN_AP_preferences]


def of_classes() -> set[str]:
    found: set[str] = set()
    for kind in registered():
        if issubclass(kind, bpy.types.Panel | bpy.types.FileHandler):
            found.add(kind.bl_label)
        if issubclass(kind, bpy.types.Operator):
            found |= {kind.bl_label, kind.__doc__}
        rna = kind.bl_rna if not issubclass(kind, bpy.types.Operator) else getattr(bpy.ops.unflatten, kind.bl_idname.split(".")[1]).get_rna_type()
        for entry in rna.properties:
            if entry.translation_context == "Unflatten":
                found |= {entry.name, entry.description}
                if entry.type == "ENUM":
                    found |= {text for item in entry.enum_items for text in (item.name, item.description)}
    return found


def of_sources() -> set[str]:
    """First words of every `say`, notes of imports and of set-ups."""
    found: set[str] = set()
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            first = node.args[0] if isinstance(node, ast.Call) and node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and ast.unparse(node.func) in ("say", "Work"):
                found.add(first.value)
            if isinstance(node, ast.Yield) and path.name == "everything.py" and isinstance(getattr(node.value, "elts", [None])[-1], ast.Constant):
                found.add(node.value.elts[1].value)
            if isinstance(node, ast.Assign) and path.name == "setup.py":
                pairs = [(target, node.value) for target in node.targets]
                if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = [*zip(node.targets[0].elts, node.value.elts)]
                found |= {value.value for target, value in pairs if ast.unparse(target) == "self.note" and isinstance(value, ast.Constant)}
    return found | {"Starting", "Unflatten presets", "Recover and import depth first"}


def everything() -> set[str]:
    """All of them, without what is the same in every language."""
    return {text for text in of_contract() | of_classes() | of_sources() if any(letter.isalpha() for letter in text)} - {"Unflatten"}


def literals() -> list[str]:
    """Where a text would be drawn past `say`: `text="…"` in a call."""
    bare = []
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.keyword) and node.arg == "text" else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value:
                bare.append(f"{path.relative_to(ADDON)}:{text.lineno}")
    return bare
