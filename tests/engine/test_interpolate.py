"""The stage 'interpolate': better than blending, exact copies, cuts, freeze and reverse, 16 bit, resume to the same bytes."""

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from engine.contract.job import Request
from engine.contract.option import build
from engine.contract.options import Interpolate
from engine.media.colour import Colour
from engine.metrics.image import psnr
from engine.stage import Inputs, Report
from engine.stages import interpolate

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "clips" / "3_gt"


def write_clip(folder, pictures, cuts=(), duplicates=(), first=1):
    """A finished 'frames' folder of pictures [H, W, 3] BGR."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = list(range(first, first + len(pictures)))
    for number, picture in zip(numbers, pictures):
        (folder / f"{number:06d}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    high, wide = pictures[0].shape[:2]
    (folder / "clip.json").write_text(json.dumps({
        "size": [wide, high], "fps": "24", "frames": numbers, "times": [n / 24 for n in range(len(numbers))], "cuts": list(cuts),
        "duplicates": list(duplicates), "bits": 16 if pictures[0].dtype == np.uint16 else 8, "kind": "video", "audio": False, "source": "",
        "colour": Colour().write(),
    }))
    return folder


def run(folder, room, **options):
    room.mkdir(parents=True, exist_ok=True)
    report = Report("interpolate", lambda message: None, lambda *step: None)
    request = Request(clip="", wants=("slowmo",), store="", device="cpu")
    interpolate.run(Inputs(request, {"frames": folder}), build(Interpolate, options), report, room)
    return report


def read(room, number):
    return cv2.imdecode(np.frombuffer((room / f"{number:06d}.png").read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)


def sliding(count, step, size=(96, 160), seed=0, dtype=np.uint8):
    """A textured still background with a textured disc that slides over it by `step` px a frame; any fractional frame."""
    rng = np.random.default_rng(seed)

    def texture(h, w):
        return cv2.GaussianBlur(rng.uniform(0, 255, (h, w, 3)).astype(np.float32), (0, 0), 2.0) * 3 - 255

    back, front = texture(*size), texture(size[0], size[1] * 2)
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)

    def at(t):
        moved = cv2.remap(front, x - step * t + size[1] / 2, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        disc = np.clip(24 - np.hypot(x - 40 - step * t, y - size[0] / 2), 0, 1)[..., None]
        top = np.clip(moved * disc + back * (1 - disc), 0, 255)
        return np.rint(top * 257).astype(np.uint16) if dtype == np.uint16 else np.rint(top).astype(np.uint8)

    return at, [at(t) for t in range(count)]


@pytest.mark.parametrize("method", ["flow", "blocks", "blend", "sample"])
def test_every_method_gives_every_picture(tmp_path, method):
    _, pictures = sliding(4, 4)
    folder = write_clip(tmp_path / "frames", pictures, first=7)
    run(folder, tmp_path / "room", factor=3, method=method)
    times = np.load(tmp_path / "room" / "times.npz", allow_pickle=False)
    assert np.allclose(times["time"], 7 + np.arange(10) / 3)
    for number in range(1, 11):
        assert read(tmp_path / "room", number).shape == pictures[0].shape
    for k in range(4):  # the clip's own frames are copied
        assert (tmp_path / "room" / f"{3 * k + 1:06d}.png").read_bytes() == (folder / f"{k + 7:06d}.png").read_bytes()


def test_flow_beats_blending_on_the_synthetic_shot(tmp_path):
    at, pictures = sliding(4, 6)
    folder = write_clip(tmp_path / "frames", pictures)
    score = {}
    for method in ("flow", "blend"):
        run(folder, tmp_path / method, factor=4, method=method)
        score[method] = np.mean([psnr(read(tmp_path / method, 1 + k), at(k / 4)) for k in range(13) if k % 4])
    assert score["flow"] > score["blend"] + 2, score


def test_sixteen_bits_stay(tmp_path):
    at, pictures = sliding(2, 3, dtype=np.uint16)
    run(write_clip(tmp_path / "frames", pictures), tmp_path / "room")
    made = read(tmp_path / "room", 2)
    assert made.dtype == np.uint16 and len(np.unique(made)) > 2000
    assert psnr(made, at(0.5), 65535.0) > 30


def test_nothing_across_a_cut(tmp_path):
    pictures = sliding(3, 4)[1] + sliding(3, 4, seed=5)[1]
    folder = write_clip(tmp_path / "frames", pictures, cuts=[4])
    report = run(folder, tmp_path / "room", factor=4)
    for number, same in ((10, 3), (11, 4), (12, 4)):  # times 3.25, 3.5, 3.75
        assert np.array_equal(read(tmp_path / "room", number), pictures[same - 1])
    assert report.figures["cuts"] == 1


def test_freeze_reverse_and_repeats(tmp_path):
    at, pictures = sliding(4, 4)
    folder = write_clip(tmp_path / "frames", [p for p in pictures for _ in range(2)], duplicates=[2, 4, 6, 8])
    run(folder, tmp_path / "room", times="2, 2, 2, 5:1:1")
    room = tmp_path / "room"
    assert len({(room / f"{n:06d}.png").read_bytes() for n in (1, 2, 3)}) == 1
    assert psnr(read(room, 1), at(0.5)) > psnr(pictures[0], at(0.5)) + 2  # the doubled frame became motion
    assert np.array_equal(read(room, 4), pictures[2]) and np.array_equal(read(room, 8), pictures[0])


def test_resume_gives_the_same_bytes(tmp_path, monkeypatch):
    _, pictures = sliding(5, 5)
    folder = write_clip(tmp_path / "frames", pictures)
    run(folder, tmp_path / "whole", factor=3)
    run(folder, tmp_path / "again", factor=3)
    for number in (2, 6, 7, 11):
        (tmp_path / "again" / f"{number:06d}.png").unlink()
    (tmp_path / "again" / "times.npz").unlink()
    monkeypatch.setattr("engine.device.threads", lambda: 5)
    run(folder, tmp_path / "again", factor=3)
    names = sorted(entry.name for entry in (tmp_path / "whole").iterdir())
    assert names == sorted(entry.name for entry in (tmp_path / "again").iterdir())
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_flash_does_not_ghost(tmp_path):
    at, pictures = sliding(4, 6)
    lit = [pictures[0], pictures[1], np.clip(pictures[2] * 0.5, 0, 255).astype(np.uint8), pictures[3]]
    run(write_clip(tmp_path / "frames", lit), tmp_path / "room")
    truth = at(1.5) * 0.75
    assert psnr(read(tmp_path / "room", 4), truth) > psnr(pictures[1] * 0.5 + lit[2] * 0.5, truth) + 5


def test_one_frame_and_a_tiny_clip(tmp_path):
    run(write_clip(tmp_path / "one", [np.full((18, 32, 3), 90, np.uint8)]), tmp_path / "room_one")
    assert (tmp_path / "room_one" / "000001.png").is_file() and not (tmp_path / "room_one" / "000002.png").exists()
    rng = np.random.default_rng(0)
    run(write_clip(tmp_path / "tiny", list(rng.integers(0, 255, (3, 18, 32, 3), np.uint8))), tmp_path / "room_tiny")
    assert read(tmp_path / "room_tiny", 4).shape == (18, 32, 3)


def _real(name, count, step, size):
    source = next((CLIPS / name).glob("*.*"), None) if (CLIPS / name).is_dir() else None
    if source is None:
        pytest.skip("../shared/clips is absent")
    with av.open(str(source)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame, _ in zip(container.decode(video=0), range(count))]
    return [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames[::step]]


@pytest.mark.parametrize("name, step, size", [("vfi_snowboarder_60fps", 1, (640, 360)), ("vfi_bbb_60fps", 1, (640, 360))])
def test_true_middle_frames_of_real_clips(tmp_path, name, step, size):
    pictures = _real(name, 13, step, size)
    folder = write_clip(tmp_path / "frames", pictures[::2])
    score = {}
    for method in ("flow", "blend"):
        run(folder, tmp_path / method, method=method)
        score[method] = np.array([psnr(read(tmp_path / method, n), pictures[n - 1]) for n in range(2, 13, 2)])
    assert score["flow"].mean() > score["blend"].mean() + 2, score
    assert np.all(score["flow"] > score["blend"] - 0.3), score
