"""A guess of depth: small random networks loaded the real way, maps of other programs, its alignment against truth, and what it mends."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_networks

from engine import weights
from engine.contract import options as o
from engine.contract.job import Request
from engine.contract.options.prior import NETWORKS
from engine.dense import guess
from engine.failures import Failure
from engine.geometry import scale_grid
from engine.geometry.scale_grid import Samples
from engine.media.frames import write_exr, write_png
from engine.stage import Inputs, Report
from engine.stages import prior
from engine.store import read_json, write_json

SIZE, COUNT = (64, 36), 3


def carry_out(options: o.Prior, folders: dict[str, Path], room: Path) -> Report:
    room.mkdir(parents=True, exist_ok=True)
    report = Report("prior", lambda message: None, lambda *step: None)
    prior.run(Inputs(Request("clip", ("depth",), "store", device="cpu"), folders), options, report, room)
    return report


@pytest.fixture
def folders(tmp_path, monkeypatch) -> dict[str, Path]:
    """Three small pictures, no installed weights, and no way into the network."""
    monkeypatch.setenv("UNFLATTEN_WEIGHTS", str(tmp_path / "weights"))
    random = np.random.default_rng(0)
    for number in range(1, COUNT + 1):
        write_png(tmp_path / f"frames/{number:06d}.png", random.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8))
    write_json(tmp_path / "frames/clip.json", {
        "size": list(SIZE), "fps": "24/1", "frames": list(range(1, COUNT + 1)), "times": [k / 24 for k in range(COUNT)], "cuts": [], "duplicates": [],
        "bits": 8, "source_size": list(SIZE), "source": "made", "kind": "video", "audio": False,
    })

    def refuse(*address: object, **more: object) -> None:
        raise AssertionError("nothing may go out by itself")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return {"frames": tmp_path / "frames"}


@pytest.mark.parametrize("make, name", [(tiny_networks.depth_anything, "depth_anything_v2_small"), (tiny_networks.midas, "midas_dpt_large")])
def test_an_imported_network_looks_at_every_frame(folders, tmp_path, make, name) -> None:
    """Saved by transformers, imported by its model file as Blender's file browser gives it, chosen by itself, the same numbers as its own."""
    import torch
    from transformers import AutoModelForDepthEstimation

    saved = make(tmp_path / "saved")
    assert weights.install(name, saved / "model.safetensors") == weights.find(name)
    report = carry_out(o.Prior(), folders, tmp_path / "prior")
    about = read_json(tmp_path / "prior/prior.json")
    assert about["kind"] == "relative" and about["licence"] == "Apache-2.0" and about["network"] in report.used
    from engine.dense.prior_network import preparation
    from engine.media.frames import Frames

    config = json.loads((saved / "config.json").read_text())
    picture = preparation(saved, config)(Frames(folders["frames"]).rgb8(2))
    with torch.inference_mode():
        own = AutoModelForDepthEstimation.from_pretrained(saved).eval()(pixel_values=picture).predicted_depth[0].numpy()
    with np.load(tmp_path / "prior/000002.npz") as held:
        assert held["inverse"].shape == own.shape and np.allclose(held["inverse"], own, atol=1e-5)


def test_the_input_is_sized_as_published(tmp_path) -> None:
    """Depth Anything as its preprocessor_config.json has it: 518, the aspect kept, scaled as little as possible, multiples of 14."""
    from engine.dense.prior_network import preparation

    anything = preparation(tmp_path, {"model_type": "depth_anything", "patch_size": 14})
    assert anything.target((640, 480)) == (518, 686) and anything.target((1920, 1080)) == (518, 924) and anything.target((640, 480), 280) == (210, 280)
    assert preparation(tmp_path, {"model_type": "dpt", "patch_size": 16}).target((640, 480)) == (384, 384)
    write_json(tmp_path / "preprocessor_config.json", {
        "size": {"height": 70, "width": 140}, "keep_aspect_ratio": False, "ensure_multiple_of": 14, "image_mean": [0, 0, 0], "image_std": [1, 1, 1],
    })
    told = preparation(tmp_path, {"model_type": "depth_anything", "patch_size": 14})
    white = np.full((36, 64, 3), 255, np.uint8)
    assert told(white).shape == (1, 3, 70, 140) and np.allclose(told(white), 1)


def test_metres_become_inverse_metres(folders, tmp_path) -> None:
    carry_out(o.Prior(weights=str(tiny_networks.depth_anything(tmp_path / "saved", depth_estimation_type="metric", max_depth=20))), folders, tmp_path / "prior")
    assert read_json(tmp_path / "prior/prior.json")["kind"] == "metric"
    with np.load(tmp_path / "prior/000001.npz") as held:
        assert (held["inverse"] >= 1 / 20 - 1e-6).all()


def test_without_a_network_it_says_so_and_costs_nothing(folders, tmp_path) -> None:
    report = carry_out(o.Prior(), folders, tmp_path / "prior")
    assert "no network is installed" in report.used and guess.of(tmp_path / "prior") is None and guess.of(None) is None


@pytest.mark.parametrize("case, words", [
    ("missing", "not installed"), ("pickled", "pickled files"), ("foreign", "'bert'"), ("damaged", "could not be read"), ("half", "weights are missing"),
    ("package", "'transformers'"),
])
def test_what_cannot_be_used_is_refused_with_a_remedy(folders, tmp_path, monkeypatch, case, words) -> None:
    folder = tiny_networks.depth_anything(tmp_path / "saved")
    model = folder / "model.safetensors"
    if case == "missing":
        options = o.Prior(method="depth_anything")
    else:
        options = o.Prior(weights=str(folder))
    if case == "pickled":
        model.rename(folder / "pytorch_model.bin")
    elif case == "foreign":
        (folder / "config.json").write_text('{"model_type": "bert"}')
    elif case == "damaged":
        model.write_bytes(model.read_bytes()[:500])
    elif case == "half":
        from safetensors.numpy import load_file, save_file

        save_file({name: value for name, value in load_file(model).items() if "head" not in name}, model, {"format": "pt"})
    elif case == "package":
        monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(Failure) as refused:
        carry_out(options, folders, tmp_path / "prior")
    assert words in str(refused.value) and refused.value.remedy
    if case == "pickled":
        with pytest.raises(Failure, match="pickled"):
            weights.install("depth_anything_v2_small", folder)


def test_networks_that_forbid_commercial_work_are_never_chosen_by_themselves() -> None:
    table = weights.table()
    assert all(table[name].commercial for name in NETWORKS["auto"]) and not table["depth_anything_v2_large"].commercial
    assert all(table[name].folder for names in NETWORKS.values() for name in names)


def test_maps_of_another_program_are_taken(folders, tmp_path) -> None:
    depth = np.linspace(1, 9, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE[::-1])
    maps = tmp_path / "maps"
    maps.mkdir()
    write_exr(maps / "shot_0001.exr", {"Z": depth})
    np.save(maps / "shot_0002.npy", depth)
    np.savez(maps / "shot_0003.npz", depth=depth)
    carry_out(o.Prior(method="pictures", pictures=str(maps), holds="depth"), folders, tmp_path / "prior")
    held = guess.of(tmp_path / "prior")
    assert held is not None and held.kind == "scaled"
    for number in (1, 2, 3):
        assert np.allclose(held.frame(number, SIZE) * depth, 1, atol=1e-5)
    os.remove(maps / "shot_0002.npy")
    with pytest.raises(Failure, match="1 of 3 frames have none"):
        carry_out(o.Prior(method="pictures", pictures=str(maps)), folders, tmp_path / "again")


def test_the_fit_brings_a_distorted_depth_back() -> None:
    """Truth, bent smoothly over the picture and drifting, with a scale and offset of each frame, is found again from a part of the pixels, one in ten wrong."""
    random = np.random.default_rng(2)
    size, frames = (320, 180), list(range(8))
    y, x = np.mgrid[0 : size[1] : 6, 0 : size[0] : 6].reshape(2, -1).astype(float)
    truth, guessed, samples = [], [], []
    for t in frames:
        rho = 0.12 + 0.1 * y / size[1] + 0.08 * np.sin(x / 23 + t / 5) * (x > 90)
        field = 0.3 * np.sin(x / 90 + t / 9) + 0.2 * np.cos(y / 60)
        told = (40 + 8 * random.normal()) * rho * np.exp(field) + 3 + random.normal()
        seen = (x < 0.7 * size[0]) & (random.random(len(x)) < 0.8)  # the right of the picture is never measured
        noisy = np.where(random.random(len(x)) < 0.1, rho * random.uniform(0.3, 3, len(x)), rho * np.exp(0.01 * random.normal(size=len(x))))
        samples.append(Samples(np.stack([x, y], 1)[seen], told[seen], noisy[seen], np.ones(seen.sum())))
        truth.append(rho)
        guessed.append(told)
    lines, bends = scale_grid.fit(samples, size, scale_grid.in_time(frames, 0.75), scale_grid.in_time(frames, 3.0), True, 1e-3)
    for t in frames:
        brought = (lines[t, 0] * guessed[t] + lines[t, 1]) * np.exp(scale_grid.basis(np.stack([x, y], 1), size) @ bends[t].nodes)
        error, seen = np.abs(brought / truth[t] - 1), x < 0.7 * size[0]
        plain = np.abs(guessed[t] / np.median(guessed[t][seen] / truth[t][seen]) / truth[t] - 1)
        assert np.median(error[seen]) < 0.4 * np.median(plain[seen]) and np.median(error[~seen]) < 0.35
        doubt = np.sqrt(scale_grid.basis(np.stack([x, y], 1), size) @ bends[t].doubt)
        assert np.median(doubt[~seen]) > 1.5 * np.median(doubt[seen]), "where nothing was measured it is less sure"


def test_what_is_far_nearer_than_all_that_is_measured_is_placed() -> None:
    """A wall and some floor tell the offset of a bent guess well enough for a mover three times nearer: within 12 % over four bends, as a mean."""
    size, frames, missed = (320, 180), list(range(4)), []
    y, x = np.mgrid[0 : size[1] : 6, 0 : size[0] : 6].reshape(2, -1).astype(float)
    for seed in range(4):
        random = np.random.default_rng(seed)
        nodes = random.normal(0, 0.15, (4, 5)).astype(np.float32)
        field = cv2.resize(nodes, size, interpolation=cv2.INTER_CUBIC)[y.astype(int), x.astype(int)]
        rho = np.where(y < 100, 0.09, 0.09 + 0.18 * (y - 100) / 80)
        lines = scale_grid.affine(
            [Samples(np.stack([x, y], 1), 37 * rho * np.exp(field) + 2, rho * np.exp(0.01 * random.normal(size=len(x))), np.ones(len(x))) for _ in frames],
            size, *[scale_grid.in_time(frames, reach) for reach in (0.75, 3.0)], True,
        )
        missed.append(np.abs((lines @ [37 * 0.8 + 2, 1]) / 0.8 - 1).mean())
    assert np.mean(missed) < 0.12


def test_without_measurements_nothing_is_bent() -> None:
    empty = Samples(np.zeros((0, 2)), *(np.zeros(0) for _ in range(3)))
    lines, bends = scale_grid.fit([empty, empty], SIZE, np.ones((2, 2)), np.ones((2, 2)), True, 1e-3)
    assert np.allclose(lines, [[1, 0], [1, 0]]) and all(np.allclose(held.nodes, 0) and (held.doubt > 0).all() for held in bends)
