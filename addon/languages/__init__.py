"""English, Japanese and Simplified Chinese: every text that the add-on draws passes through `say`. Imports bpy.

A language is one file of English -> translation beside this one. Our own context keeps Blender's other uses of a word apart from ours.
What the engine says of a run (failures, remedies, warnings) comes in English; sentences/ knows it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

CONTEXT = "Unflatten"
HERE = Path(__file__).resolve().parent
_OWNER = __package__


def say(text: str, **values: Any) -> str:
    """The text in the user's language, with its {places} filled."""
    told = bpy.app.translations.pgettext_iface(text, CONTEXT)
    return told.format(**values) if values else told


def table(language: str) -> dict[str, str]:
    """English -> the language's own."""
    return json.loads((HERE / f"{language}.json").read_text(encoding="utf-8"))


def languages() -> list[str]:
    """Those that there are, besides English."""
    return sorted(path.stem for path in HERE.glob("*.json"))


def register() -> None:
    """Give Blender the texts; tooltips are looked up without a context."""
    words = {
        language: {(context, english): own for english, own in table(language).items() for context in (CONTEXT, "*")} for language in languages()
    }
    bpy.app.translations.register(_OWNER, words)


def unregister() -> None:
    """Take them back."""
    bpy.app.translations.unregister(_OWNER)
