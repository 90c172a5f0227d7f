"""What the engine says comes in the user's language: all of it is there, and templates fit what it fills in."""

from __future__ import annotations

import re

import pytest
import spoken as engine

LANGUAGES = ("ja_JP", "zh_HANS")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_has_its_translation(unflatten, language):
    from unflatten.addon.languages import sentences as spoken

    wanted, table = engine.sentences() | engine.judgements() | engine.networks() | engine.ways(), spoken.table(language)
    assert len(wanted) > 300 and "The camera only turns on its place." in wanted
    missing = sorted(wanted - set(table))
    assert missing == [], f"write these into addon/languages/sentences/{language}.json"
    for english, own in table.items():
        fields = re.findall(r"\{\d?\}", own)
        numbers = sorted(fields) == [f"{{{index}}}" for index in range(english.count("{}"))]
        assert own and (fields == ["{}"] * english.count("{}") or numbers), english


def test_fields_are_filled_and_may_be_sentences(unflatten):
    from unflatten.addon.languages.sentences import of, table

    told = of("The clip has the frames 1 to 48; asked were 60-70.", "ja_JP")
    assert told == table("ja_JP")["The clip has the frames {} to {}; asked were {}."].format(1, 48, "60-70")
    two = of("Frames 3 to 9 stay without a camera. The camera only turns on its place. Solve it as a tripod shot.", "zh_HANS")
    assert "第 3 到 9 帧" in two and not re.search("[A-Za-z]{3}", two)
    way = "global mapping (focal length first guessed) of 8 keyframes, 1 pass"
    way = of(f"free camera: {way}, all frames adjusted together; path smoothed over 4 frames", "ja_JP")
    assert not re.search("[A-Za-z]{3}", way) and "8" in way and "4" in way
    assert of("/a/b holds no picture for 2 of 9 frames: 4, 5.", "ja_JP").startswith("/a/b")
    assert of("Nobody has said this before.", "ja_JP") == "Nobody has said this before."
    assert of("The clip is empty.", "en_US") == "The clip is empty."
