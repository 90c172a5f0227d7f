"""Super SloMo's training: samples from videos and moving shapes are repeatable; a step lowers the loss; training goes on where it stopped."""

from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch

from engine.training import footage
from engine.training import super_slomo as training


def video(path, count=30, size=(160, 96)):
    pictures = footage.shapes(np.random.default_rng(1), count, size)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=240)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return pictures


def test_runs_of_a_video_are_consecutive(tmp_path):
    pictures = video(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"no video")
    found = footage.videos(tmp_path)
    assert [entry.path.name for entry in found] == ["a.mp4"] and found[0].frames == 30
    run = footage.run_of(found[0], np.random.default_rng(5), 12, (160, 96))
    assert run.shape == (12, 96, 160, 3)
    starts = [np.abs(pictures[k : k + 12].astype(float) - run).mean() for k in range(19)]
    assert min(starts) < 8 and min(starts) < 0.75 * np.median(starts)


def test_a_sample_holds_its_time():
    run = np.zeros((12, 64, 64, 3), np.uint8) + np.arange(12, dtype=np.uint8)[:, None, None, None]
    for seed in range(20):
        pictures, t = training.sample(run, np.random.default_rng(seed), 32)
        first, middle, last = (float(picture.mean()) for picture in pictures)
        assert pictures.shape == (3, 32, 32, 3) and middle == pytest.approx(first + t * (last - first)) and abs(last - first) == 8


def test_batches_repeat():
    one, two = (next(training.batches([], 1, 2, 64, (3, 1, 0))) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two)) and one[0].shape == (2, 3, 64, 64)
    assert not torch.equal(one[0], next(training.batches([], 1, 2, 64, (3, 1, 1)))[0])


@pytest.mark.slow
def test_training_goes_on_where_it_stopped(tmp_path, capsys):
    given = SimpleNamespace(
        data=None, out=tmp_path, epochs=1, steps=2, batch=1, validation=1, crop=32, rate=1e-4, vgg=None, device="cpu", seed=0,
    )
    training.train(given)
    training.train(SimpleNamespace(**{**vars(given), "epochs": 2}))
    said = capsys.readouterr().out
    assert said.count("epoch 1/1") == 1 and said.count("epoch 2/2") == 1 and "epoch 1/2" not in said
    assert (tmp_path / "last.ckpt").is_file() and (tmp_path / "preview_0002.png").is_file()
    from engine.nets import super_slomo

    assert super_slomo.load(tmp_path / "last.ckpt").flow.conv1.weight.shape == (32, 6, 7, 7)
