"""Every text that the add-on draws is there in each language, and nothing is drawn past the tables."""

from __future__ import annotations

import re

import bpy
import pytest

SAME = {"X", "Y", "Unflatten"}


@pytest.mark.parametrize("language", ["ja_JP", "zh_HANS"])
def test_every_text_has_its_translation(unflatten, language):
    from drawn import everything
    from unflatten.addon import languages

    table, wanted = languages.table(language), everything() - SAME
    missing, stale = sorted(wanted - set(table)), sorted(set(table) - wanted)
    assert missing == [], f"write these into addon/languages/{language}.json"
    assert stale == [], f"nothing draws these any more: take them out of addon/languages/{language}.json"
    for english, own in table.items():
        assert own and sorted(re.findall(r"\{\w+\}", own)) == sorted(re.findall(r"\{\w+\}", english)), english
    assert sum(any(ord(letter) > 0x2E80 for letter in own) for own in table.values()) > 0.98 * len(table)


@pytest.mark.parametrize("language", ["en_US", "ja_JP", "zh_HANS"])
def test_no_label_is_cut_off_at_the_sidebar_s_default_width(unflatten, language):
    """Letters that fit there, as seen in real windows: beside a field, beside a tick, in a panel's head; Chinese and Japanese are twice as wide."""
    from unflatten.addon import languages, settings
    from unflatten.engine.contract.option import describe
    from unflatten.engine.contract.stages import STAGES

    table = {} if language == "en_US" else languages.table(language)
    labels = [(about.label, 19 if about.kind == "bool" else 14) for stage in STAGES for about in describe(stage.options)]
    labels += [(stage.label, 28) for stage in STAGES]
    own = settings.UNFLATTEN_PG_clip.__annotations__
    labels += [(it.keywords["name"], 19 if it.function == bpy.props.BoolProperty else 14) for it in own.values() if it.keywords.get("name")]
    told = [(table.get(label, label), wide) for label, wide in labels]
    assert [text for text, wide in told if sum(1 + (ord(letter) > 0x2E80) for letter in text) > wide] == []


def test_the_names_are_those_of_blender(unflatten):
    from unflatten.addon import languages

    assert languages.languages() == ["ja_JP", "zh_HANS"]
    known = bpy.app.translations.locales
    if not known:
        pytest.skip("this bpy was built without languages; tests/gui looks at them in the application")
    assert set(languages.languages()) <= set(known)


def test_nothing_is_drawn_past_the_tables(unflatten):
    from drawn import literals, unmarked

    assert literals() == [] and unmarked() == []


def test_english_stays_as_it_is(unflatten):
    from unflatten.addon.languages import say

    assert say("{done} of {total}", done=1, total=2) == "1 of 2" and say("Recover") == "Recover"
