"""Training depth, motion and lens from a film alone: the loop learns, goes on where it stopped, and can be watched."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from engine import device as devices
from engine.training import depth_motion, footage


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("film") / "shapes.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for picture in footage.shapes(np.random.default_rng(2), 8, (128, 64)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def learn(film: Path, out: Path, epochs: int) -> None:
    words = ["--data", film, "--out", out, "--epochs", epochs, "--steps", 3, "--batch", 2, "--size", 128, "--width", 0.07, "--device", "cpu", "--ramp", 1]
    devices.pick("cpu")  # chooses its threads once in a process
    torch.set_num_threads(1)
    assert depth_motion.main([str(word) for word in words]) == 0


def test_training_goes_on_where_it_stopped(film, tmp_path) -> None:
    """Three epochs at once, and two, then one more, end in the same weights."""
    learn(film, tmp_path / "whole", 3)
    stop = {"left": 2}
    original = depth_motion.page.write

    def killed(*args) -> None:
        original(*args)
        stop["left"] -= 1
        if stop["left"] == 0:
            raise KeyboardInterrupt

    depth_motion.page.write = killed
    try:
        with pytest.raises(KeyboardInterrupt):
            learn(film, tmp_path / "broken", 3)
    finally:
        depth_motion.page.write = original
    learn(film, tmp_path / "broken", 3)
    with np.load(tmp_path / "whole/last.npz") as whole, np.load(tmp_path / "broken/last.npz") as broken:
        assert all(np.array_equal(whole[key], broken[key]) for key in whole.files if key != "about")
    with np.load(tmp_path / "whole/shapes.npz") as told:
        assert told["depth"].shape == (8, 64, 128) and told["rotation"].shape == (7, 3) and (told["K"][:, 0, 0] > 0).all()
    page = (tmp_path / "whole/report.html").read_text()
    assert "rgb_consistency" in page and "epoch_0003.png" in page


def test_what_moves_is_released_after_the_camera() -> None:
    learner = depth_motion.Learner(depth_motion.DepthNet(0.07), depth_motion.MotionNet(0.07), burn_in=100, ramp=10)
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for step, share in ((0, 0.0), (50, 0.0), (75, 0.5), (100, 1.0), (400, 1.0)):
            learner.step = step
            scene = learner.scene(picture, 1 - picture)
            assert float(scene.residual.abs().max()) == 0 if share == 0 else float(scene.residual.abs().max()) > 0
            assert learner._released() == share
    learner.disturb()
    assert learner.depth.conv1.bn.noise == depth_motion.NOISE


def test_pairs_that_do_not_differ_teach_nothing() -> None:
    still = np.full((5, 32, 32, 3), 90, np.uint8)
    moving = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), np.uint8)
    assert depth_motion.pairs([still, moving], 1) == [(1, 0), (1, 1), (1, 2)]


def test_both_orders_share_one_lens() -> None:
    told = depth_motion.Motion(*(torch.zeros(2, 3),) * 3, torch.tensor([[100.0, 80.0], [60.0, 40.0]]), torch.tensor([[10.0, 20.0], [30.0, 40.0]]))
    lens = depth_motion.intrinsics(told)
    assert torch.equal(lens[0], lens[1]) and lens[0].tolist() == [[80, 0, 20], [0, 60, 30], [0, 0, 1]]
