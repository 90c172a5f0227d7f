"""Odd footage in slow motion: burnt-in logos stay, flashes and changed exposure do not bend motion, repeats are time, uneven times are kept."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.contract.job import Request
from engine.contract.option import build
from engine.contract.options import Frames as FramesOptions
from engine.contract.options import Interpolate
from engine.media.frames import Frames
from engine.metrics.image import psnr
from engine.slowmo import bands, between, grid, motion, overlay, timeline
from engine.stage import Inputs, Report
from engine.stages import frames as frames_stage
from engine.stages import interpolate

DERIVED = Path(__file__).resolve().parents[3] / "shared" / "clips" / "5_derived"
LOGO = (slice(8, 40), slice(60, 170))  # where it is drawn


def read(name, room, **options):
    """A derived clip through the stage 'frames'."""
    clip = next(iter(DERIVED.glob(f"{name}.*")), None) if DERIVED.is_dir() else None
    if clip is None:
        pytest.skip("../shared/clips is absent")
    room.mkdir()
    request = Request(clip=str(clip), wants=("slowmo",), store="", device="cpu")
    frames_stage.run(Inputs(request, {}), build(FramesOptions, {"size": 320, **options}), Report("frames", print, lambda *step: None), room)
    return Frames(room)


def panning(count, step, still=False):
    """A texture that moves by `step` px a frame under a logo; and what it is at any time."""
    rng = np.random.default_rng(3)
    wide = cv2.GaussianBlur(rng.uniform(0, 255, (96, 400, 3)).astype(np.float32), (0, 0), 2.0) * 5 - 500

    def at(t):
        x, y = np.meshgrid(np.arange(192, dtype=np.float32) + (0 if still else step * t), np.arange(96, dtype=np.float32))
        picture = np.clip(cv2.remap(wide, x, y, cv2.INTER_CUBIC), 0, 220)
        return cv2.putText(np.ascontiguousarray(picture), "Logo", (64, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255, 255, 255), 4, cv2.LINE_AA)

    return at, [at(t) for t in range(count)]


def test_a_logo_stays_on_a_moving_picture():
    at, pictures = panning(12, 14)
    logo = overlay.find(pictures)
    drawn = pictures[0].min(2) > 250
    assert logo[drawn].mean() > 0.95 and logo.mean() < 2 * drawn.mean()
    a, b, truth = pictures[4], pictures[5], at(4.5)
    found = motion.find(a, b)
    bent = between.render(between.plan(a, b, motion.Course(found), 0.5), a, b)
    course = motion.Course(motion.Motion(overlay.freed(found.forward, logo), overlay.freed(found.backward, logo)))
    made = overlay.apart(lambda a, b: between.render(between.plan(a, b, course, 0.5, logo), a, b), a, b, 0.5, logo)
    assert psnr(made[LOGO], truth[LOGO]) > psnr(bent[LOGO], truth[LOGO]) + 2
    assert np.abs(made - truth)[drawn].max() < 2


def test_bands_make_the_same_picture(monkeypatch):
    _, pictures = panning(3, 7)
    tall = [np.clip(np.concatenate([picture, picture[::-1], picture]) * gain, 0, 255) for picture, gain in zip(pictures, (1.0, 0.8, 1.0))]
    a, b = (np.roll(picture, 5 * k, 0).astype(np.float32) for k, picture in enumerate(tall[:2]))
    onward = motion.find(b, tall[2].astype(np.float32)).forward
    course = motion.course(motion.find(a, b), None, onward)
    whole, plain = bands.make(a, b, course, 0.3)
    monkeypatch.setattr(bands, "WHOLE", 0)
    monkeypatch.setattr(bands, "TALL", 50)
    made, also = bands.make(a, b, course, 0.3)
    assert np.abs(made - whole).mean() < 0.02 and np.percentile(np.abs(made - whole), 99.9) < 1 and also == pytest.approx(plain, abs=1e-3)


def squared(picture):
    """Red and blue as a sensor measures them, one of each four pixels, repeated."""
    out = picture.copy()
    for channel, start in ((0, 0), (2, 1)):
        inside = out[start:96 - start, start:192 - start, channel]
        inside[:] = inside[::2, ::2].repeat(2, 0).repeat(2, 1)
    return out


def test_colours_that_stand_in_squares_do_not_break_when_they_move():
    at, _ = panning(0, 5)
    a, b, truth = (squared(at(t)) for t in (0, 1, 0.5))
    squares = grid.find(a)
    assert squares.squares == ((0, 0, 0), (2, 1, 1)) and not grid.find(at(0)).squares and not grid.find(np.full_like(a, 9)).squares
    course = motion.Course(motion.find(a, b))
    broken = between.render(between.plan(a, b, course, 0.5), a, b)
    made = grid.apart(lambda a, b: between.render(between.plan(a, b, course, 0.5), a, b), a, b, squares)
    assert psnr(made[..., ::2], truth[..., ::2]) > psnr(broken[..., ::2], truth[..., ::2]) + 2
    assert grid.find(made) == squares


def test_what_turns_round_on_the_way_is_blended_in_part():
    _, (a, b) = panning(2, 4)
    found, other = motion.find(a, b), np.full((96, 192, 2), (16, 0), np.float32)
    steady, turning = (motion.course(found, back, onward) for back, onward in ((-found.forward, -found.backward), (other, -other)))
    shares = [between.plan(a, b, course, 0.5).plain.mean() for course in (motion.Course(found), steady, turning)]
    assert shares[1] < shares[0] + 0.02 and shares[2] > 0.3, shares


def test_a_camera_that_stands_has_no_logo():
    assert overlay.find(panning(12, 7, still=True)[1]) is None
    assert overlay.find(panning(12, 0.1)[1]) is None  # nor one that hardly moves: what is far stays in place too


def test_a_line_on_a_plain_wall_is_no_logo():
    """A still camera whose few still edges are outnumbered by those of what moves: nothing moves behind the line."""
    _, pictures = panning(12, 14)
    for picture in pictures:
        picture[:40] = 180
        picture[18:22, 20:150] = 40
    assert overlay.find(pictures) is None


def test_flashes_and_exposure_do_not_bend_motion(tmp_path):
    frames = read("flash_frames_exposure_jump", tmp_path / "frames")
    assert frames.cuts == [] and frames.duplicates == []

    def score(made, truth):
        """PSNR in the truth's light: which light the frame in between has is nobody's to say."""
        lit = np.stack([np.polyval(np.polyfit(m.ravel(), t.ravel(), 1), m) for m, t in zip(cv2.split(made), cv2.split(truth))], -1)
        return psnr(lit, truth)

    for number, gain in ((11, 0.5), (12, 0.5), (13, 1.5), (25, 1.2), (32, 3.5)):  # dB above blending, of which clipping leaves little
        a, truth, b = (frames.rgb(n).astype(np.float32) for n in (number - 1, number, number + 1))
        made = between.render(between.plan(a, b, motion.Course(motion.find(a, b)), 0.5), a, b)
        assert score(made, truth) > score((a + b) / 2, truth) + gain, number


def test_doubled_frames_are_time(tmp_path):
    frames = read("every_frame_doubled_48fps", tmp_path / "frames")
    track = timeline.read(frames.about)
    assert len(track.frame) == 24 and np.all(np.diff(track.frame) == 2)
    moment = track.locate(6.0)  # the second half of a doubled frame lies halfway to the next picture
    assert (moment.before, moment.after, moment.fraction) == (5, 7, 0.5)
    room = tmp_path / "room"
    room.mkdir()
    report = Report("interpolate", print, lambda *step: None)
    request = Request(clip="", wants=("slowmo",), store="", device="cpu")
    interpolate.run(Inputs(request, {"frames": frames.folder}), build(Interpolate, {"times": "1:9:1"}), report, room)
    made = [cv2.imdecode(np.frombuffer((room / f"{n:06d}.png").read_bytes(), np.uint8), 1) for n in range(1, 10)]
    steps = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(made, made[1:])]
    assert min(steps) > 0.3 * max(steps) and report.figures["repeats_as_time"] == 24  # nothing stands still any more


def test_uneven_times_become_even(tmp_path):
    frames = read("vfr_jitter_drops", tmp_path / "frames")
    assert np.ptp(np.diff(frames.times)) > 0.05
    seconds = np.interp(timeline.wanted(build(Interpolate, {"factor": 3}), frames.about), frames.numbers, frames.times)
    assert np.diff(seconds) == pytest.approx(1 / float(frames.fps) / 3, abs=1e-6)
