"""Super SloMo gives the official code's numbers, and takes its checkpoint."""

import datetime
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.failures import SetupFailure
from engine.nets import super_slomo
from engine.training import super_slomo as training

SHARED = Path(__file__).resolve().parents[3] / "shared"
REFERENCE = SHARED / "reference" / "super_slomo.npz"
needs_reference = pytest.mark.skipif(not REFERENCE.is_file(), reason="../shared/reference is absent")


def _fill():
    spec = importlib.util.spec_from_file_location("fill", SHARED / "reference" / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fill


@pytest.fixture(scope="module")
def net():
    fill, net = _fill(), super_slomo.SuperSloMo()
    for seed, part in ((0, net.flow), (1, net.interpolation)):
        content = {key: torch.from_numpy(fill(key, tuple(value.shape), seed)) for key, value in part.state_dict().items()}
        if seed == 0:
            content["conv3.weight"] *= 6
        part.load_state_dict(content)
    return net.eval()


@pytest.fixture(scope="module")
def reference():
    return {key: torch.from_numpy(np.asarray(value)) for key, value in np.load(REFERENCE, allow_pickle=False).items()}


@needs_reference
def test_outputs_match(net, reference):
    mean = torch.tensor(super_slomo.MEAN).view(1, 3, 1, 1)
    a, b = reference["I0"] - mean, reference["I1"] - mean
    with torch.no_grad():
        f01, f10 = net.flows(a, b)
        assert torch.allclose(f01, reference["F01"], atol=1e-4) and torch.allclose(f10, reference["F10"], atol=1e-4)
        made = (net(reference["I0"], reference["I1"], [0.25, 0.5, 0.875]))
        for picture, t in zip(made, (0.25, 0.5, 0.875)):
            assert torch.allclose(picture, reference[f"It_{t}"], atol=1e-4)
            _, seen = net.between(a, b, f01, f10, torch.tensor([t]).view(1, 1, 1, 1))
            assert torch.allclose(seen, reference[f"V0_{t}"], atol=1e-4)


@needs_reference
def test_losses_match(net, reference):
    with torch.no_grad():
        for t in (0.25, 0.5, 0.875):
            terms = training.losses(net, reference["I0"], reference["IT"], reference["I1"], torch.tensor([t]))
            for name in ("rec", "warp", "smooth"):
                assert float(terms[name]) == pytest.approx(float(reference[f"loss_{name}_{t}"]), abs=1e-4), (name, t)


@needs_reference
@pytest.mark.parametrize("part, listing", [("flow", "superslomo_flow"), ("interpolation", "superslomo_interp")])
def test_every_key_of_the_checkpoint(net, part, listing):
    lines = (SHARED / "reference" / "state_dicts" / f"{listing}.txt").read_text().splitlines()
    official = {line.split(":")[0]: line.split(":")[1].rsplit(" ", 1)[0].strip() for line in lines if not line.startswith("#")}
    ours = {key: str(tuple(value.shape)) for key, value in getattr(net, part).state_dict().items()}
    assert ours == official


def test_any_size_and_one_flow_for_all_times(net):
    calls = []
    hook = net.flow.register_forward_hook(lambda *_: calls.append(1))
    pictures = torch.rand(2, 1, 3, 45, 70)
    with torch.no_grad():
        made = net(pictures[0], pictures[1], [0.1, 0.3, 0.5, 0.7, 0.9])
        alone = net(pictures[0], pictures[1], [0.7])
    hook.remove()
    assert len(made) == 5 and made[0].shape == (1, 3, 45, 70) and len(calls) == 2
    assert torch.allclose(made[3], alone[0], atol=1e-5)


def test_checkpoint_with_its_time_stamp(net, tmp_path):
    path = tmp_path / "SuperSloMo.ckpt"
    content = {"timestamp": datetime.datetime(2019, 1, 1), "state_dictFC": net.flow.state_dict(), "state_dictAT": net.interpolation.state_dict()}
    torch.save(content, path)
    again = super_slomo.load(path)
    assert torch.equal(again.flow.conv3.weight, net.flow.conv3.weight)


def test_weights_missing_and_damaged_are_said(tmp_path):
    with pytest.raises(SetupFailure) as missing:
        super_slomo.load(tmp_path / "none.ckpt")
    assert missing.value.code == "weights-missing" and missing.value.remedy
    (tmp_path / "bad.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(SetupFailure) as damaged:
        super_slomo.load(tmp_path / "bad.ckpt")
    assert damaged.value.code == "weights-damaged"


def test_a_checkpoint_runs_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dictFC": Bomb()}, tmp_path / "bomb.ckpt")
    with pytest.raises(SetupFailure):
        super_slomo.load(tmp_path / "bomb.ckpt")
    assert not (tmp_path / "ran").exists()
