"""The mattes stage end to end on a small synthetic shot: what moves, drawn masks, resume with the same bytes, refusals."""

import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import tiny_networks
import torch

from engine import store
from engine.contract import options
from engine.contract.job import Request
from engine.failures import RequestFailure, SetupFailure, ShotFailure
from engine.mattes import carry, people
from engine.mattes.layer import Layer
from engine.media.flow import both_ways, flow_path, write_flow
from engine.media.frames import read_png, write_png
from engine.nets import rvm
from engine.stage import Inputs, Report
from engine.stages import mattes

W, H, T = 192, 108, 9


def _truth(frame: int) -> np.ndarray:
    y, x = np.mgrid[:H, :W] + 0.5
    return np.clip(26.5 - np.hypot(x - 50 - 8 * frame, y - 55), 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Inputs:
    """A textured disc that crosses a textured still scene, with flow and wide mover masks as the stages before would write them."""
    root, dice = tmp_path_factory.mktemp("shot"), np.random.default_rng(3)
    scene, skin = (cv2.GaussianBlur(dice.integers(0, 256, (H, 3 * W, 3)).astype(np.float32), (0, 0), 2) for _ in range(2))
    scene, skin = 60 + (scene - 127), 190 + (skin - 127) * [1.0, 0.5, 0.5]
    greys = []
    for frame in range(T):
        alpha = _truth(frame)[..., None]
        picture = np.clip(alpha * np.roll(skin, 8 * frame, 1)[:, :W] + (1 - alpha) * scene[:, :W], 0, 255).astype(np.uint8)
        write_png(root / "frames" / f"{frame + 1:06d}.png", picture)
        write_png(root / "movers" / f"{frame + 1:06d}.png", cv2.dilate((_truth(frame) > 0.5).astype(np.uint8) * 255, np.ones((11, 11), np.uint8)))
        write_png(root / "movers" / "evidence" / f"{frame + 1:06d}.png", (cv2.GaussianBlur(_truth(frame), (0, 0), 4) * 200).astype(np.uint8))
        greys.append(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    store.write_json(root / "movers" / "movers.json", {"size": [W, H], "grow": 4})
    about = {"size": [W, H], "fps": "24/1", "frames": list(range(1, T + 1)), "times": [n / 24 for n in range(T)], "cuts": []}
    about |= {"duplicates": [], "bits": 8, "audio": False, "source_size": about["size"]}
    store.write_json(root / "frames" / "clip.json", about)
    for gap in (1, 2, 4):
        for at in range(T - gap):
            there, there_valid, back, back_valid = both_ways(greys[at], greys[at + gap])
            write_flow(flow_path(root / "flow", at + 1, at + 1 + gap), there, there_valid)
            write_flow(flow_path(root / "flow", at + 1 + gap, at + 1), back, back_valid)
    store.write_json(root / "flow" / "flow.json", {"size": [W, H], "gaps": [1, 2, 4]})
    return Inputs(Request("clip", ("mattes",), str(root)), {name: root / name for name in ("frames", "flow", "movers")})


def _run(inputs: Inputs, room: Path, **knobs) -> Report:
    report = Report("mattes", lambda message: None, lambda *step: None)
    room.mkdir(parents=True, exist_ok=True)
    mattes.run(inputs, options.Mattes(**knobs), report, room)
    return report


def _overlap(room: Path) -> list[float]:
    alphas = [read_png(room / "subject_1" / "alpha" / f"{frame + 1:06d}.png") > 32767 for frame in range(T)]
    return [np.sum(a & (_truth(n) > 0.5)) / np.sum(a | (_truth(n) > 0.5)) for n, a in enumerate(alphas)]


def _bytes(room: Path) -> dict[str, bytes]:
    return {str(path.relative_to(room)): path.read_bytes() for path in sorted(room.rglob("*")) if path.is_file()}


def test_what_moves_and_resume(inputs, tmp_path):
    _run(inputs, tmp_path / "a", preview="120,255,155")
    assert min(_overlap(tmp_path / "a")) > 0.85
    about = store.read_json(tmp_path / "a" / "mattes.json")
    assert [subject["name"] for subject in about["subjects"]] == ["subject_1"]
    shown = read_png(tmp_path / "a" / "subject_1" / "picture.png")
    assert shown.shape[2] == 4 and 30 < max(shown.shape[:2]) <= 160  # the disc, cut out
    middle = shown[shown.shape[0] // 2, shown.shape[1] // 2]
    assert middle[3] == 255 and middle[0] > 140 and shown[0, 0, 3] == 0
    pieces = store.read_json(tmp_path / "a" / "subject_1" / "contours.json")["pieces"]
    assert pieces and all(len({len(points) for points in piece["points"].values()}) == 1 for piece in pieces)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for part in ("subject_1/alpha/000006.png", "subject_1/foreground/000007.png", "mattes.json"):
        (tmp_path / "b" / part).unlink()
    _run(inputs, tmp_path / "b", preview="120,255,155")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_a_drawn_mask_is_carried_both_ways(inputs, tmp_path):
    write_png(tmp_path / "drawn" / "mask_0005.png", (_truth(4) * 255).astype(np.uint8))
    report = _run(inputs, tmp_path / "room", method="drawn", drawn=str(tmp_path / "drawn"), names="ball")
    (tmp_path / "room" / "ball").rename(tmp_path / "room" / "subject_1")
    assert min(_overlap(tmp_path / "room")) > 0.8 and "5" in report.used


def test_a_soft_alpha_stays_as_it_is_on_its_own_frame_and_a_hard_mask_finds_its_edge(inputs, tmp_path):
    soft = np.round(cv2.GaussianBlur(_truth(4), (0, 0), 4) * 255).astype(np.uint8)
    write_png(tmp_path / "drawn" / "mask_0005.png", soft)
    _run(inputs, tmp_path / "room", method="drawn", drawn=str(tmp_path / "drawn"))
    assert np.array_equal(np.round(read_png(tmp_path / "room" / "subject_1" / "alpha" / "000005.png") / 257), soft)
    assert min(_overlap(tmp_path / "room")) > 0.75
    write_png(tmp_path / "drawn" / "mask_0005.png", (soft > 127).astype(np.uint8) * 255)
    _run(inputs, tmp_path / "hard", method="drawn", drawn=str(tmp_path / "drawn"))
    assert len(np.unique(read_png(tmp_path / "hard" / "subject_1" / "alpha" / "000005.png"))) > 10


def test_films_over_a_picture(inputs, tmp_path):
    behind = np.zeros((60, 60, 3), np.uint8)  # covers the frame from its middle
    behind[..., 2] = 200
    write_png(tmp_path / "behind.png", behind)
    write_png(tmp_path / "drawn" / "mask_0005.png", (_truth(4) * 255).astype(np.uint8))
    _run(inputs, tmp_path / "room", method="drawn", drawn=str(tmp_path / "drawn"), behind=str(tmp_path / "behind.png"), films="prores")
    seen = {name: _film(tmp_path / "room" / f"{name}.mov") for name in ("preview", "subject_1/alpha", "subject_1/foreground")}
    assert all(film.shape == (T, H, W, 3) for film in seen.values())
    inside, outside = _truth(4) > 0.99, cv2.dilate((_truth(4) > 0).astype(np.uint8), np.ones((25, 25))) == 0
    assert np.abs(seen["preview"][4][outside].mean(0) - (0, 0, 200)).max() < 6 and seen["preview"][4][inside].mean(0)[0] > 150
    assert seen["subject_1/alpha"][4][inside].mean() > 245 and seen["subject_1/alpha"][4][outside].mean() < 5
    assert np.abs(seen["subject_1/foreground"][4] - seen["preview"][4])[inside].mean() < 6


def _film(path: Path) -> np.ndarray:
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]).astype(np.float32)


def test_a_box_is_enough_and_sound_stays(inputs, tmp_path):
    shutil.copytree(inputs["frames"], tmp_path / "frames")
    about = store.read_json(tmp_path / "frames" / "clip.json")
    store.write_json(tmp_path / "frames" / "clip.json", {**about, "audio": True})
    _sound(tmp_path / "frames" / "sound.flac", T / 24)
    mine = Inputs(inputs.request, {**inputs.folders, "frames": tmp_path / "frames"})
    x = 50 + 8 * 4
    box = f"5 box {(x - 32) / W},{(55 - 32) / H},{(x + 32) / W},{(55 + 32) / H}"
    report = _run(mine, tmp_path / "room", method="drawn", prompts=box, preview="0,0,0")
    assert min(_overlap(tmp_path / "room")) > 0.8 and "5" in report.used
    with av.open(str(tmp_path / "room" / "preview.mp4")) as film:
        assert film.streams.video[0].frames == T and abs(float(film.streams.audio[0].duration * film.streams.audio[0].time_base) - T / 24) < 0.1


def _sound(path: Path, seconds: float) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("flac", rate=48000, layout="stereo", format="s16")
        noise = np.random.default_rng(1).integers(-3000, 3000, (1, 2 * round(48000 * seconds)), np.int16)
        frame = av.AudioFrame.from_ndarray(noise, "s16", "stereo")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode())


def test_networks_in_place_of_flow_and_of_the_guided_filter(inputs, tmp_path, monkeypatch):
    """What untrained networks say is nonsense; that they were asked is not."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    monkeypatch.setattr(mattes, "_write_contours", lambda *given: {})  # of nonsense they take long
    write_png(tmp_path / "drawn" / "mask_0005.png", (_truth(4) * 255).astype(np.uint8))
    knobs = {"method": "drawn", "drawn": str(tmp_path / "drawn"), "least": 0.0, "follow": "sam2", "sam2": str(tiny_networks.sam2(tmp_path / "sam")),
             "soft": "vitmatte", "vitmatte": str(tiny_networks.vitmatte(tmp_path / "vit"))}
    report = _run(inputs, tmp_path / "room", **knobs)
    assert "SAM 2.1 (sam)" in report.used and "ViTMatte (vit)" in report.used
    assert np.array_equal(read_png(tmp_path / "room" / "labels" / "000005.png") > 0, _truth(4) > 0.5)
    assert read_png(tmp_path / "room" / "subject_1" / "alpha" / "000005.png").any()
    with pytest.raises(SetupFailure) as failure:
        _run(inputs, tmp_path / "none", **{**knobs, "sam2": str(tmp_path / "drawn")})
    assert failure.value.code == "weights-missing" and failure.value.change == {"mattes": {"follow": "flow"}}


def test_a_corrected_mask_makes_its_own_spans_anew_and_no_other(inputs, tmp_path, monkeypatch):
    """Keys on 2, 5 and 8: another mask on 8 leaves what lies before 5 as it is, and gives what a run of its own gives."""
    for folder, last in (("drawn", 7), ("corrected", 6.5)):
        for number, at in ((2, 1), (5, 4), (8, last)):
            write_png(tmp_path / folder / f"{number:04d}.png", (_truth(at) * 255).astype(np.uint8))
    steps: list[tuple[int, int]] = []
    carried, softened = carry.Carrier._step, Layer._soften
    monkeypatch.setattr(carry.Carrier, "_step", lambda self, frame, run, way: steps.append((frame, way)) or carried(self, frame, run, way))
    soft: list[int] = []
    monkeypatch.setattr(Layer, "_soften", lambda self, frame: soft.append(frame) or softened(self, frame))
    _run(inputs, tmp_path / "rooms" / "a", method="drawn", drawn=str(tmp_path / "drawn"))
    store.write_json(tmp_path / "rooms" / "a" / store.DONE, {})
    assert len(steps) == 4 + 6
    steps.clear()
    soft.clear()
    _run(inputs, tmp_path / "rooms" / "b", method="drawn", drawn=str(tmp_path / "corrected"))
    assert sorted(steps) == [(6, -1), (7, -1), (9, 1)] and not {1, 2, 3} & set(soft)
    _run(inputs, tmp_path / "alone", method="drawn", drawn=str(tmp_path / "corrected"))
    assert _bytes(tmp_path / "rooms" / "b") == _bytes(tmp_path / "alone")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A network that has learned nothing: what it sees matters not, that it sees the same does."""
    torch.manual_seed(4)
    path = tmp_path_factory.mktemp("weights") / "rvm.pth"
    net = rvm.MattingNetwork()
    with torch.no_grad():
        net.project_mat.conv.bias[3] = 0.5  # of the matte, so that it is neither all nor nothing
    torch.save(net.state_dict(), path)
    return path


def test_people_go_on_with_the_states_where_they_were_stopped(inputs, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(mattes, "_write_contours", lambda *given: {})  # of nonsense they take long

    class Stop(Exception):
        pass

    def stop(done: int, total: int, note: str, loss: float | None) -> None:
        if note == "people" and done >= 90:  # the last frame, one after the states that were kept
            raise Stop

    knobs = {"method": "people", "weights": str(weights), "least": 0.0}
    _run(inputs, tmp_path / "whole", **knobs)
    (tmp_path / "stopped").mkdir()
    with pytest.raises(Stop):
        mattes.run(inputs, options.Mattes(**knobs), Report("mattes", lambda message: None, stop), tmp_path / "stopped")
    last = tmp_path / "stopped" / "subject_1" / "alpha" / f"{T:06d}.png"
    assert (last.parent.parent / "states" / "000008.npz").is_file()
    last.write_bytes(b"half")
    _run(inputs, tmp_path / "stopped", **knobs)
    assert _bytes(tmp_path / "stopped") == _bytes(tmp_path / "whole")


def test_people_are_told_apart(inputs, tmp_path, monkeypatch):
    """Two discs in one matte come out as two subjects, which together are that matte."""
    def everybody(frames, weights, ratio, device, room, tell) -> str:
        for at, frame in enumerate(frames.numbers):
            alpha = np.maximum(_truth(at - 3), np.roll(_truth(0), 100, axis=1))
            write_png(room / "alpha" / f"{frame:06d}.png", np.round(alpha * 65535).astype(np.uint16))
            write_png(room / "foreground" / f"{frame:06d}.png", frames.rgb(frame))
            tell(at + 1)
        return "play"

    monkeypatch.setattr(people, "write", everybody)
    _run(inputs, tmp_path, method="people", weights=__file__, split=True)
    names = [subject["name"] for subject in store.read_json(tmp_path / "mattes.json")["subjects"]]
    assert names == ["subject_1", "subject_2"] and not (tmp_path / "everybody").exists()
    for at in range(T):
        parts = [read_png(tmp_path / name / "alpha" / f"{at + 1:06d}.png") for name in names]
        whole = np.round(np.maximum(_truth(at - 3), np.roll(_truth(0), 100, axis=1)) * 65535)
        assert np.array_equal(parts[0] + parts[1], whole.astype(np.uint16)) and all((part > 32767).sum() > 500 for part in parts)


def test_refusals(inputs, tmp_path):
    with pytest.raises(ShotFailure) as nothing:
        _run(inputs, tmp_path / "a", least=0.9)
    assert nothing.value.code == "no-movers"
    with pytest.raises(RequestFailure) as missing:
        _run(inputs, tmp_path / "b", method="drawn", drawn=str(tmp_path / "nowhere"))
    assert missing.value.code == "masks-missing"
    for at, wrong in enumerate(("12 box 0,0,1,1", "3 in 5", "3 out 0.5,0.5")):
        with pytest.raises(RequestFailure):
            _run(inputs, tmp_path / f"p{at}", method="drawn", prompts=wrong)
    with pytest.raises(RequestFailure):
        _run(inputs, tmp_path / "c", preview="green")
