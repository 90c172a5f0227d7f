"""A camera that networks learn from the clip: from the solve to depth, motion and the report page, with its remedy and its refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine import device as devices
from engine.camera import learned
from engine.contract import options as o
from engine.contract.job import Request
from engine.failures import RequestFailure, ShotFailure
from engine.geometry import camera as cameras
from engine.geometry.camera import Camera
from engine.geometry.similarity import Similarity
from engine.media.frames import Frames, read_depth, write_png
from engine.stage import Inputs, Report
from engine.stages import consistent_depth, depth, flow, movers, orient, scene_movers, solve
from engine.store import read_json, write_json
from engine.synth.shots import Shot, render
from engine.training import learned_camera
from engine.training.depth_motion import Settings
from engine.training.learned_camera import placed

SIZE, COUNT = (128, 64), 4
NUMBERS = list(range(1, COUNT + 1))


@pytest.fixture(scope="module")
def shot() -> Shot:
    return render("handheld", COUNT, SIZE)


def lay_out(pictures: list[np.ndarray], root: Path) -> dict[str, Path]:
    for number, picture in zip(NUMBERS, pictures):
        write_png(root / f"frames/{number:06d}.png", picture)
    write_json(root / "frames/clip.json", {
        "size": list(SIZE), "fps": "24/1", "frames": NUMBERS, "times": [k / 24 for k in range(COUNT)], "cuts": [], "duplicates": [], "bits": 8,
        "source_size": list(SIZE), "source": "made", "kind": "video", "audio": False,
    })
    return {"frames": root / "frames"}


def carry_out(stage, options, folders: dict[str, Path], root: Path, on_progress=lambda *step: None) -> Report:
    name = stage.__name__.rsplit(".", 1)[-1]
    (root / name).mkdir(parents=True, exist_ok=True)
    report = Report(name, lambda message: None, on_progress)
    stage.run(Inputs(Request("clip", ("depth",), "store", device="cpu"), folders), options, report, root / name)
    folders[name] = root / name
    return report


@pytest.fixture
def quick(monkeypatch) -> o.Solve:
    """Two epochs of two steps with thin networks: what is learned is nothing yet, but all that is made of it is there."""
    monkeypatch.setattr(learned_camera, "STEPS", 2)
    monkeypatch.setattr(learned_camera, "EXPLAINED", -np.inf)
    monkeypatch.setattr(learned_camera, "EPOCHS", 2)
    monkeypatch.setattr(learned_camera, "Settings", lambda **given: Settings(**{**given, "width": 0.07, "batch": 1}))
    devices.pick("cpu")
    torch.set_num_threads(1)
    return o.Solve(method="self_supervised", learning=128)


def test_what_was_learned_goes_through_the_whole_chain(shot, quick, tmp_path) -> None:
    folders, notes = lay_out(list(shot.pictures), tmp_path), []

    class Stop(Exception):
        pass

    def stopped(done: int, total: int, note: str, loss: float | None) -> None:
        notes.append((note, loss))
        if done == 1:
            raise Stop

    for stage, options in ((flow, o.Flow()), (movers, o.Movers())):
        carry_out(stage, options, folders, tmp_path)
    with pytest.raises(Stop):
        carry_out(solve, quick, folders, tmp_path, stopped)
    assert notes[-1][0] == "learning" and notes[-1][1] > 0 and (tmp_path / "solve/training/epoch_0001.png").is_file()
    report = carry_out(solve, quick, folders, tmp_path)
    assert any("rough" in text for text in report.warnings) and len(learned.loss_of(tmp_path / "solve")) == 2, "it went on after the first epoch"
    for stage, options in (
        (orient, o.Orient()), (scene_movers, o.SceneMovers()), (depth, o.Depth()), (consistent_depth, o.ConsistentDepth()),
    ):
        carry_out(stage, options, folders, tmp_path)
    camera = cameras.load(tmp_path / "orient/camera.npz")
    assert camera.solved.all() and (camera.focal > 0).all() and np.allclose(np.linalg.det(camera.world_from_camera[:, :3, :3]), 1)
    for number in NUMBERS:
        z, _ = read_depth(tmp_path / f"consistent_depth/{number:06d}.exr")
        assert (z > 0).all() and np.isfinite(z).all()
        assert read_depth(tmp_path / f"depth/{number:06d}.exr")[1].max() < 0.31, "nothing has measured it"
    with np.load(tmp_path / "consistent_depth/motion/000001.npz") as held:
        assert held["motion"].shape == (64, 128, 3) and held["motion"].dtype == np.float16
    page = (tmp_path / "consistent_depth/report/report.html").read_text(encoding="utf-8")
    for name in re.findall(r'src="([^"]+)"', page):
        assert (tmp_path / "consistent_depth/report" / name).is_file()
    assert "http" not in page and "ssim" in page and "<canvas" in page
    held = json.loads(re.search(r'<script id="world-data"[^>]*>(.*?)</script>', page, re.S).group(1))
    assert held["frames"] == NUMBERS and len(held["poses"]) == COUNT


def test_the_path_is_that_of_the_steps(shot, monkeypatch) -> None:
    """Steps as the networks say them, there and back, made of the true path: depth, camera and motion come out true."""
    poses = shot.world_from_camera
    relative = [np.linalg.inv(after) @ before for before, after in zip(poses, poses[1:])]
    told = iter(zip(relative, shot.depth, shot.depth[1:]))

    def says(learner, first, second, where) -> object:
        there, near, far = next(told)
        back = np.linalg.inv(there)
        lens = np.array([[150.0, 0, 63.5], [0, 140, 31.5], [0, 0, 1]])
        part = {
            "depth": np.stack([near, far])[:, None], "background": np.stack([there, back])[:, :3, 3, None, None], "intrinsics": np.stack([lens, lens]),
            "residual": np.broadcast_to(np.array([1.0, 2, 3])[None, :, None, None], (2, 3, *near.shape)),
        }
        tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in part.items()}
        return SimpleNamespace(**tensors, rotation=np.stack([there, back])[:, :3, :3])

    monkeypatch.setattr(learned_camera, "say", says)
    monkeypatch.setattr(learned_camera, "rotations", torch.from_numpy)
    span = learned_camera._span(None, shot.pictures, NUMBERS, torch.device("cpu"))
    assert np.allclose(poses[0] @ span.world_from_camera, poses, atol=1e-9)
    assert span.depth.shape == shot.depth.shape and np.allclose(span.focal, (150, 140)) and np.allclose(span.centre, (64, 32))
    moved = placed(span, poses[0][:3, :3], 2.0)
    assert np.allclose(moved.motion[1, 5, 5], 2 * poses[2][:3, :3] @ (1, 2, 3), atol=1e-5), "motion stands in the axes of the world"
    assert np.allclose(moved.world_from_camera[:, :3, 3], 2 * (poses[:, :3, 3] - poses[0][:3, 3]), atol=1e-9)


def test_points_stand_where_depth_has_them_and_follow_the_world(shot, tmp_path) -> None:
    from engine.camera.tracks import Tracks

    camera = Camera(np.array(NUMBERS), shot.world_from_camera, shot.focal, shot.centre, 0 * shot.distortion, np.ones(COUNT, bool), SIZE)
    point = np.array([[0.3, 1.5, 0.7]])
    xy = np.concatenate([camera.project(np.array([row]), point)[0] for row in range(COUNT)])
    z = np.concatenate([camera.project(np.array([row]), point)[1] for row in range(COUNT)])
    flat = np.ones((COUNT, 32, 64), np.float32) * z[:, None, None].astype(np.float32)
    tracks = Tracks(np.zeros(COUNT, int), np.arange(COUNT), xy, np.zeros(COUNT, bool))
    assert np.allclose(learned.points(camera, np.arange(COUNT), flat, tracks, SIZE), point, atol=1e-4)
    learned.write(tmp_path / "solve", NUMBERS, flat, np.ones((COUNT - 1, 32, 64, 3), np.float32), [{"total": 1.0}])
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    learned.moved(tmp_path / "solve", tmp_path / "orient", [(1, COUNT, Similarity(2.0, turn, np.zeros(3)))])
    with np.load(tmp_path / "orient/learned/000002.npz") as held, np.load(tmp_path / "orient/learned/motion/000002.npz") as motion:
        assert np.allclose(1 / held["inverse"], 2 * z[1]) and np.allclose(motion["motion"][3, 4], (-2, 2, 2))
    assert read_json(tmp_path / "orient/learned/prior.json")["kind"] == "world"


def test_a_solve_without_tracks_offers_to_learn(tmp_path) -> None:
    random = np.random.default_rng(0)
    folders = lay_out([random.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8) for _ in NUMBERS], tmp_path)
    for stage, options in ((flow, o.Flow()), (movers, o.Movers())):
        carry_out(stage, options, folders, tmp_path)
    with pytest.raises(ShotFailure) as refused:
        carry_out(solve, o.Solve(), folders, tmp_path)
    assert refused.value.change == {"solve": {"method": "self_supervised"}} and "networks learn" in refused.value.remedy


def test_what_explains_nothing_is_refused_and_what_is_true_is_not(shot, quick, monkeypatch, tmp_path) -> None:
    """Networks after four steps know nothing; the true depth and path explain most of the change between two frames."""
    monkeypatch.setattr(learned_camera, "EXPLAINED", 0.1)
    frames = Frames(lay_out(list(shot.pictures), tmp_path)["frames"])
    with pytest.raises(ShotFailure, match="was not learned") as refused:
        learned_camera.learned(frames, 128, 0.5, "", torch.device("cpu"), tmp_path / "room", lambda *told: None)
    assert refused.value.change == {"solve": {"effort": 2.0}}
    poses, gap = shot.world_from_camera, COUNT - 1

    def says(learner, first, second, where) -> object:
        there = np.linalg.inv(poses[gap]) @ poses[0]
        both = np.stack([there, np.linalg.inv(there)])
        lens = np.array([[shot.focal[0, 0], 0, shot.centre[0, 0] - 0.5], [0, shot.focal[0, 1], shot.centre[0, 1] - 0.5], [0, 0, 1]])
        rgb = np.stack([first, second]).transpose(0, 3, 1, 2) / 255
        depth = np.where(shot.depth[[0, gap]] > 0, shot.depth[[0, gap]], 80)[:, None]
        held = {"rgb": rgb, "depth": depth, "background": both[:, :3, 3, None, None], "residual": 0 * rgb, "intrinsics": np.stack([lens, lens])}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)) for name, value in held.items()}
        return SimpleNamespace(**tensors, rotation=torch.from_numpy(both[:, :3, :3].astype(np.float32)))

    monkeypatch.setattr(learned_camera, "say", says)
    monkeypatch.setattr(learned_camera, "rotations", lambda turn: turn)
    assert learned_camera._explained(None, [shot.pictures], gap, torch.device("cpu")) > 0.2


def test_what_cannot_be_learned_is_refused(quick, tmp_path) -> None:
    folders = lay_out([np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)] * COUNT, tmp_path)
    frames = Frames(folders["frames"])
    ignored = (torch.device("cpu"), tmp_path / "room", lambda *told: None)
    with pytest.raises(ShotFailure, match="hardly differ"):
        learned_camera.learned(frames, 128, 1.0, "", *ignored)
    (tmp_path / "none.npz").write_bytes(b"nothing")
    with pytest.raises(RequestFailure, match="none.npz"):
        learned_camera.learned(frames, 128, 1.0, str(tmp_path / "none.npz"), *ignored)
