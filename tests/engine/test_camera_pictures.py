"""Movers, solve and orient on pictures: a made shot with truth, KITTI and 7-Scenes against their poses, clips that must be refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.camera import outcome
from engine.contract.job import Request
from engine.contract.options import Flow, Frames, Movers, Orient, Solve
from engine.failures import RequestFailure, ShotFailure
from engine.geometry import lens
from engine.media.frames import read_png, write_png
from engine.metrics.trajectory import compare
from engine.stage import Inputs, Report
from engine.stages import flow, frames, movers, orient, solve
from engine.synth.shots import render

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the real footage (../shared/clips) is not here")


def run(stage, options, root: Path, name: str, clip: str = "", last: int | None = None, **inputs: Path) -> Path:
    room = root / name
    room.mkdir(parents=True, exist_ok=True)
    report = Report(name, lambda message: None, lambda *step: None)
    stage.run(Inputs(Request(clip=clip, wants=("camera",), store="", last=last), inputs), options, report, room)
    return room


def lay_down(root: Path, pictures: list[np.ndarray]) -> Path:
    """A finished frames folder of RGB pictures, numbered from 11."""
    numbers = list(range(11, 11 + len(pictures)))
    for number, picture in zip(numbers, pictures):
        write_png(root / "frames" / f"{number:06d}.png", picture)
    height, width = pictures[0].shape[:2]
    about = {"size": [width, height], "fps": "24/1", "frames": numbers, "times": [n / 24 for n in numbers], "cuts": [], "duplicates": [],
             "bits": 8, "source_size": [width, height], "source": "", "kind": "sequence", "audio": False}
    (root / "frames" / "clip.json").write_text(json.dumps(about))
    return root / "frames"


def empty_masks(root: Path, folder: Path) -> Path:
    about = json.loads((folder / "clip.json").read_text())
    for number in about["frames"]:
        write_png(root / "movers" / f"{number:06d}.png", np.zeros(about["size"][::-1], np.uint8))
    return root / "movers"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The hand-held shot with a walking figure, through flow, movers, solve and orient."""
    root = tmp_path_factory.mktemp("made")
    shot = render("handheld", 24, (320, 180))
    (root / "frames").mkdir()
    pictures = lay_down(root, list(shot.pictures))
    flows = run(flow, Flow(), root, "flow", frames=pictures)
    masks = run(movers, Movers(), root, "movers", frames=pictures, flow=flows)
    solved = run(solve, Solve(), root, "solve", frames=pictures, movers=masks)
    return root, shot, masks, solved, run(orient, Orient(), root, "orient", frames=pictures, solve=solved)


def test_movers_are_found(made) -> None:
    _, shot, masks, _, _ = made
    overlap = []
    for number, alpha in zip(range(11, 35), shot.alpha):
        truth, found = np.asarray(alpha) > 0.5, read_png(masks / f"{number:06d}.png") > 127
        assert found.shape == truth.shape
        grown = cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))) > 0  # masks are widened on purpose
        overlap.append([(truth & found).sum() / max(truth.sum(), 1), (found & ~grown).sum() / found.size])
    caught, beyond = np.mean(overlap, axis=0)
    assert caught > 0.85 and beyond < 0.06


def test_camera_of_the_made_shot(made) -> None:
    _, shot, _, solved, _ = made
    got = outcome.read(solved)
    assert got.camera.solved.all() and got.camera.frame.tolist() == list(range(11, 35)) and got.camera.size == (320, 180)
    error = compare(got.camera.world_from_camera, np.asarray(shot.world_from_camera), got.camera.focal[:, 0], np.asarray(shot.focal).reshape(24, -1)[:, 0])
    assert error.ate_percent < 0.2 and error.rotation_degrees < 0.2 and error.focal_percent < 2, error
    assert got.residuals().mean() < 0.3 and got.report["verdict"] == "good" and got.report["scale"] == "arbitrary"
    assert np.allclose(got.camera.world_from_camera[0, :3, 3], 0, atol=1e-9) and np.allclose(got.camera.world_from_camera[0, :3, 2], [0, 1, 0])


def test_every_file_is_there_and_agrees(made) -> None:
    _, _, _, solved, oriented = made
    for folder in (solved, oriented):
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert names >= {"camera.npz", "points.npz", "points.ply", "tracks.npz", "report.json", "report.png",
                         "colmap/cameras.txt", "colmap/images.txt", "colmap/points3D.txt"}
    pycolmap = pytest.importorskip("pycolmap")
    scene, got = pycolmap.Reconstruction(oriented / "colmap"), outcome.read(oriented)
    assert scene.num_images() == 24 and scene.num_points3D() == len(got.xyz)
    assert abs(scene.compute_mean_reprojection_error() - got.residuals().mean()) < 0.05
    image = scene.images[20]
    row = got.camera.row(20)
    assert np.allclose(image.cam_from_world().matrix(), got.camera.camera_from_world[row, :3], atol=1e-6)
    # COLMAP's OPENCV model is ours.
    mine = lens.project(np.array([[0.3, -0.2, 1.5]]), got.camera.focal[row], got.camera.centre[row], got.camera.distortion[row])
    assert np.allclose(image.camera.img_from_cam(np.array([[0.3, -0.2, 1.5]])), mine, atol=1e-6)


def test_oriented_world_stands_on_its_floor(made) -> None:
    _, shot, _, solved, oriented = made
    got, truth = outcome.read(oriented), np.asarray(shot.world_from_camera)
    assert got.report["scale"] == "assumed"
    down, true_down = got.camera.world_from_camera[:, 2, 1], truth[:, 2, 1]
    assert np.degrees(np.abs(np.arccos(np.clip(down, -1, 1)) - np.arccos(np.clip(true_down, -1, 1)))).max() < 2
    assert np.allclose(got.camera.place[:, 2], truth[:, 2, 3], atol=0.15)  # the truth's floor lies at 0, its camera at 1.6 m
    again = run(orient, Orient(up="none"), oriented.parent, "as solved", frames=solved.parent / "frames", solve=solved)
    assert np.allclose(outcome.read(again).camera.world_from_camera, outcome.read(solved).camera.world_from_camera)


def test_own_masks(tmp_path: Path) -> None:
    pictures = lay_down(tmp_path / "shot", [np.zeros((36, 64, 3), np.uint8)] * 2)
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "flow.json").write_text(json.dumps({"size": [64, 36], "gaps": [1]}))
    mine = tmp_path / "mine"
    big = np.zeros((72, 128), np.uint8)
    big[20:40, 30:70] = 255
    for number in (11, 12):
        write_png(mine / f"matte_v2.{number:04d}.png", big)
    room = run(movers, Movers(masks=str(mine), grow=0), tmp_path, "movers", frames=pictures, flow=tmp_path / "flow")
    assert (read_png(room / "000011.png") > 0).sum() == 20 * 40 // 4
    (mine / "matte_v2.0012.png").unlink()
    with pytest.raises(RequestFailure) as caught:
        run(movers, Movers(masks=str(mine)), tmp_path, "again", frames=pictures, flow=tmp_path / "flow")
    assert caught.value.code == "masks-missing" and "12" in caught.value.why
    write_png(mine / "matte_v2.0012.png", big.T.copy())  # drawn on the clip before it was turned
    with pytest.raises(RequestFailure) as caught:
        run(movers, Movers(masks=str(mine)), tmp_path, "turned", frames=pictures, flow=tmp_path / "flow")
    assert caught.value.code == "masks-shape" and "72 x 128" in caught.value.why


@needs_clips
def test_kitti_against_its_poses(tmp_path: Path) -> None:
    source = CLIPS / "3_gt" / "pose_kitti_a"
    pictures = run(frames, Frames(size=800), tmp_path, "frames", clip=str(source / "image_l"), last=34)
    got = outcome.read(run(solve, Solve(), tmp_path, "solve", frames=pictures, movers=empty_masks(tmp_path, pictures))).camera
    truth = np.loadtxt(source / "poses.txt").reshape(-1, 3, 4)
    rows = np.concatenate([truth, np.tile([[[0, 0, 0, 1.0]]], (len(truth), 1, 1))], 1)[got.frame]
    assert got.solved.all() and compare(got.world_from_camera, rows).ate_percent < 1


@needs_clips
@pytest.mark.parametrize(("name", "code"), [("white_noise.mp4", "no-tracks"), ("black.mp4", "no-tracks")])
def test_refused_clips(tmp_path: Path, name: str, code: str) -> None:
    pictures = run(frames, Frames(size=320), tmp_path, "frames", clip=str(CLIPS / "5_derived" / name), last=20)
    with pytest.raises(ShotFailure) as caught:
        run(solve, Solve(), tmp_path, "solve", frames=pictures, movers=empty_masks(tmp_path, pictures))
    assert caught.value.code == code and caught.value.remedy
