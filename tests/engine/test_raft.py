"""RAFT: the published network's numbers, memory that stays bounded, and the stage 'flow' with it from the weights to the files."""

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from test_frames_flow import digest, pan, run, sequence

from engine import flow_network, weights
from engine.contract.option import build
from engine.contract.options import Flow as Options
from engine.contract.options import Frames as FramesOptions
from engine.failures import SetupFailure
from engine.media.flow import Flow, settled
from engine.nets import raft
from engine.stages import flow, frames

OFFICIAL = Path(__file__).with_name("raft_official.npz")  # every third pixel of what the authors' code gives, with the weights and pictures below


def by_name(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The same weights on every machine, so that none need be stored."""
    name = name.replace("norm3", "downsample.1")  # one module under two names
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    drawn = np.random.default_rng(zlib.crc32(name.encode())).random(shape).astype(np.float32)
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        return torch.from_numpy(0.75 + 0.5 * drawn)
    scale = 0.1 if len(shape) == 1 else np.sqrt(4 / np.prod(shape[1:]))
    return torch.from_numpy(((2 * drawn - 1) * scale).astype(np.float32))


def two_pictures() -> list[torch.Tensor]:
    """[1, 3, 128, 160] RGB 0..255 twice: a texture, and the same moved by (4, 3) px."""
    wide = cv2.GaussianBlur(np.random.default_rng(5).random((160, 200, 3)).astype(np.float32), (0, 0), 3)
    wide = np.rint(((wide - 0.4) * 1275).clip(0, 255))
    return [torch.from_numpy(np.ascontiguousarray(wide[y : y + 128, x : x + 160].transpose(2, 0, 1)))[None] for x, y in ((20, 10), (24, 13))]


@pytest.fixture(scope="module")
def net() -> raft.Raft:
    made = raft.Raft()
    made.load_state_dict({name: by_name(name, tuple(held.shape)) for name, held in made.state_dict().items()})
    return made.eval()


@torch.inference_mode()
def test_flow_is_that_of_the_official_code(net) -> None:
    official = np.load(OFFICIAL, allow_pickle=False)
    for rounds in (1, 4):
        ours = net(*two_pictures(), rounds=rounds)[0, :, ::3, ::3].numpy()
        theirs = official[f"rounds{rounds}"]
        assert theirs.std() > 0.5 and np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


@torch.inference_mode()
def test_a_band_at_a_time_gives_the_same(net) -> None:
    a, b = (net.see(picture) for picture in two_pictures())
    likeness = raft.Likeness(a.features, b.features, 100_000)
    assert likeness.held is None and 1 < likeness.band < 320
    assert torch.allclose(net.flow(a, b, 4, 100_000), net.flow(a, b, 4), atol=1e-4)


def test_any_flow_is_settled_by_the_pictures() -> None:
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.random((110, 180)).astype(np.float32), (0, 0), 1.5)
    wide = np.rint(((wide - 0.3) * 640).clip(0, 255)).astype(np.uint8)
    first, second = (np.ascontiguousarray(wide[k : 90 + k, 3 * k : 160 + 3 * k]) for k in (5, 6))
    uneven = cv2.GaussianBlur(rng.normal(0, 2, (90, 160, 2)).astype(np.float32), (0, 0), 2)
    off = np.abs(settled(first, second, np.float32((-3, -1)) + uneven) - (-3, -1))[10:-10, 10:-10]
    assert np.median(off) < 0.4 * np.median(np.abs(uneven))


def test_the_stage_with_a_checkpoint_as_its_authors_save_it(net, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("UNFLATTEN_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(flow_network, "ROUNDS", 2)
    run(frames, build(FramesOptions, {}), tmp_path / "frames", sequence(tmp_path / "clip", pan(1, 3, size=(130, 150))))
    folders = {"frames": tmp_path / "frames"}
    asked = {"method": "raft", "gaps": "1,2"}
    with pytest.raises(SetupFailure) as missing:
        run(flow, build(Options, asked), tmp_path / "none", folders=folders)
    assert missing.value.code == "weights-missing" and missing.value.change == {"flow": {"method": "dis"}} and missing.value.network == "raft"

    torch.save({f"module.{name}": value for name, value in net.state_dict().items()}, tmp_path / "raft-things.pth")
    weights.install("raft", tmp_path / "raft-things.pth")
    report = run(flow, build(Options, asked), tmp_path / "whole", folders=folders)
    assert "RAFT (raft.pth) at 150 x 130 px" in report.used and report.figures["pairs"] == 3
    there, holds = Flow(tmp_path / "whole").get(1001, 1003)
    assert there.shape == (130, 150, 2) and np.isfinite(there).all() and holds.shape == (130, 150)
    by_hand = run(flow, build(Options, {**asked, "weights": str(tmp_path / "raft-things.pth")}), tmp_path / "again", folders=folders)
    assert "raft-things.pth" in by_hand.used
    whole = digest(tmp_path / "whole")
    assert {name: tag for name, tag in digest(tmp_path / "again").items() if name != "flow.json"} == {n: t for n, t in whole.items() if n != "flow.json"}


def test_what_is_no_such_network_is_said(tmp_path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    for name, content in (("other.pth", {"fnet.conv1.weight": torch.zeros(3)}), ("list.pth", [1]), ("bomb.pth", {"fnet.conv1.weight": Bomb()})):
        torch.save(content, tmp_path / name)
        with pytest.raises(SetupFailure) as damaged:
            raft.load(tmp_path / name)
        assert damaged.value.code == "weights-damaged" and "small model" in damaged.value.remedy
    assert not (tmp_path / "ran").exists()
    with pytest.raises(SetupFailure) as missing:
        raft.load(tmp_path / "none.pth")
    assert missing.value.code == "weights-missing"
