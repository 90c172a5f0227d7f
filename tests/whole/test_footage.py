"""Real footage through the command line, small: five moving shots go all the way, locked-off ones part of it, what is no shot is refused.

Frames are taken a few apart, so that ten of them hold the parallax of the whole clip.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.media.frames import read_depth
from engine.metrics.trajectory import compare

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "clips"
pytestmark = pytest.mark.skipif(not CLIPS.is_dir(), reason="the real footage of ../shared/clips is absent")
ALL = "camera,depth,mattes,slowmo,cloud"
MOVING = {  # clip: (every so many frames, the verdict it deserves at least, the part of its pixels whose depth is rather sure)
    "1_static/apple_tabletop/apple.mp4": (3, "fair", 0.25),  # the lens of a half-orbit is only known to some per cent
    "1_static/golf_cart_alley/golf.mov": (4, "fair", 0.25),  # straight ahead, and small: the lens is only known to some per cent, and the solve says so
    "2_dynamic/husky_lawn/dog-example.mp4": (2, "good", 0.25),
    "2_dynamic/lady_running/lady-running.mp4": (2, "good", 0.15),  # 1.8 degrees of parallax: too little for the room behind, and she is a guess
    "2_dynamic/dycheck_backpack/backpack.mp4": (6, "fair", 0.25),  # ten small pictures far apart: the scale may drift by 4 %; every picture, full size, is good
}
STILL = 0.03  # of the picture: at most so much of a still scene may pass for a mover
REFUSED = {  # clip: (stage that says no, code, whether there may be mattes all the same)
    "white_noise": ("solve", "no-tracks", False),
    "black": ("solve", "no-tracks", False),
    "tiny_32x18": ("solve", "no-tracks", False),
    "two_frames": ("solve", "too-short", True),
    "one_frame": ("flow", "too-short", False),
    "empty": ("frames", "clip-empty", False),
    "text_renamed": ("frames", "clip-not-video", False),
    "audio_only": ("frames", "clip-no-video", False),
}


def picture(path: Path) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)


def failures(engine) -> dict[str, str]:
    """Stage -> code; each with its three sentences, on stdout and on stderr."""
    failed = engine.of("failed")
    assert all(entry["what"] and entry["why"] and entry["remedy"] and not entry["log"] for entry in failed)
    told = [json.loads(line) for line in engine.err.splitlines() if line.startswith('{"type": "failed"')]
    assert sorted(entry["code"] for entry in told) == sorted(entry["code"] for entry in failed)
    return {entry["stage"]: entry["code"] for entry in failed}


def check_mattes(out: Path, numbers: list[int]) -> None:
    """At least one subject, with soft alpha and foreground on every frame, seen in half of them at least, and animated contours."""
    subjects = json.loads((out / "mattes" / "mattes.json").read_text())["subjects"]
    assert subjects
    first = out / "mattes" / subjects[0]["name"]
    assert len(subjects[0]["frames"]) >= len(numbers) / 2 and json.loads((first / "contours.json").read_text())["pieces"]
    for kind in ("alpha", "foreground"):
        assert [int(path.stem) for path in sorted((first / kind).glob("*.png"))] == numbers
    alpha = picture(first / "alpha" / f"{subjects[0]['frames'][0]:06d}.png")
    assert alpha.dtype == np.uint16 and alpha.max() == 65535 and alpha.min() == 0


def check_that_nothing_moves(out: Path, numbers: list[int]) -> None:
    """In a still scene: no mattes, or some specks."""
    areas = [sum(picture(path).mean() / 65535 for path in (out / "mattes").glob(f"*/alpha/{number:06d}.png")) for number in numbers]
    assert np.mean(areas) < STILL, areas


def check_slow_motion(out: Path, count: int) -> None:
    """As many pictures as there are times, each of its own."""
    pictures = [picture(path) for path in sorted((out / "slowmo").glob("*.png"))]
    with np.load(out / "slowmo" / "times.npz", allow_pickle=False) as times:
        assert len(pictures) == len(times["time"]) == count
    assert all((a != b).any() for a, b in zip(pictures, pictures[1:]))


@pytest.mark.parametrize("clip", MOVING, ids=lambda clip: clip.split("/")[1])
def test_a_moving_shot_goes_all_the_way(engine, tmp_path, clip) -> None:
    out, (step, verdict, sure) = tmp_path / "out", MOVING[clip]
    numbers = list(range(1, 1 + 10 * step, step))
    asked = ("--want", ALL, "--size", 320, "--step", step, "--frames", f"1-{numbers[-1]}", "--out", out)
    status = engine(CLIPS / clip, *asked, "--set", f"interpolate.times=1:{1 + 2 * step}:{step / 2}")
    if clip.startswith("1_static"):
        assert failures(engine) in ({}, {"mattes": "no-movers"})
        check_that_nothing_moves(out, numbers)
    else:
        assert status == 0, engine.err
        check_mattes(out, numbers)
    with np.load(out / "camera" / "camera.npz", allow_pickle=False) as camera:
        assert camera["solved"].all() and camera["frame"].tolist() == numbers
        assert all(np.isfinite(camera[name]).all() for name in ("world_from_camera", "focal", "centre", "distortion"))
    report = json.loads((out / "camera" / "report.json").read_text())
    assert report["verdict"] in ("good", verdict) and report["motion"] == "free"
    planes = [read_depth(out / "depth" / f"{number:06d}.exr") for number in numbers]
    assert all(np.isfinite(depth).all() and (depth > 0).all() and depth.std() > 0 for depth, _ in planes)
    assert np.mean([confidence > 0.5 for _, confidence in planes]) > sure
    check_slow_motion(out, 5)
    with np.load(out / "slowmo" / "camera.npz", allow_pickle=False) as retimed:
        assert len(retimed["frame"]) == 5 and retimed["solved"].all()
    vertices = next(line for line in (out / "cloud" / "fused.ply").read_bytes().split(b"\n") if line.startswith(b"element vertex"))
    assert int(vertices.split()[-1]) > 80_000 * sure


@pytest.mark.parametrize(("clip", "size"), [  # the juggler's sway is less than a pixel in small pictures
    ("juggle_park/05_default_juggle.mp4", 640), ("pingpong_person/06_pingpong.mp4", 320),
])
def test_a_locked_off_shot_gives_a_still_camera_mattes_and_slow_motion(engine, tmp_path, clip, size) -> None:
    out = tmp_path / "out"
    assert engine(CLIPS / "2_dynamic" / clip, "--want", ALL, "--size", size, "--frames", "1-8", "--out", out) == 1
    assert failures(engine) == {"depth": "no-parallax"}
    assert {entry["stage"] for entry in engine.of("skipped")} == {"consistent_depth", "cloud"}
    assert engine.said[-1] == {"type": "done", "failed": ["depth"]}
    check_mattes(out, list(range(1, 9)))
    check_slow_motion(out, 15)
    assert not any((out / name).exists() for name in ("depth", "cloud"))
    with np.load(out / "camera" / "camera.npz", allow_pickle=False) as camera:
        turn = camera["world_from_camera"][:, :3, :3]
        assert camera["solved"].all() and np.ptp(camera["world_from_camera"][:, :3, 3], axis=0).max() == 0
        assert np.degrees(np.arccos(np.clip((np.einsum("tij,ij->t", turn, turn[0]) - 1) / 2, -1, 1))).max() < 0.3
    report = json.loads((out / "camera" / "report.json").read_text())
    assert report["motion"] == "tripod" and report["verdict"] == "doubtful" and any("focal length" in told for told in report["warnings"])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_shot_is_refused_and_leaves_nothing_half_written(engine, tmp_path, name) -> None:
    out = tmp_path / "out"
    stage, code, matted = REFUSED[name]
    assert engine(CLIPS / "5_derived" / f"{name}.mp4", "--want", "camera,depth,mattes", "--size", 320, "--frames", "1-8", "--out", out) == 1
    failed = failures(engine)
    assert failed.pop("mattes", "no-movers") == "no-movers" and failed == {stage: code}
    assert not any((out / place).exists() for place in ("camera", "depth")) and (matted or not (out / "mattes").exists())
    for done in engine.store.glob("*/*/done.json"):
        assert not done.parent.name.endswith(".part")
    assert not list(engine.store.rglob(".writing-*")) and not list(out.rglob(".writing-*"))


@pytest.mark.parametrize("name, focal, ate, turn", [("kitti", 707.0912, 0.2, 0.4), ("7scenes", 525.0, 4.0, 0.3)])
def test_a_solve_against_true_poses(engine, tmp_path, name, focal, ate, turn) -> None:
    """With the lens given as it is. ATE in % of the path, turns in degrees; the Kinect's own poses are some millimetres off."""
    if name == "kitti":
        rows = np.loadtxt(CLIPS / "3_gt/pose_kitti_a/poses.txt").reshape(-1, 3, 4)
        true = {number: np.vstack([row, [0, 0, 0, 1]]) for number, row in enumerate(rows)}
        clip, asked, width = CLIPS / "3_gt/pose_kitti_a/image_l", ("--frames", "0-11"), 1226
    else:
        folder = CLIPS / "3_gt/depthpose_7scenes_redkitchen"
        true = {int(path.name[6:12]): np.loadtxt(path) for path in folder.glob("*.pose.txt")}
        clip, asked, width = folder / "frame-%06d.color.jpg", ("--frames", "0-44", "--step", 4), 640
    known = ("--set", "solve.lens=known", "--set", f"solve.focal={focal}")
    assert engine(clip, "--want", "camera", "--size", 480, *asked, *known, "--out", tmp_path) == 0, engine.err
    with np.load(tmp_path / "camera" / "camera.npz", allow_pickle=False) as camera:
        assert camera["solved"].all() and np.allclose(camera["focal"], focal * camera["size"][0] / width, rtol=5e-3)
        rows = [row for row, number in enumerate(camera["frame"]) if int(number) in true]
        error = compare(camera["world_from_camera"][rows], np.array([true[int(number)] for number in camera["frame"][rows]]))
    assert len(rows) > 8 and error.ate_percent < ate and error.rotation_degrees < turn, error
