"""Add-on: what the engine says of a run (failures, remedies, warnings, notes), in the user's language. Imports bpy.

A language is one file of templates beside this one: `{}` stands for what the engine fills in. What no template fits stays English.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

import bpy

HERE = Path(__file__).resolve().parent


@lru_cache(maxsize=4)
def table(language: str) -> dict[str, str]:
    """English template -> the language's own; empty where there is none."""
    path = HERE / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


@lru_cache(maxsize=4)
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Templates with fields, those with most words of their own first."""
    with_fields = sorted((english for english in table(language) if "{}" in english), key=lambda it: len(it.replace("{}", "")), reverse=True)
    return [(re.compile("(.+?)".join(map(re.escape, english.split("{}"))), re.DOTALL), table(language)[english]) for english in with_fields]


def told(text: str) -> str:
    """An engine's sentence in the user's language, as far as it is known there."""
    return of(text, bpy.app.translations.locale) if bpy.context.preferences.view.use_translate_interface else text


@lru_cache(maxsize=512)
def of(text: str, language: str) -> str:
    """The same in a given language; what fills a field may be a sentence too."""
    known = table(language)
    if not known or text in known:
        return known.get(text, text)
    for pattern, own in _patterns(language):
        found = pattern.fullmatch(text)
        if found:
            return own.format(*(of(part, language) for part in found.groups()))
    several = re.split(r"(?<=[a-z)%]\.) (?=[A-Z])", text)
    return " ".join(of(one, language) for one in several) if len(several) > 1 else text
