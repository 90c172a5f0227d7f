"""Every room that uses torch, on the CPU and on a stand-in for a graphics card: nothing mixes the two, and both say the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_networks
import torch
from second_device import card  # noqa: F401

from engine import flow_network
from engine.contract import options as o
from engine.contract.job import Request
from engine.mattes import people
from engine.media.film import VideoWriter
from engine.media.frames import Frames, read_depth, read_png, write_png
from engine.nets import raft, rvm, super_slomo
from engine.slowmo.network import Pair, Sight
from engine.stage import Inputs, Report
from engine.stages import consistent_depth, depth, flow, mattes, movers, prior, scene_movers
from engine.store import read_json, write_json
from engine.synth.files import write_stages
from engine.synth.shots import Shot, render
from engine.training import depth_motion, footage
from engine.training import rvm as matting
from engine.training import super_slomo as interpolating

SIZE, COUNT = (160, 90), 6
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shot() -> Shot:
    return render("orbit", COUNT, SIZE)


@pytest.fixture(scope="module")
def folders(shot, tmp_path_factory) -> dict[str, Path]:
    """Frames and camera from the truth, flow and movers, all made without torch."""
    root = tmp_path_factory.mktemp("shot")
    found = write_stages(shot, root)
    for stage, options in ((flow, o.Flow(gaps="1,2")), (movers, o.Movers())):
        run(stage, options, found, root)
    return found


def run(stage, options, folders: dict[str, Path], root: Path) -> None:
    """One stage without the runner; its room joins the folders."""
    name = stage.__name__.rsplit(".", 1)[-1]
    (root / name).mkdir(parents=True, exist_ok=True)
    inputs = Inputs(Request("clip", ("depth",), "store", device="cpu"), dict(folders))
    stage.run(inputs, options, Report(name, lambda message: None, lambda *step: None), root / name)
    folders[name] = root / name


def both(request: pytest.FixtureRequest, make: Callable[[torch.device], list[np.ndarray]], near: float = 1e-4) -> None:
    """What is made on the CPU is made on the card, nearly everywhere up to `near` of its value: learning makes more of the last digit."""
    expected = make(CPU)
    there = make(request.getfixturevalue("card"))
    assert len(expected) == len(there) > 0
    assert any(np.ptp(np.nan_to_num(part)) > 0 for part in expected)
    for one, other in zip(expected, there):
        assert np.isclose(one, other, rtol=near, atol=1e-5, equal_nan=True).mean() > 0.99


def test_the_card_refuses_what_a_card_refuses(card) -> None:  # noqa: F811
    here, there = torch.ones(3), torch.ones(3, device=card)
    assert ((there + 1).cpu() == 2).all() and (there * torch.tensor(2.0)).device == card
    for mixed in (lambda: here + there, lambda: torch.cat([here, there]), lambda: here[torch.zeros(1, dtype=torch.long, device=card)]):
        with pytest.raises(RuntimeError):
            mixed()
    with pytest.raises(TypeError):
        there.numpy()
    there[1:] = 5
    assert there.cpu().tolist() == [1, 5, 5]


def test_flow_by_raft(request, folders, tmp_path, monkeypatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(flow_network, "ROUNDS", 2)
    torch.save(raft.Raft().state_dict(), tmp_path / "raft.pth")
    frames = Frames(folders["frames"])

    def make(device: torch.device) -> list[np.ndarray]:
        network = flow_network.Network(tmp_path / "raft.pth", device, frames, (160, 128), 3)
        return [*network.between(1, 2)]

    both(request, make, 1e-3)


@pytest.mark.parametrize("method", ["growth", "scene_flow"])
def test_depth_of_still_and_moving(request, folders, tmp_path, method) -> None:
    def make(device: torch.device) -> list[np.ndarray]:
        mine, root = dict(folders), tmp_path / device.type
        run(scene_movers, o.SceneMovers(), mine, root)
        run(depth, o.Depth(), mine, root)
        run(consistent_depth, o.ConsistentDepth(method=method, effort=0.05, size=96, gaps="1,2"), mine, root)
        masks = [read_png(path) for path in sorted(mine["scene_movers"].glob("*.png"))]
        return masks + [plane for name in ("depth", "consistent_depth") for path in sorted(mine[name].glob("*.exr")) for plane in read_depth(path)]

    both(request, make, 1e-4 if method == "growth" else 1e-2)


def test_a_guess_of_depth(request, folders, tmp_path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(3)
    net = tiny_networks.depth_anything(tmp_path / "net")

    def make(device: torch.device) -> list[np.ndarray]:
        run(prior, o.Prior(method="depth_anything", weights=str(net), size=112), dict(folders), tmp_path / device.type)
        return [np.load(path)["inverse"] for path in sorted((tmp_path / device.type / "prior").glob("*.npz"))]

    both(request, make)


def test_mattes_of_people(request, folders, tmp_path) -> None:
    def make(device: torch.device) -> list[np.ndarray]:
        torch.manual_seed(4)
        people.run(rvm.fuse(rvm.MattingNetwork()), "random", Frames(folders["frames"]), 0.5, device, tmp_path / device.type, lambda done: None)
        return [read_png(path) / 65535 for path in sorted((tmp_path / device.type).rglob("*.png"))]

    both(request, make)


def test_mattes_of_what_is_drawn_by_networks(request, shot, folders, tmp_path, monkeypatch) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    monkeypatch.setattr(mattes, "_write_contours", lambda *given: {})  # of nonsense they take long
    write_png(tmp_path / "drawn/mask_0002.png", shot.moving[1].astype(np.uint8) * 255)
    shutil.copytree(folders["frames"], tmp_path / "frames")
    about = read_json(tmp_path / "frames/clip.json")
    write_json(tmp_path / "frames/clip.json", {**about, "frames": about["frames"][:3], "times": about["times"][:3]})
    options = o.Mattes(
        method="drawn", drawn=str(tmp_path / "drawn"), least=0.0, follow="sam2", sam2=str(tiny_networks.sam2(tmp_path / "sam")),
        soft="vitmatte", vitmatte=str(tiny_networks.vitmatte(tmp_path / "vit")),
    )

    def make(device: torch.device) -> list[np.ndarray]:
        run(mattes, options, {**folders, "frames": tmp_path / "frames"}, tmp_path / device.type)
        return [read_png(path) / 65535 for path in sorted((tmp_path / device.type).rglob("alpha/*.png"))]

    both(request, make)


def test_frames_in_between_by_networks(request, shot) -> None:
    torch.manual_seed(5)
    net = super_slomo.SuperSloMo().eval()
    pair = shot.pictures[:2, 30:62, :144].astype(np.float32)
    both(request, lambda device: Pair(Sight(net.to(device), device), *pair, tile=136).at([0.25, 0.5], 16))


def test_training_of_depth_and_motion(request, tmp_path) -> None:
    film = tmp_path / "film.mp4"
    with VideoWriter(film, (128, 64), 24) as writer:
        for picture in footage.shapes(np.random.default_rng(2), 3, (128, 64)):
            writer.write(picture)

    def make(device: torch.device) -> list[np.ndarray]:
        torch.set_num_threads(1)
        out = tmp_path / device.type
        words = "--epochs 1 --steps 1 --batch 1 --size 64 --width 0.07 --ramp 1".split()
        assert depth_motion.main([*words, "--data", str(film), "--out", str(out)]) == 0
        with np.load(out / "last.npz", allow_pickle=False) as held:
            return [held[key] for key in held.files if held[key].dtype.kind == "f"]

    both(request, make, 1e-2)


def test_training_of_mattes(request) -> None:
    def make(device: torch.device) -> list[np.ndarray]:
        torch.manual_seed(6)
        net = rvm.MattingNetwork()
        told = matting.fit(net, iter([matting.shapes(0, 2, 64)]), 1, device)
        return [np.array([*told, 0]), *(value.detach().cpu().numpy() for value in net.decoder.parameters())]

    both(request, make, 1e-2)


def test_training_of_frames_in_between(request) -> None:
    def make(device: torch.device) -> list[np.ndarray]:
        torch.manual_seed(7)
        net = super_slomo.SuperSloMo().to(device)
        a, b, c = (torch.rand(1, 3, 32, 32).to(device) for _ in range(3))
        parts = interpolating.losses(net, a, b, c, torch.tensor([0.5]).to(device))
        sum(part for name, part in parts.items() if name != "made").backward()
        return [value.grad.detach().cpu().numpy() for value in list(net.parameters())[:4]]

    both(request, make, 1e-2)
