"""Robust Video Matting against what the official code gives: every output, state and loss; streaming; fused copy."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.failures import SetupFailure
from engine.nets import rvm
from engine.training.matting_losses import matting_losses

SHARED = Path(__file__).resolve().parents[3] / "shared"
needs_reference = pytest.mark.skipif(not (SHARED / "reference" / "fill.py").is_file(), reason="the official outputs in ../shared are absent")
needs_weights = pytest.mark.skipif(not (SHARED / "weights" / "rvm_mobilenetv3_int8.pth").is_file(), reason="../shared/weights is absent")
VARIANTS = ("mobilenetv3", "resnet50")


@pytest.fixture(autouse=True)
def two_threads():
    """On one thread oneDNN takes another way through convolutions, up to 0.007 off in single pixels of a random network; the official outputs took this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def _filled(variant: str, refiner: str) -> rvm.MattingNetwork:
    spec = importlib.util.spec_from_file_location("fill", SHARED / "reference" / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = rvm.MattingNetwork(variant, refiner)
    net.load_state_dict({key: torch.from_numpy(np.asarray(module.fill(key, tuple(t.shape)))) for key, t in net.state_dict().items()})
    return net.eval()


def _reference(variant: str) -> dict:
    return np.load(SHARED / "reference" / f"rvm_{variant}.npz", allow_pickle=False)


def _far(ours: torch.Tensor, theirs: np.ndarray) -> float:
    return float(np.abs(ours.detach().numpy() - theirs.astype(np.float32)).max())


@needs_reference
@pytest.mark.parametrize("variant", VARIANTS)
def test_keys_and_shapes_are_the_official_ones(variant):
    lines = (SHARED / "reference" / "state_dicts" / f"rvm_{variant}.txt").read_text().splitlines()[1:]
    ours = [f"{key}: {tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for key, t in rvm.MattingNetwork(variant).state_dict().items()]
    assert ours == lines


@needs_reference
@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_outputs_and_states_match(variant):
    net, truth = _filled(variant, "deep"), _reference(variant)
    src = torch.from_numpy(truth["src"])
    for ratio in ("1", "0.5", "0.375"):
        fgr, pha, states = net(src, ratio=float(ratio))
        assert _far(fgr, truth[f"dgf_{ratio}_fgr"]) < 1e-4
        assert _far(pha, truth[f"dgf_{ratio}_pha"]) < 1e-4
        for at, state in enumerate(states, 1):
            assert _far(state, truth[f"dgf_{ratio}_r{at}"]) < 1e-4
    logits, _ = net.segment(src)
    assert _far(logits, truth["seg"]) < 1e-4


@needs_reference
@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_fast_filter_and_hand_over_of_states_match(variant):
    truth = _reference(variant)
    src = torch.from_numpy(truth["src"])
    fgr, pha, _ = _filled(variant, "fast")(src, ratio=0.5)
    assert _far(fgr, truth["fgf_0.5_fgr"]) < 1e-4 and _far(pha, truth["fgf_0.5_pha"]) < 1e-4
    net = _filled(variant, "deep")
    _, _, states = net(src[:, 0], ratio=0.5)
    fgr, pha, _ = net(src[:, 1], states, ratio=0.5)
    assert _far(fgr, truth["step1_0.5_fgr"]) < 1e-4 and _far(pha, truth["step1_0.5_pha"]) < 1e-4


@needs_reference
@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_match(variant):
    # The stored losses are those of the outputs at ratio 0.5.
    truth = _reference(variant)
    tensors = [torch.from_numpy(truth[name]) for name in ("dgf_0.5_fgr", "dgf_0.5_pha", "true_fgr", "true_pha")]
    for name, value in matting_losses(*tensors).items():
        assert abs(float(value) - float(truth[f"loss_{name}"])) < 1e-4, name


@needs_weights
@needs_reference
@pytest.mark.parametrize("ratio", ["1.0", "0.5"])
@torch.no_grad()
def test_real_weights_on_a_real_clip(ratio):
    truth = np.load(SHARED / "reference" / "rvm_real_clip.npz", allow_pickle=False)
    half = 2.0**-12  # the stored halves are that far from what was computed
    for net in (plain := rvm.load(SHARED / "weights" / "rvm_mobilenetv3_int8.pth"), rvm.fuse(plain)):
        states = rvm.BLANK
        for at, frame in enumerate(truth["frames"]):
            src = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
            fgr, pha, states = net(src, states, float(ratio))
            assert _far(pha[0], truth[f"pha_{ratio}"][at]) < 1e-4 + half
            if at < len(truth[f"fgr_{ratio}"]):
                assert _far(fgr[0], truth[f"fgr_{ratio}"][at]) < 1e-4 + half


@torch.no_grad()
def test_chunks_equal_one_run():
    torch.manual_seed(0)
    net = rvm.MattingNetwork().eval()
    src = torch.rand(1, 5, 3, 50, 70)
    whole = net(src, ratio=0.5)
    _, first, states = net(src[:, :2], ratio=0.5)
    _, rest, states = net(src[:, 2:], states, 0.5)
    assert torch.allclose(torch.cat([first, rest], 1), whole[1], atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(states, whole[2]))


def test_the_copy_for_inference_gives_what_training_sees():
    torch.manual_seed(0)
    net = rvm.MattingNetwork().eval()
    src = torch.rand(2, 2, 3, 75, 101)
    told = net(src, ratio=0.41)  # with gradients: the full picture in one piece
    with torch.inference_mode():
        fused = rvm.fuse(net)
        fast = fused(src, ratio=0.41)
        _, first, states = fused(src[:1, 0].contiguous(memory_format=torch.channels_last), ratio=0.41)
        _, second, _ = fused(src[:1, 1], states, 0.41)
    for ours, theirs in zip((*fast[:2], *fast[2], first[0], second[0]), (*told[:2], *told[2], told[1][0, 0], told[1][0, 1])):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_automatic_ratio_and_bad_weights(tmp_path):
    assert rvm.auto_ratio(1080, 1920) == pytest.approx(512 / 1920) and rvm.auto_ratio(200, 300) == 1
    with pytest.raises(SetupFailure) as missing:
        rvm.load(tmp_path / "no.pth")
    assert missing.value.code == "weights-missing"
    (tmp_path / "bad.pth").write_bytes(b"not weights")
    with pytest.raises(SetupFailure) as damaged:
        rvm.load(tmp_path / "bad.pth")
    assert damaged.value.code == "weights-damaged"


def test_training_fits_a_synthetic_set():
    import itertools

    from engine.training import rvm as training

    torch.manual_seed(0)
    samples = itertools.repeat(training.shapes(0, 3, 64, 2))
    history = training.fit(rvm.MattingNetwork(), samples, 15, torch.device("cpu"), {"backbone": 1e-3, "rest": 2e-3})
    assert history[-1] < 0.25 * history[0]
