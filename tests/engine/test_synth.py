"""The made shots are what they say: flow, depth, camera, matte and in-between pictures agree with one another."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from engine.media.frames import read_depth
from engine.synth import __main__ as command
from engine.synth.caster import distort, undistort
from engine.synth.shots import SHOTS, render

SIZE = (160, 90)


@pytest.fixture(scope="module")
def shots() -> dict:
    return {name: render(name, 3, SIZE, clean=True) for name in SHOTS}


def _through_opencv(shot, row: int) -> np.ndarray:
    """Still pixels of a frame carried to the next by depth and camera, with OpenCV's own lens model."""
    focal, centre = shot.focal, shot.centre
    matrices = [np.array([[f[0], 0, c[0]], [0, f[1], c[1]], [0, 0, 1]]) for f, c in zip(focal, centre)]
    start = np.stack(np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5), -1).reshape(-1, 1, 2)
    plane = cv2.undistortPointsIter(start, matrices[row], shot.distortion[row], None, None, (3, 100, 1e-12)).reshape(-1, 2)
    local = np.c_[plane, np.ones(len(plane))] * shot.depth[row].reshape(-1, 1)
    pose = shot.world_from_camera[row]
    world = local @ pose[:3, :3].T + pose[:3, 3]
    camera_from_world = np.linalg.inv(shot.world_from_camera[row + 1])
    turn, _ = cv2.Rodrigues(camera_from_world[:3, :3])
    seen, _ = cv2.projectPoints(world, turn, camera_from_world[:3, 3], matrices[row + 1], shot.distortion[row + 1])
    return (seen - start).reshape(SIZE[1], SIZE[0], 2)


@pytest.mark.parametrize("name", SHOTS)
def test_flow_of_still_pixels_is_reprojection(shots, name) -> None:
    shot = shots[name]
    still = ~shot.moving[0] & (shot.depth[0] > 0)
    error = np.linalg.norm(_through_opencv(shot, 0) - shot.flow[0], axis=-1)[still & shot.visible[0]]
    assert len(error) > 5000
    assert error.max() < 0.01


@pytest.mark.parametrize("name", ["handheld", "large_mover", "static", "loop"])
def test_flow_finds_the_same_colour(shots, name) -> None:
    """Warped back by the true flow, the next picture is the first one: far nearer than without."""
    shot = shots[name]
    x, y = np.meshgrid(np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32))
    first, second = (cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.0) for picture in shot.pictures[:2])
    back = cv2.remap(second, x + shot.flow[0, ..., 0], y + shot.flow[0, ..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    here = shot.visible[0] & (np.abs(shot.flow[0]).max(-1) > 0.3)
    before, after = np.abs(second - first)[here].mean(), np.abs(back - first)[here].mean()
    assert after < 0.4 * before


def test_alpha_is_antialiased_and_agrees_with_the_mask(shots) -> None:
    shot = shots["static"]
    assert ((shot.alpha > 0) & (shot.alpha < 1)).any()
    assert (shot.moving == (shot.alpha > 0.5)).mean() > 0.99
    assert not shots["orbit"].moving.all() and not shots["zoom_still"].moving.any()


def test_between_is_between(shots) -> None:
    """At a whole time the true picture equals the frame; half-way it lies nearer to both than they to each other."""
    shot = shots["loop"]
    assert (shot.between(2.0) == shot.pictures[1]).all()
    middle = shot.between(1.5).astype(float)
    apart = np.abs(shot.pictures[1].astype(float) - shot.pictures[0]).mean()
    assert max(np.abs(middle - shot.pictures[i]).mean() for i in (0, 1)) < apart


def test_static_shots_do_not_translate_and_zooms_change_the_focal(shots) -> None:
    for name in ("static", "tripod_pan", "zoom_still"):
        assert np.ptp(shots[name].world_from_camera[:, :3, 3], axis=0).max() == 0
    assert np.ptp(shots["zoom_still"].focal) > 1 and np.ptp(shots["orbit"].focal) == 0


def test_undistort_inverts_distort() -> None:
    plane = np.random.default_rng(0).uniform(-0.8, 0.8, (500, 2)) * (1, 0.56)
    lens = (-0.24, 0.05, 0.001, -0.002)
    assert np.abs(undistort(distort(plane, lens), lens) - plane).max() < 1e-8


def test_command_writes_the_contract(tmp_path) -> None:
    assert command.main(["handheld", "--out", str(tmp_path), "--frames", "3", "--size", "96x54"]) == 0
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        decoded = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    shot = render("handheld", 3, (96, 54))
    assert len(decoded) == 3
    assert np.abs(decoded[1].astype(float) - shot.pictures[1]).mean() < 4
    depth = read_depth(tmp_path / "depth" / "000002.exr")[0]
    assert (depth == shot.depth[1]).all()
    alpha = cv2.imread(str(tmp_path / "alpha" / "000002.png"), cv2.IMREAD_UNCHANGED)
    assert alpha.dtype == np.uint16 and np.abs(alpha / 65535 - shot.alpha[1]).max() < 1e-4
    with np.load(tmp_path / "flow" / "000001.npz") as flow:
        assert (flow["flow"] == shot.flow[0]).all()
    with np.load(tmp_path / "camera.npz") as camera:
        assert set(camera) == {"frame", "world_from_camera", "focal", "centre", "distortion", "solved", "size"}
    assert (tmp_path / "between" / "000002.png").is_file()
