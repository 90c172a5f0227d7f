"""What a guess does to depth: fused with parallax against truth, and alone where the camera does not travel."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from engine.contract import options as o
from engine.contract.job import Request
from engine.dense.fusion import Fusion, Part
from engine.dense.guess import Guess
from engine.failures import ShotFailure
from engine.media.frames import read_depth
from engine.metrics import depth as metrics
from engine.stage import Inputs, Report
from engine.stages import consistent_depth, depth, flow, prior
from engine.store import read_json, write_json
from engine.synth.files import write_stages
from engine.synth.guess import guessed
from engine.synth.shots import render


def distorted(truth: np.ndarray, frame: int, random: np.random.Generator) -> np.ndarray:
    """A made guess, bent alike in all tests."""
    nodes = np.random.default_rng(5).normal(0, 0.12, (2, 4, 5)).astype(np.float32)
    return guessed(truth, frame, nodes, 0.8, random)


def test_fused_depth_is_better_than_either(tmp_path) -> None:
    """Parallax that is fine on the left, poor on the right and wrong on what moves, with a guess that is bent everywhere: relative errors."""
    random, shot = np.random.default_rng(1), render("orbit", 4, (240, 135))
    numbers = [int(number) for number in shot.frame]
    parts = {}
    for k, number in enumerate(numbers):
        truth = np.where(shot.depth[k] > 0, shot.depth[k], 80)
        np.savez(tmp_path / f"{number:06d}.npz", inverse=distorted(truth, k, random).astype(np.float32))
        error = np.where(np.arange(240) < 150, 0.02, 0.3)[None] * np.ones((135, 1))
        rho = (1 / truth * np.exp(cv2.GaussianBlur(random.normal(size=truth.shape), (0, 0), 2) * 7 * error)).astype(np.float32)
        labels = shot.moving[k].astype(np.uint16)
        parts[number] = Part(rho, (1 / (error * rho) ** 2 / 6).astype(np.float32), (1 / (1 + (error / 0.1) ** 2)).astype(np.float32), labels)
    stub = SimpleNamespace(size=(240, 135), step=1, together=lambda a, b: True)
    fusion = Fusion(stub, Guess(tmp_path, {"kind": "relative"}), numbers, parts.get, 1e-3, 1.0)
    valid = [(truth > 0) & (truth < 60) for truth in shot.depth]
    fused, brought, before = [], [], []
    for k, number in enumerate(numbers):
        stand = np.array([2 / np.median(shot.depth[k][shot.moving[k]])])  # a stand that is off by a factor of two, and hardly sure
        rho, confidence, share = fusion.frame(number, parts[number], stand, np.array([0.03]))
        assert 0.05 < share < 0.9 and (confidence >= 0).all() and (confidence <= 1).all()
        fused.append(1 / rho)
        brought.append(1 / fusion.brought(number)[0])
        before.append(np.where(shot.moving[k], 1 / stand[0], 1 / parts[number].rho))
    still, moving = zip(*[
        (figures["still"]["absrel"], figures["moving"]["absrel"])
        for figures in (metrics.evaluate(found, list(shot.depth), valid, list(shot.moving)) for found in (fused, brought, before))
    ])
    assert still[0] < 0.9 * still[1] and still[0] < 0.6 * still[2]
    assert moving[0] < 0.12 < 0.4 * moving[2]


@pytest.fixture
def tripod(tmp_path, monkeypatch) -> tuple[object, dict[str, Path], Path]:
    """A camera that only turns, with made guesses for it."""
    monkeypatch.setenv("UNFLATTEN_WEIGHTS", str(tmp_path / "weights"))
    shot = render("tripod_pan", 4, (160, 90))
    random = np.random.default_rng(3)
    (tmp_path / "maps").mkdir()
    for number, truth in zip(shot.frame.tolist(), shot.depth):
        np.save(tmp_path / f"maps/{number:06d}.npy", distorted(np.where(truth > 0, truth, 80), number, random))
    found = write_stages(shot, tmp_path)
    write_json(tmp_path / "orient/report.json", {"motion": "tripod"})
    carry_out(flow, o.Flow(), found, tmp_path)
    return shot, {**found, "scene_movers": tmp_path / "nothing"}, tmp_path / "maps"


def carry_out(stage, options, folders: dict[str, Path], root: Path) -> Report:
    name = stage.__name__.rsplit(".", 1)[-1]
    (root / name).mkdir(parents=True, exist_ok=True)
    report = Report(name, lambda message: None, lambda *step: None)
    stage.run(Inputs(Request("clip", ("depth",), "store", device="cpu"), folders), options, report, root / name)
    folders[name] = root / name
    return report


def test_a_tripod_has_the_guess_alone_and_says_so(tripod, tmp_path) -> None:
    shot, folders, maps = tripod
    carry_out(prior, o.Prior(method="pictures", pictures=str(maps)), folders, tmp_path)
    report = carry_out(depth, o.Depth(), folders, tmp_path)
    assert "distances are not true" in report.warnings[0] and read_json(tmp_path / "depth/depth.json")["scale"] == "relative"
    carry_out(consistent_depth, o.ConsistentDepth(), folders, tmp_path)
    found, sure = zip(*[read_depth(path) for path in sorted((tmp_path / "depth").glob("*.exr"))])
    assert max(plane.max() for plane in sure) <= 0.25, "nothing has confirmed it"
    truth = np.where(shot.depth > 0, shot.depth, 80)
    for plane, true in zip(found, truth):
        ranks = [np.argsort(np.argsort(values[::3, ::3].ravel())) for values in (plane, true)]
        assert np.corrcoef(*ranks)[0, 1] > 0.9, "what is nearer comes out nearer"
    guesses = [1 / np.maximum(np.load(path) - 2, 0.1) for path in sorted(maps.glob("*.npy"))]
    seen = list(shot.visible & (shot.depth[:-1] > 0) & (shot.depth[:-1] < 60) & ~shot.moving[:-1])
    before, after = (metrics.temporal(list(planes), list(truth), list(shot.flow), seen) for planes in (guesses, found))
    assert after < 0.7 * before, "it flickers less than the guess"


def test_a_tripod_without_a_guess_is_refused_and_told_what_helps(tripod, tmp_path) -> None:
    _, folders, _ = tripod
    carry_out(prior, o.Prior(), folders, tmp_path)
    with pytest.raises(ShotFailure, match="Install a depth network") as refused:
        carry_out(depth, o.Depth(), folders, tmp_path)
    assert refused.value.change == {}
    (tmp_path / "weights/midas_dpt_large").mkdir(parents=True)
    (tmp_path / "weights/midas_dpt_large/config.json").write_text("{}")
    with pytest.raises(ShotFailure) as refused:
        carry_out(depth, o.Depth(), folders, tmp_path)
    assert refused.value.change == {"prior": {"method": "auto"}}
