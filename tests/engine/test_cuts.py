"""Hard cuts are found and nothing else is taken for one; repeated frames are told from slow motion and from noise."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.media.clip import open_clip
from engine.media.cuts import Watch, look

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "clips"
real = pytest.mark.skipif(not CLIPS.is_dir(), reason="the real footage of ../shared/clips is absent")


def watch(frames):
    """(cuts, duplicates) of (number, picture) pairs."""
    seen = Watch()
    for number, picture in frames:
        seen.add(number, look(picture))
    return seen.cuts(), seen.duplicates()


def of_clip(name, last=None):
    return watch((frame.number, frame.picture()) for frame in open_clip(CLIPS / name).frames(last=last))


def texture(seed, size=(200, 420)):
    """Soft coloured clouds with an own palette."""
    rng = np.random.default_rng(seed)
    cloud = cv2.GaussianBlur(rng.random((*size, 3)).astype(np.float32), (0, 0), 4)
    cloud = (cloud - cloud.min()) / (cloud.max() - cloud.min())
    return (cloud * rng.uniform(80, 255, 3)).astype(np.uint8)


def pan(seed, count, speed=3):
    """A camera that moves along a texture: [180, 320, 3] each."""
    wide = texture(seed)
    return [np.ascontiguousarray(wide[10:190, speed * k:speed * k + 320]) for k in range(count)]


@real
@pytest.mark.parametrize("name, cuts", [
    ("2_dynamic/bikes_with_cuts/bikes.mp4", [31, 77, 138, 188, 243]),  # each looked at
    ("5_derived/hard_cut_in_the_middle.mp4", [25]),
    ("5_derived/flash_frames_exposure_jump.mp4", []),
    ("5_derived/white_noise.mp4", []),
    ("5_derived/bit_errors_in_mdat.mp4", []),
    ("5_derived/every_frame_doubled_48fps.mp4", []),
    ("1_static/seattle_shaky/shaky-5.avi", []),
    ("2_dynamic/lady_running/lady-running", []),
])
def test_cuts_of_real_clips(name, cuts) -> None:
    assert of_clip(name, last=250)[0] == cuts


@real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["2_dynamic/skateboarder_bowl/03_skateboarder.mp4", "2_dynamic/hummingbird/02_hummingbird.mp4", "3_gt/davis_motocross-jump"])
def test_no_cut_in_fast_shots(name) -> None:
    folder = CLIPS / name
    if folder.is_dir():
        name = str(next(file for file in sorted(folder.rglob("*.jpg"))).parent.relative_to(CLIPS))
    assert of_clip(name)[0] == []


@real
def test_doubled_frames_and_a_still_shot() -> None:
    assert of_clip("5_derived/every_frame_doubled_48fps.mp4")[1] == list(range(2, 49, 2))
    assert len(of_clip("5_derived/static_tripod_no_motion.mp4")[1]) >= 46  # the second frame of 48 still gains in quality
    assert of_clip("5_derived/white_noise.mp4")[1] == []
    assert of_clip("5_derived/vfr_jitter_drops.mp4")[1] == []


def test_cut_between_two_pans() -> None:
    frames = pan(1, 12) + pan(2, 12)
    assert watch(enumerate(frames, 1001)) == ([1013], [])


def test_gray_footage_and_sixteen_bits() -> None:
    frames = [cv2.cvtColor(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for f in pan(1, 12) + pan(2, 12)]
    assert watch(enumerate(frames))[0] == [12]
    assert watch(enumerate([f.astype(np.uint16) * 257 for f in frames]))[0] == [12]


def test_flash_and_exposure_are_no_cuts() -> None:
    frames = pan(3, 30)
    frames[10] = np.full_like(frames[10], 255)
    frames[20:] = [f // 2 for f in frames[20:]]
    assert watch(enumerate(frames))[0] == []


def test_repeats_inside_motion() -> None:
    frames = pan(4, 20)
    rng = np.random.default_rng(0)
    for k in (5, 6, 15):  # a repeat that was compressed again
        frames[k] = (frames[k - 1] + rng.integers(-1, 2, frames[k].shape)).clip(0, 255).astype(np.uint8)
    assert watch(enumerate(frames)) == ([], [5, 6, 15])


def test_slow_and_odd_sizes() -> None:
    wide = cv2.resize(texture(5), None, fx=4, fy=4)
    slow = [cv2.resize(wide[:720, k:k + 1280], (320, 180), interpolation=cv2.INTER_AREA) for k in range(16)]  # a quarter of a pixel each
    assert watch(enumerate(slow)) == ([], [])
    assert watch(enumerate([f[:18, :32] for f in pan(6, 10)])) == ([], [])
    assert watch(enumerate([np.zeros((90, 160, 3), np.uint8)] * 5)) == ([], [1, 2, 3, 4])
    night = [f // 80 for f in slow]  # three levels of gray that hardly move are no repeats
    assert watch(enumerate(night))[1] == []
