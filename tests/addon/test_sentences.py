"""What the engine says comes in the user's language: templates fit what it fills in, and most of what it can say is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KNOWN = 0.9  # of the engine's sentences: a new one may come in English for a while, but not many
LANGUAGES = ("ja_JP", "zh_HANS")


def template(node: ast.AST) -> str:
    """A text or an f-string with {} for its fields; '' for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""


def sentences() -> set[str]:
    """What, why and remedy of every failure in the engine, and its warnings."""
    found = set()
    for path in (ROOT / "engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or path.parts[-2] in ("synth", "training", "metrics"):
                continue
            called = ast.unparse(node.func)
            if called.endswith("Failure"):
                found |= {template(given) for given in node.args[1:4]}
            elif called.endswith("report.warning"):
                found |= {template(given) for given in node.args[:1]}
    return {text for text in found if re.search(r"[a-z]{2}", text)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_most_sentences_have_their_translation(unflatten, language):
    from unflatten.addon.languages import sentences as spoken

    wanted, table = sentences(), spoken.table(language)
    missing = sorted(wanted - set(table))
    assert len(missing) < (1 - KNOWN) * len(wanted), f"write these into addon/languages/sentences/{language}.json: {missing}"
    for english, own in table.items():
        fields = re.findall(r"\{\d?\}", own)
        numbers = sorted(fields) == [f"{{{index}}}" for index in range(english.count("{}"))]
        assert own and (fields == ["{}"] * english.count("{}") or numbers), english


def test_fields_are_filled_and_may_be_sentences(unflatten):
    from unflatten.addon.languages.sentences import of, table

    told = of("The clip has the frames 1 to 48; asked were 60-70.", "ja_JP")
    assert told == table("ja_JP")["The clip has the frames {} to {}; asked were {}."].format(1, 48, "60-70")
    two = of("Frames 3 to 9 stay without a camera. The camera does not move. Solve it as a tripod shot.", "zh_HANS")
    assert "第 3 到 9 帧" in two and not re.search("[A-Za-z]{3}", two)
    assert of("/a/b holds no picture for 2 of 9 frames: 4, 5.", "ja_JP").startswith("/a/b")
    assert of("Nobody has said this before.", "ja_JP") == "Nobody has said this before."
    assert of("The clip is empty.", "en_US") == "The clip is empty."
