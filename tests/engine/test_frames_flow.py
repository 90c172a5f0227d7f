"""The stages 'frames' and 'flow', driven as the runner drives them: what they write, ranges, cuts, resume to the same bytes."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.contract.job import Request
from engine.contract.option import build
from engine.contract.options import Flow as FlowOptions
from engine.contract.options import Frames as FramesOptions
from engine.failures import RequestFailure, ShotFailure
from engine.media.flow import Flow, agree, both_ways, dis
from engine.media.frames import Frames, working_size
from engine.stage import Inputs, Report
from engine.stages import flow, frames


def texture(seed, size):
    rng = np.random.default_rng(seed)
    cloud = sum(cv2.GaussianBlur(rng.random((*size, 3)).astype(np.float32), (0, 0), sigma) * sigma for sigma in (1.5, 4, 10))
    return ((cloud - cloud.min()) / (cloud.max() - cloud.min()) * 255).astype(np.uint8)


def pan(seed, count, step=(3, 1), size=(90, 160)):
    """A camera that moves by `step` px a frame: the picture moves by its negative."""
    wide = texture(seed, (size[0] + step[1] * count, size[1] + step[0] * count))
    return [np.ascontiguousarray(wide[step[1] * k:step[1] * k + size[0], step[0] * k:step[0] * k + size[1]]) for k in range(count)]


def sequence(folder, pictures, first=1001, skip=()):
    folder.mkdir()
    for number, picture in enumerate(pictures, first):
        if number not in skip:
            (folder / f"shot.{number}.png").write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    return folder


CHAIRS = Path(__file__).resolve().parents[3] / "shared" / "clips" / "3_gt" / "flow_flyingchairs"


class Stopped(Exception):
    pass


def run(stage, options, room, clip="", folders=None, stop_after=None, **request):
    """Run one stage; stop_after: break off after so many steps, as a cancel would."""
    room.mkdir(parents=True, exist_ok=True)

    def on_progress(done, total, note, loss) -> None:
        assert 0 <= done <= total
        if stop_after is not None and done >= stop_after:
            raise Stopped

    report = Report(stage.__name__, lambda message: None, on_progress)
    stage.run(Inputs(Request(clip=str(clip), wants=("camera",), store="", **request), folders or {}), options, report, room)
    return report


def both(tmp_path, pictures, name="a", options=None, first=1001, skip=(), **request):
    clip = sequence(tmp_path / f"{name}_clip", pictures, first, skip)
    run(frames, build(FramesOptions, {}), tmp_path / name / "frames", clip, **request)
    run(flow, build(FlowOptions, options or {}), tmp_path / name / "flow", folders={"frames": tmp_path / name / "frames"}, **request)
    return Frames(tmp_path / name / "frames"), Flow(tmp_path / name / "flow")


def digest(folder: Path) -> dict[str, str]:
    return {str(f.relative_to(folder)): hashlib.md5(f.read_bytes()).hexdigest() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_frames_tell_numbers_times_and_pixels(tmp_path) -> None:
    pictures = pan(0, 8)
    room = tmp_path / "frames"
    report = run(frames, build(FramesOptions, {}), room, sequence(tmp_path / "clip", pictures, skip=(1004,)), fps="24000/1001")
    made = Frames(room)
    assert made.numbers == [1001, 1002, 1003, 1005, 1006, 1007, 1008] and made.fps == Fraction(24000, 1001)
    assert np.allclose(made.times, [(n - 1001) * 1001 / 24000 for n in made.numbers])
    assert made.size == (160, 90) and made.bits == 8 and made.cuts == [] and made.duplicates == []
    assert np.array_equal(made.rgb(1005), pictures[4]) and np.array_equal(made.rgb8(1005), pictures[4])
    assert made.gray(1005, (80, 44)).shape == (44, 80)
    assert report.used.startswith("7 frames") and any("1004" in text for text in report.warnings)
    about = json.loads((room / "clip.json").read_text())
    assert about["kind"] == "sequence" and about["constant"] and not about["audio"]


def test_range_step_and_size(tmp_path) -> None:
    clip = sequence(tmp_path / "clip", pan(0, 12))
    room = tmp_path / "frames"
    run(frames, build(FramesOptions, {"size": 80}), room, clip, first=1003, last=1010, step=3)
    made = Frames(room)
    assert made.numbers == [1003, 1006, 1009] and made.size == (80, 44) and made.rgb(1006).shape == (44, 80, 3)
    assert np.allclose(np.diff(made.times), 3 / 24)
    for outside in ({"first": 2000}, {"last": 5}):
        with pytest.raises(RequestFailure) as refused:
            run(frames, build(FramesOptions, {}), tmp_path / "none", clip, **outside)
        assert refused.value.code == "wrong-range" and "1001" in refused.value.why


def test_the_clip_keeps_its_width_however_small_its_frames_are(tmp_path) -> None:
    about = {"size": [60, 80], "fps": "24/1", "frames": [1], "times": [0], "cuts": [], "duplicates": [], "bits": 8}
    for source, aspect, turn, width in (([480, 360], "4/3", 0, 640), ([480, 360], "1/1", 90, 360), ([480, 360], "4/3", 270, 360)):
        (tmp_path / "clip.json").write_text(json.dumps({**about, "source_size": source, "aspect": aspect, "turn": turn}))
        assert Frames(tmp_path).clip_width == width


def test_working_size() -> None:
    assert working_size((1920, 1080), 640) == (640, 360)
    assert working_size((1080, 1920), 640) == (360, 640)
    assert working_size((853, 479), 640) == (640, 360)
    assert working_size((853, 479), 0) == working_size((853, 479), 1000) == (853, 479)


def test_flow_measures_a_pan(tmp_path) -> None:
    made, moved = both(tmp_path, pan(0, 10, size=(180, 320)))
    assert moved.gaps == [1, 2, 4, 8] and moved.size == (320, 180)
    for gap in moved.gaps:
        there, holds = moved.get(1002, 1002 + gap)
        inner = there[15:-15, 30:-30]
        assert np.abs(np.median(inner, axis=(0, 1)) + np.array([3, 1]) * gap).max() < 0.15
        back, _ = moved.get(1002 + gap, 1002)
        assert np.abs(np.median(back[15:-15, 30:-30], axis=(0, 1)) - np.array([3, 1]) * gap).max() < 0.15
        assert holds[15:-15, 30:-30].mean() > 0.95
    assert moved.get(1001, 1004) is None and moved.get(1009, 1013) is None


def test_flow_steps_over_cuts_gaps_and_repeats(tmp_path) -> None:
    pictures = pan(1, 10) + pan(2, 10)
    pictures[5] = pictures[4]
    made, moved = both(tmp_path, pictures, skip=(1015,))
    assert made.cuts == [1011] and made.duplicates == [1006]
    assert made.spans() == [list(range(1001, 1011)), [n for n in range(1011, 1021) if n != 1015]]
    assert moved.get(1010, 1011) is None and moved.get(1009, 1011) is None and moved.get(1011, 1010) is None
    assert moved.get(1014, 1015) is None and moved.get(1014, 1016) is not None
    still, holds = moved.get(1005, 1006)
    assert not still.any() and holds.all()


def test_every_other_frame_gives_flow_between_neighbours(tmp_path) -> None:
    _, moved = both(tmp_path, pan(3, 12), step=2, options={"gaps": "1,2"})
    assert moved.gaps == [2, 4] and moved.get(1001, 1003) is not None and moved.get(1003, 1001) is not None


def test_wrong_gaps_and_single_frames_are_refused(tmp_path) -> None:
    with pytest.raises(RequestFailure):
        both(tmp_path, pan(0, 3), options={"gaps": "1,x"})
    with pytest.raises(ShotFailure) as short:
        both(tmp_path, pan(0, 1), name="b")
    assert short.value.code == "too-short"


@pytest.mark.parametrize("stop_after", [1, 4])
def test_resumed_work_has_the_same_bytes(tmp_path, stop_after) -> None:
    pictures = pan(1, 8) + pan(2, 6)
    both(tmp_path, pictures)
    clip, room = tmp_path / "a_clip", tmp_path / "again"
    with pytest.raises(Stopped):
        run(frames, build(FramesOptions, {}), room / "frames", clip, stop_after=stop_after)
    assert not (room / "frames" / "clip.json").exists()
    run(frames, build(FramesOptions, {}), room / "frames", clip)
    with pytest.raises(Stopped):
        run(flow, build(FlowOptions, {}), room / "flow", folders={"frames": room / "frames"}, stop_after=stop_after)
    run(flow, build(FlowOptions, {}), room / "flow", folders={"frames": room / "frames"})
    assert digest(room) == digest(tmp_path / "a")


def test_flow_of_tiny_frames_and_validity_at_a_border() -> None:
    a, b = pan(7, 2, (2, 0), (18, 32))
    moved = dis(cv2.cvtColor(a, cv2.COLOR_RGB2GRAY), cv2.cvtColor(b, cv2.COLOR_RGB2GRAY))
    assert moved.shape == (18, 32, 2) and abs(np.median(moved[4:-4, 6:-6, 0]) + 2) < 0.4
    out = np.zeros((20, 30, 2), np.float32)
    out[..., 0] = 5
    holds = agree(out, -out)
    assert holds[:, :24].all() and not holds[:, 25:].any()


@pytest.mark.skipif(not CHAIRS.is_dir(), reason="the true flow of ../shared/clips is absent")
def test_flow_against_truth() -> None:
    errors, sure = [], []
    for truth in sorted(CHAIRS.glob("*-gt.flo")):
        data = truth.read_bytes()
        width, height = np.frombuffer(data, np.int32, 2, 4)
        true = np.frombuffer(data, np.float32, width * height * 2, 12).reshape(height, width, 2)
        a, b = (cv2.imread(str(truth).replace("gt.flo", f"img{k}.ppm"), cv2.IMREAD_GRAYSCALE) for k in (0, 1))
        there, holds, _, _ = both_ways(a, b)
        error = np.linalg.norm(there - true, axis=-1)
        errors.append(np.median(error))
        sure.append(error[holds].mean() / error.mean())
    assert max(errors) < 0.6 and max(sure) < 0.6  # what is called valid is much better than the rest


def test_what_moves_by_more_than_itself_is_followed_over_frames_between(tmp_path) -> None:
    ground, thing = texture(5, (120, 200)), texture(6, (24, 24))[..., ::-1]
    pictures = []
    for k in range(9):
        picture = ground.copy()
        picture[40:64, 20 + 4 * k : 44 + 4 * k] = thing
        pictures.append(picture)
    _, whole = both(tmp_path, pictures)
    _, apart = both(tmp_path, pictures, "b", {"gaps": "8"})
    inner = slice(44, 60), slice(24, 40)
    miss = {name: np.median(np.linalg.norm(found.get(1001, 1009)[0][inner] - (32, 0), axis=-1)) for name, found in (("whole", whole), ("apart", apart))}
    assert miss["whole"] < 0.5 and miss["apart"] > 10, miss
