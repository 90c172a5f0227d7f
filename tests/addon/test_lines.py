"""Sentences are wrapped by their true widths, Chinese and Japanese too."""

from __future__ import annotations

import blf
import pytest

TEXTS = ("Out of date: Recover makes it anew", "古い結果です。「復元」で作り直します。もう一度押してください", "16 帧（1 到 16），320 x 180 px，8 位，24 fps")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("wide", [60, 100, 190, 1000])
def test_lines_fill_the_width_and_no_more(unflatten, text, wide):
    from unflatten.addon import lines

    told = lines.split(text, wide)
    assert "".join(told).replace(" ", "").replace("\u00a0", "") == text.replace(" ", "")
    assert all(blf.dimensions(0, line)[0] <= wide for line in told)
    assert not any(line[0] in "、。，）」" for line in told), "no line begins with a stop"
    assert len(told) <= 2 + 1.5 * blf.dimensions(0, text)[0] / wide


def test_a_number_stays_with_its_unit(unflatten):
    from unflatten.addon import lines

    text = "The focal length is only known to 9 %."
    assert lines.split(text, blf.dimensions(0, text[:-2])[0])[-1].replace("\u00a0", " ") == "9 %."


def test_a_long_word_stays_whole(unflatten):
    from unflatten.addon import lines

    assert lines.split("see /a/very/long/path/to/somewhere now", 40) == ["see", "/a/very/long/path/to/somewhere", "now"]
