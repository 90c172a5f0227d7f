"""SAM 2.1 and ViTMatte from local folders: the same as transformers' own way, and what is refused."""

import json

import numpy as np
import pytest
import tiny_networks
import torch

from engine import pretrained
from engine.failures import SetupFailure
from engine.mattes import sam2, vitmatte
from engine.mattes.prompts import Prompt
from engine.mattes.reuse import Reuse

pytest.importorskip("transformers", reason="transformers is not installed")
CPU = torch.device("cpu")
W, H, T = 96, 54, 7


class _Frames:
    size = (W, H)

    def spans(self):
        return [list(range(1, T + 1))]

    def rgb8(self, number):
        return np.roll(np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8), 4 * number, 1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("networks")
    return {"sam2": tiny_networks.sam2(root / "sam2"), "vitmatte": tiny_networks.vitmatte(root / "vitmatte")}


@pytest.mark.parametrize("boxed", [False, True])
def test_a_subject_is_carried_as_transformers_carries_it(folders, tmp_path, boxed):
    network, frames = sam2.Network(folders["sam2"], CPU), _Frames()
    mask = np.zeros((H, W), np.float32)
    mask[10:40, 20:60] = not boxed
    said = {4: Prompt(box=[(0.2, 0.2, 0.6, 0.7)], outside=[(0.9, 0.9)])} if boxed else {}
    room = tmp_path / "room"
    room.mkdir()
    carrier = sam2.Carrier(frames, (W, H), {4: mask}, said, room, Reuse(room, ""), network)
    told: list[int] = []
    carrier.prepare(told.append)
    assert told == list(range(1, T + 1))
    theirs = _theirs(network, frames, carrier, 3)
    for number in range(1, T + 1):
        if boxed or number != 4:
            assert np.abs(carrier.likely(number) - theirs[number - 1]).max() < 1e-4, number
    assert np.ptp([carrier.likely(number).mean() for number in range(1, T + 1)]) > 1e-4
    again: list[int] = []
    sam2.Carrier(frames, (W, H), {4: mask}, said, room, Reuse(room, ""), network).prepare(again.append)
    assert again == [T]  # all stood


@torch.inference_mode()
def _theirs(network, frames, carrier, at):
    """The video as one tensor, through transformers' own loop."""
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    session = Sam2VideoInferenceSession(torch.stack([network.prepare(frames.rgb8(n)) for n in range(1, T + 1)]), H, W, dtype=torch.float32)
    carrier._show(session, at + 1, at)
    network.net(inference_session=session, frame_idx=at)
    out = {}
    for reverse in (False, True):
        for told in network.net.propagate_in_video_iterator(session, start_frame_idx=at, reverse=reverse):
            if told.frame_idx not in out:
                logits = torch.nn.functional.interpolate(told.pred_masks, (H, W), mode="bilinear", align_corners=False)
                out[told.frame_idx] = logits[0, 0].sigmoid().numpy()
    return out


def test_an_edge_is_what_transformers_makes_of_it(folders):
    picture = np.random.default_rng(1).random((50, 70, 3)).astype(np.float32)
    sure, maybe = np.zeros((50, 70), bool), np.zeros((50, 70), bool)
    sure[20:30, 20:30] = maybe[10:45, 8:60] = True
    alpha = vitmatte.Matter(folders["vitmatte"], CPU).within(picture, sure, maybe)
    from transformers import VitMatteForImageMatting

    pixels = torch.zeros(1, 4, 64, 96)  # multiples of 32, as published, with nothing below and to the right
    pixels[0, :3, :50, :70] = torch.from_numpy(2 * picture - 1).permute(2, 0, 1)
    pixels[0, 3, :50, :70] = torch.from_numpy(np.where(sure, 1.0, np.where(maybe, 0.5, 0.0)))
    with torch.inference_mode():
        theirs = VitMatteForImageMatting.from_pretrained(folders["vitmatte"]).eval()(pixel_values=pixels).alphas[0, 0, :50, :70].numpy()
    band = maybe & ~sure
    assert np.abs(alpha - theirs)[band].max() < 1e-3
    assert alpha[sure].min() == 1 and alpha[~maybe].max() == 0 and np.ptp(alpha[band]) > 1e-3


def test_refusals(folders, tmp_path):
    with pytest.raises(SetupFailure) as failure:
        pretrained.find(str(tmp_path), "sam2_video", "SAM 2.1", {"mattes": {"follow": "flow"}})
    assert failure.value.code == "weights-missing"
    for name, config, pickled in (("other", {"model_type": "bert"}, False), ("pickled", {"model_type": "sam2_video"}, True), ("empty", None, False)):
        folder = tmp_path / name
        folder.mkdir()
        if config:
            (folder / "config.json").write_text(json.dumps(config))
        if pickled:
            (folder / "pytorch_model.bin").write_bytes(b"any code")
        with pytest.raises(SetupFailure) as failure:
            sam2.Network(folder, CPU)
        assert failure.value.code == "weights-damaged" and failure.value.remedy
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((folders["vitmatte"] / "config.json").read_bytes())
    (broken / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(SetupFailure) as failure:
        vitmatte.Matter(broken, CPU)
    assert "could not be read" in failure.value.what
