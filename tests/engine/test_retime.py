"""The stage 'retime': camera, depth and mattes at fractional times, against a shot whose truth is known at any time."""

import json

import numpy as np
import pytest

from engine.contract.job import Request
from engine.contract.options import Interpolate, Retime
from engine.geometry import camera as cameras
from engine.geometry import pose
from engine.media.frames import read_depth, read_exr, read_png, write_depth, write_png
from engine.slowmo import timeline, tracks
from engine.slowmo.path import camera_at
from engine.stage import Inputs, Report
from engine.stages import interpolate, retime
from engine.synth.caster import cast, displaced
from engine.synth.shots import render

COUNT, SIZE, FACTOR = 6, (320, 180), 4


@pytest.fixture(scope="module")
def shot():
    return render("handheld", COUNT, SIZE, 1, clean=True)


def camera_of(scene, times, numbers, size=SIZE):
    views = [scene.view(time) for time in times]
    n = len(views)
    return cameras.Camera(
        np.asarray(numbers), np.stack([v.world_from_camera for v in views]), np.array([[v.focal * size[0]] * 2 for v in views]),
        np.tile(np.array(size) / 2, (n, 1)), np.zeros((n, 4)), np.ones(n, bool), size,
    )


@pytest.fixture(scope="module")
def made(shot, tmp_path_factory):
    """The folders of a finished slow motion with everything retimed, from true camera, depth and alpha."""
    root = tmp_path_factory.mktemp("retime")
    folders = {name: root / name for name in ("frames", "interpolate", "orient", "consistent_depth", "mattes", "retime")}
    for folder in folders.values():
        folder.mkdir()
    (folders["frames"] / "clip.json").write_text(json.dumps({
        "size": list(SIZE), "fps": "24", "frames": list(range(1, COUNT + 1)), "times": [n / 24 for n in range(COUNT)],
        "cuts": [], "duplicates": [], "bits": 8, "kind": "video", "audio": False, "source": "",
    }))
    camera_of(shot.scene, range(COUNT), shot.frame).save(folders["orient"] / "camera.npz")
    (folders["consistent_depth"] / "depth.json").write_text(json.dumps({"size": list(SIZE), "near": 1.0, "far": 10.0}))
    for row, number in enumerate(shot.frame):
        write_png(folders["frames"] / f"{number:06d}.png", shot.pictures[row])
        write_depth(folders["consistent_depth"] / f"{number:06d}.exr", shot.depth[row], (shot.depth[row] > 0).astype(np.float32))
        write_png(folders["mattes"] / "walker" / "alpha" / f"{number:06d}.png", np.rint(shot.alpha[row] * 65535).astype(np.uint16))
    square = {str(n): [[10 * n, 5], [10 * n + 4, 5], [10 * n + 4, 9]] for n in range(1, 5)}
    (folders["mattes"] / "walker" / "contours.json").write_text(json.dumps({
        "size": list(SIZE), "pieces": [{"first": 1, "last": 4, "closed": True, "hole": False, "points": square}],
    }))
    request = Request(clip="", wants=("slowmo",), store="", device="cpu")
    report = Report("", lambda message: None, lambda *step: None)
    interpolate.run(Inputs(request, folders), Interpolate(factor=FACTOR, vectors=True), report, folders["interpolate"])
    retime.run(Inputs(request, folders), Retime(), report, folders["retime"])
    return folders, report, request


def middles():
    return [(k + 1, k / FACTOR) for k in range((COUNT - 1) * FACTOR + 1) if k % FACTOR]


def test_camera_against_truth(shot, made):
    retimed = cameras.load(made[0]["retime"] / "camera.npz")
    total = (COUNT - 1) * FACTOR + 1
    truth = camera_of(shot.scene, [k / FACTOR for k in range(total)], range(1, total + 1))
    path = np.linalg.norm(np.diff(truth.place, axis=0), axis=1).sum()
    assert retimed.solved.all() and retimed.frame.tolist() == truth.frame.tolist()
    exact = slice(None, None, FACTOR)
    assert np.allclose(retimed.world_from_camera[exact], truth.world_from_camera[exact], atol=1e-9)
    inner = slice(FACTOR, -FACTOR)  # six frames leave the outer intervals without a neighbour
    turned = pose.angle_between(retimed.world_from_camera[inner, :3, :3], truth.world_from_camera[inner, :3, :3])
    assert np.degrees(turned).max() < 0.05
    assert np.linalg.norm(retimed.place - truth.place, axis=1)[inner].max() < 0.005 * path


def test_a_longer_path_is_exact(shot):
    """Rotation below 0.05 degrees, position below 0.1 % of the path, an inserted point within 0.5 px, x8 over 24 frames."""
    count, factor = 24, 8
    solved = camera_of(shot.scene, range(count), np.arange(1, count + 1))
    track = timeline.Timeline(solved.frame, np.zeros(count, int))
    times = np.arange((count - 1) * factor + 1) / factor
    retimed = camera_at(solved, track, [track.locate(1 + t) for t in times])
    truth = camera_of(shot.scene, times, np.arange(1, len(times) + 1))
    path = np.linalg.norm(np.diff(truth.place, axis=0), axis=1).sum()
    turned = pose.angle_between(retimed.world_from_camera[:, :3, :3], truth.world_from_camera[:, :3, :3])
    assert np.degrees(turned).max() < 0.05
    assert np.linalg.norm(retimed.place - truth.place, axis=1).max() < 0.001 * path
    rows = np.arange(len(times))
    point = np.tile(truth.world_from_camera[0] @ [0.3, 0.2, 4, 1], (len(times), 1))[:, :3]
    assert np.linalg.norm(retimed.project(rows, point)[0] - truth.project(rows, point)[0], axis=1).max() < 0.5


def test_vectors_lead_from_and_to_the_neighbours(shot, made):
    """Against the true way of each pixel from one output frame to the next: on a frame of the clip, between two, and at both ends."""
    total = (COUNT - 1) * FACTOR + 1
    start = np.stack(np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5), -1)
    for number in (1, 9, 11, total):
        vector = read_exr(made[0]["interpolate"] / "vectors" / f"{number:06d}.exr")
        x, y, z, w = (vector[f"Motion.Vector.{name}"] for name in "XYZW")
        back, onward = np.stack([x, -y], -1), np.stack([-z, w], -1)
        time = (number - 1) / FACTOR
        hit = cast(shot.scene, time, SIZE)
        for found, later in ((back, time - 1 / FACTOR), (onward, time + 1 / FACTOR)):
            truth = displaced(shot.scene, hit, time, later, SIZE)[0] - start
            known = hit.depth < 1e4
            off, far = np.linalg.norm(found - truth, axis=-1)[known], np.linalg.norm(truth, axis=-1)[known]
            assert np.median(off) < 0.04 and np.median(off[far > 0.2]) < 0.25 * np.median(far[far > 0.2]), (number, later, np.median(off))


def test_tracks_follow_points_of_the_scene(shot):
    """Still points of the scene, tracked on whole frames, against where the camera sees them between; x4 over 12 frames."""
    count, factor = 12, 4
    times = np.arange((count - 1) * factor + 1) / factor
    whole, fine = (camera_of(shot.scene, t, np.arange(1, len(t) + 1)) for t in (np.arange(count), times))
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-1.5, 1.5, (40, 2)), rng.uniform(3, 7, 40), np.ones(40)] @ whole.world_from_camera[count // 2].T

    def seen(camera, row):
        return camera.project(np.full(40, row), points[:, :3])[0]

    table = [(track, row + 1, *seen(whole, row)[track]) for row in range(count) for track in range(40) if not (track == 7 and row in (4, 5))]
    given = np.array(table)
    track = timeline.Timeline(whole.frame, np.zeros(count, int))
    made = tracks.retimed(tracks.Tracks(given[:, 0].astype(int), given[:, 1].astype(int), given[:, 2:]), track, [track.locate(1 + t) for t in times])
    truth = np.stack([seen(fine, row) for row in range(len(times))])
    off = np.linalg.norm(made.xy - truth[made.frame - 1, made.track], axis=1)
    moved = np.linalg.norm(np.diff(truth[::factor], axis=0), axis=-1).mean()
    assert moved > 0.5 and off.max() < 0.05 * moved and off.mean() < 0.005 * moved, (moved, off.max(), off.mean())
    assert set(made.frame[made.track == 7]) == set(range(1, 14)) | set(range(25, 46))  # lost on frames 5 and 6: a gap, no guess


def test_depth_against_truth(shot, made):
    good, moving = [], []
    for number, time in middles():
        z, confidence = read_depth(made[0]["retime"] / "depth" / f"{number:06d}.exr")
        hit = cast(shot.scene, time, SIZE)
        truth = hit.depth
        known = (truth < 1e4) & (z > 0)
        assert known.sum() > 0.97 * (truth < 1e4).sum() and np.isfinite(z).all() and confidence.max() <= 1
        error = np.abs(z - truth) / truth
        good.append((error < 0.02)[known].mean())
        mover = np.array([body.mover for body in shot.scene.bodies] + [False])[hit.index] & known
        moving.append((error < 0.05)[mover].mean())
    assert np.mean(good) > 0.96 and np.mean(moving) > 0.85, (np.mean(good), np.mean(moving))


def test_depth_edges_are_not_mixed(shot, made):
    """No pixel lies far from every depth that its surroundings have in either frame."""
    z, _ = read_depth(made[0]["retime"] / "depth" / "000003.exr")
    edges = np.abs(np.diff(np.log(np.maximum(z, 0.1)), axis=1)) > 0.3
    between = 0
    for y, x in zip(*np.nonzero(edges)):
        if 2 <= x < SIZE[0] - 3:
            left, right = z[y, x - 2], z[y, x + 3]
            middle = z[y, x : x + 2]
            low, high = min(left, right), max(left, right)
            between += bool(((middle > low * 1.15) & (middle < high / 1.15)).any()) and high > 1.5 * low
    assert between < 0.1 * edges.sum()


def test_alpha_follows_the_mover(shot, made):
    from engine.synth.shots import picture

    overlap = []
    for number, time in middles()[::3]:
        alpha = read_png(made[0]["retime"] / "alpha" / "walker" / f"{number:06d}.png")
        assert alpha.dtype == np.uint16
        truth = picture(shot.scene, time, SIZE, 1)[1] > 0.5
        got = alpha > 32767
        overlap.append((truth & got).sum() / (truth | got).sum())
    assert np.mean(overlap) > 0.93, overlap


def test_contours_run_with_the_pictures(made):
    piece = json.loads((made[0]["retime"] / "alpha" / "walker" / "contours.json").read_text())["pieces"][0]
    assert np.allclose(piece["points"]["3"], [[15, 5], [19, 5], [19, 9]])
    # Frame 4 is output 13; up to 14 (time 4.25) it is the nearest frame, and beyond it the piece is gone.
    assert piece["first"] == 1 and piece["last"] == 14 and len(piece["points"]) == 14


def test_source_frames_are_copied_and_resume_agrees(made, tmp_path):
    folders, report, request = made
    assert (folders["retime"] / "depth" / "000005.exr").read_bytes() == (folders["consistent_depth"] / "000002.exr").read_bytes()
    before = {path: path.read_bytes() for path in folders["retime"].rglob("*") if path.is_file()}
    for name in ("depth/000003.exr", "alpha/walker/000007.png", "camera.npz"):
        (folders["retime"] / name).unlink()
    retime.run(Inputs(request, folders), Retime(), report, folders["retime"])
    assert before == {path: path.read_bytes() for path in folders["retime"].rglob("*") if path.is_file()}


def test_nothing_to_retime_is_no_failure(made, tmp_path):
    folders, _, request = made
    report = Report("", lambda message: None, lambda *step: None)
    retime.run(Inputs(request, {name: folders[name] for name in ("frames", "interpolate")}), Retime(), report, tmp_path)
    assert list(tmp_path.iterdir()) == [] and "nothing" in report.used
    retime.run(Inputs(request, {name: folders[name] for name in ("frames", "interpolate", "mattes")}), Retime(), report, tmp_path)
    assert report.used == "1 mattes" and not (tmp_path / "camera.npz").exists()


def test_the_path_does_not_run_across_a_cut(shot):
    solved = camera_of(shot.scene, range(COUNT), shot.frame)
    jumped = solved.world_from_camera.copy()
    jumped[3:, :3, 3] += 100
    track = timeline.Timeline(solved.frame, np.array([0, 0, 0, 1, 1, 1]))
    moments = [track.locate(t) for t in (2.5, 3.2, 3.8, 4.5)]
    got = camera_at(cameras.Camera(**{**solved.__dict__, "world_from_camera": jumped}), track, moments)
    assert np.all(got.place[:2] < 50) and np.all(got.place[2:, 0] > 50) and got.solved.all()


def test_unsolved_neighbours_are_said(shot):
    camera = camera_of(shot.scene, range(COUNT), shot.frame)
    camera.solved[3] = False
    track = timeline.Timeline(camera.frame, np.zeros(COUNT, int))
    got = camera_at(camera, track, [track.locate(t) for t in (1.5, 3.5, 4.0, 5.5)])
    assert got.solved.tolist() == [True, False, False, True]
