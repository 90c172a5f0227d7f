"""The mattes stage end to end on a small synthetic shot: what moves, drawn masks, resume with the same bytes, refusals."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine import store
from engine.contract import options
from engine.contract.job import Request
from engine.failures import RequestFailure, ShotFailure
from engine.media.flow import both_ways, flow_path, write_flow
from engine.media.frames import read_png, write_png
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
    about = {"size": [W, H], "fps": "24/1", "frames": list(range(1, T + 1)), "times": [n / 24 for n in range(T)], "cuts": [], "duplicates": [], "bits": 8}
    store.write_json(root / "frames" / "clip.json", about)
    for gap in (1, 2, 4):
        for at in range(T - gap):
            there, there_valid, back, back_valid = both_ways(greys[at], greys[at + gap])
            write_flow(flow_path(root / "flow", at + 1, at + 1 + gap), there, there_valid)
            write_flow(flow_path(root / "flow", at + 1 + gap, at + 1), back, back_valid)
    store.write_json(root / "flow" / "flow.json", {"size": [W, H], "gaps": [1, 2, 4]})
    return Inputs(Request("clip", ("mattes",), str(root)), {name: root / name for name in ("frames", "flow", "movers")})


def _run(inputs: Inputs, room: Path, **knobs) -> Report:
    report = Report("mattes", lambda message: None, lambda done, total, note: None)
    room.mkdir(exist_ok=True)
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
    pieces = store.read_json(tmp_path / "a" / "subject_1" / "contours.json")["pieces"]
    assert pieces and all(len({len(points) for points in piece["points"].values()}) == 1 for piece in pieces)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for part in ("subject_1/alpha/000006.png", "subject_1/foreground/000007.png", "mattes.json"):
        (tmp_path / "b" / part).unlink()
    _run(inputs, tmp_path / "b", preview="120,255,155")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_a_drawn_mask_is_carried_both_ways(inputs, tmp_path):
    write_png(tmp_path / "drawn" / "mask_0005.png", (_truth(4) * 255).astype(np.uint8))
    report = _run(inputs, tmp_path / "room", method="drawn", drawn=str(tmp_path / "drawn"))
    assert min(_overlap(tmp_path / "room")) > 0.8 and "5" in report.used


def test_refusals(inputs, tmp_path):
    with pytest.raises(ShotFailure) as nothing:
        _run(inputs, tmp_path / "a", least=0.9)
    assert nothing.value.code == "no-movers"
    with pytest.raises(RequestFailure) as missing:
        _run(inputs, tmp_path / "b", method="drawn", drawn=str(tmp_path / "nowhere"))
    assert missing.value.code == "masks-missing"
    with pytest.raises(RequestFailure):
        _run(inputs, tmp_path / "c", preview="green")
