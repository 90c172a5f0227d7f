"""An option checks what it is given, whether it comes from a panel, a command line or a job."""

import pytest

from engine.contract.option import WrongOption, build, describe
from engine.contract.stages import BY_NAME, STAGES


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_option_is_described_and_accepts_its_own_default(stage) -> None:
    for entry in describe(stage.options):
        assert entry.label and entry.help and not entry.help.endswith("."), entry
        assert entry.check(entry.default) == entry.default
        assert entry.check(str(entry.default)) == entry.default
        if entry.kind in ("int", "float"):
            assert entry.low is not None and entry.high is not None, f"{stage.name}.{entry.name} has no limits"


@pytest.mark.parametrize(
    "name, value", [("size", "big"), ("size", -1), ("size", 1e9), ("size", 3.5), ("size", float("nan")), ("size", True), ("cuts", "maybe"), ("sise", 1)],
)
def test_a_wrong_value_is_refused_in_one_sentence(name, value) -> None:
    with pytest.raises(WrongOption) as refused:
        build(BY_NAME["frames"].options, {name: value})
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_text_from_a_command_line_becomes_the_right_type() -> None:
    made = build(BY_NAME["frames"].options, {"size": "640", "cuts": "off"})
    assert made.size == 640 and made.cuts is False


def test_a_choice_names_what_it_knows() -> None:
    with pytest.raises(WrongOption, match="fast, medium, fine"):
        build(BY_NAME["flow"].options, {"preset": "slow"})
