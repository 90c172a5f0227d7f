"""Requests survive JSON, plans are complete and in order, addresses follow what matters and nothing else."""

import json
import os

import pytest

from engine.contract import artifacts, job, messages
from engine.contract.option import WrongOption, describe
from engine.contract.stages import BY_NAME, STAGES, WANTS, plan


def request(clip, **more) -> job.Request:
    return job.Request(clip=str(clip), wants=more.pop("wants", ("depth",)), store="/tmp/store", **more)


def addresses(asked: job.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for stage in asked.stages():
        inputs = {name: found[name] for name in stage.needs + stage.uses if name in found}
        found[stage.name] = job.address(stage, asked.options_of(stage), inputs, job.clip_identity(asked))
    return found


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "väl ljus – 日本.mp4"
    path.write_bytes(os.urandom(3_000_000))
    return path


def test_a_request_survives_json(clip) -> None:
    asked = request(clip, first=3, last=9, options={"depth": {"noise": 0.5}})
    assert job.from_json(asked.to_json()) == asked


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"clip": 1}', '{"clip":"a","wants":["camera"],"store":"s","colour":1}'])
def test_a_text_that_is_no_job_is_refused(text) -> None:
    with pytest.raises(WrongOption):
        job.from_json(text)


def test_a_want_or_stage_that_does_not_exist_is_refused(clip) -> None:
    with pytest.raises(WrongOption, match="camera, depth"):
        request(clip, wants=("everything",))
    with pytest.raises(WrongOption):
        request(clip, options={"deph": {}})


def test_the_table_is_whole() -> None:
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names)
    for place, stage in enumerate(STAGES):
        assert set(stage.needs + stage.uses) <= set(names[:place]), f"{stage.name} reads what comes later"
        assert set(stage.makes) <= set(artifacts.BY_NAME)
    for want, stages in WANTS.items():
        assert set(stages) <= set(BY_NAME), want


@pytest.mark.parametrize("want", WANTS)
def test_a_plan_holds_what_it_needs_in_order(want) -> None:
    ordered = [stage.name for stage in plan((want,))]
    for place, name in enumerate(ordered):
        assert set(BY_NAME[name].needs) <= set(ordered[:place])


def test_slow_motion_alone_solves_no_camera() -> None:
    assert [stage.name for stage in plan(("slowmo",))] == ["frames", "interpolate", "retime"]


def test_what_moves_is_told_by_the_camera_where_one_is_found_anyway(clip) -> None:
    def stages(*wants: str, **mattes: str) -> set[str]:
        return {stage.name for stage in request(clip, wants=wants, options={"mattes": mattes}).stages()}

    assert "scene_movers" in stages("camera", "mattes") and "scene_movers" not in stages("camera") | stages("mattes")
    assert "scene_movers" not in stages("camera", "mattes", method="people")


def test_one_depth_option_moves_depth_and_what_follows_and_nothing_else(clip) -> None:
    wants = ("camera", "depth", "cloud", "mattes", "slowmo")
    before = addresses(request(clip, wants=wants))
    after = addresses(request(clip, wants=wants, options={"depth": {"noise": 0.6}}))
    assert {name for name in before if before[name] != after[name]} == {"depth", "consistent_depth", "cloud", "retime"}


def test_the_clip_its_range_and_its_content_are_the_first_link(clip) -> None:
    before = addresses(request(clip))
    assert addresses(request(clip, device="cuda")) == before
    assert addresses(request(clip, last=5))["frames"] != before["frames"]
    with open(clip, "r+b") as file:
        file.write(b"another take")
    os.utime(clip, ns=(1, 1))
    assert addresses(request(clip))["frames"] != before["frames"]


def test_a_folder_option_counts_by_its_content(clip, tmp_path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "000001.png").write_bytes(b"a")
    asked = request(clip, options={"movers": {"masks": str(masks)}})
    before = addresses(asked)["movers"]
    (masks / "000002.png").write_bytes(b"b")
    assert addresses(asked)["movers"] != before


def test_masks_in_folders_within_count_too(clip, tmp_path) -> None:
    for subject in ("one", "two"):
        (tmp_path / "drawn" / subject).mkdir(parents=True)
        (tmp_path / "drawn" / subject / "mask_0005.png").write_bytes(b"a")
    asked = request(clip, wants=("mattes",), options={"mattes": {"method": "drawn", "drawn": str(tmp_path / "drawn")}})
    before = addresses(asked)["mattes"]
    (tmp_path / "drawn" / "two" / "mask_0005.png").write_bytes(b"another")
    assert addresses(asked)["mattes"] != before
    with pytest.raises(WrongOption, match="Drawn masks: there is nothing at"):
        addresses(request(clip, wants=("mattes",), options={"mattes": {"method": "drawn", "drawn": str(tmp_path / "nowhere")}}))


@pytest.mark.parametrize("stage, method, file", [("mattes", "people", "rvm_mobilenetv3.pth"), ("interpolate", "super_slomo", "SuperSloMo.ckpt")])
def test_installed_weights_count_where_they_are_used(clip, tmp_path, monkeypatch, stage, method, file) -> None:
    monkeypatch.setenv("UNFLATTEN_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()

    def places() -> list[str]:
        return [addresses(request(clip, wants=("mattes", "slowmo"), options=chosen))[stage] for chosen in ({}, {stage: {"method": method}})]

    nothing = places()
    (tmp_path / "weights" / file).write_bytes(b"first")
    first = places()
    (tmp_path / "weights" / file).write_bytes(b"trained on")
    other = places()
    assert nothing[0] == first[0] == other[0] and len({nothing[1], first[1], other[1]}) == 3


def test_weights_that_an_option_names_are_in_the_table() -> None:
    from engine.weights import table

    known = {entry.file for entry in table().values()}
    for stage in STAGES:
        for entry in describe(stage.options):
            named = entry.installed if isinstance(entry.installed, tuple) else tuple(name for names in entry.installed.values() for name in names)
            assert set(named) <= known and (entry.only is None or entry.only[0] in {it.name for it in describe(stage.options)})


def test_options_that_do_not_affect_the_result_do_not_count(clip) -> None:
    for stage in STAGES:
        for entry in describe(stage.options):
            assert isinstance(entry.affects, bool)


@pytest.mark.parametrize("message", [
    messages.Started(1, "3.11", "cpu", 5), messages.Progress("depth", 1, 2, 0.5, 3.0, "x"), messages.Preview("depth", 4, "/a b/ö.png"),
    messages.Artifact("depth", "/p", True, {"used": "flow"}), messages.Warning("é"), messages.Failed("a", "b", "c", "d", "depth", {"depth": {"noise": 1}}),
    messages.Skipped("depth", "solve"), messages.Heartbeat(), messages.Cancelled("depth"), messages.Done(["solve"]),
])
def test_every_message_survives_its_line(message) -> None:
    line = messages.to_line(message)
    assert "\n" not in line and line.isascii() and json.loads(line)["type"] == type(message).__name__.lower()
    assert messages.from_line(line) == message


@pytest.mark.parametrize("line", ["", "Fontconfig warning", "{}", '{"type":"song"}', '{"type":"done","extra":1}', "[1]"])
def test_a_stray_line_is_no_message(line) -> None:
    assert messages.from_line(line) is None
