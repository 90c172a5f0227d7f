"""Geometry against closed forms and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.geometry import camera, ground, lens, pose, reprojection
from engine.geometry.similarity import Similarity, align
from engine.geometry.splat import splat, swung
from engine.metrics.trajectory import compare

RANDOM = np.random.default_rng(1)
DISTORTION = np.array([-0.21, 0.06, 0.002, -0.001])


def turns(count: int) -> np.ndarray:
    return pose.rotation_from_vector(RANDOM.normal(size=(count, 3)))


def test_rotation_vector_and_quaternion_return() -> None:
    vectors = np.concatenate([RANDOM.normal(size=(50, 3)), np.zeros((1, 3)), [[np.pi - 1e-6, 0, 0]], [[0, 1e-9, 0]]])
    rotation = pose.rotation_from_vector(vectors)
    assert np.allclose(pose.rotation_from_vector(pose.vector_from_rotation(rotation)), rotation, atol=1e-9)
    assert np.allclose(pose.rotation_from_quaternion(pose.quaternion_from_rotation(rotation)), rotation, atol=1e-12)
    assert np.allclose(rotation[3], cv2.Rodrigues(vectors[3])[0])


def test_poses_invert_and_interpolate() -> None:
    known = pose.pose(turns(4), RANDOM.normal(size=(4, 3)))
    assert np.allclose(pose.invert(known) @ known, np.eye(4))
    between = pose.interpolate([1, 2, 5, 6], known, [1, 2, 3.5, 6, 9])
    assert np.allclose(between[[0, 1, 3, 4]], known[[0, 1, 3, 3]])
    assert np.isclose(pose.angle_between(between[2, :3, :3], known[1, :3, :3]), pose.angle_between(between[2, :3, :3], known[2, :3, :3]))


def test_a_steady_move_stays_steady() -> None:
    frames = np.arange(6.0)
    steady = pose.pose(pose.rotation_from_vector(frames[:, None] * [0, 0.1, 0]), frames[:, None] * [1.0, 2, 3])
    half = pose.interpolate(frames, steady, frames[:-1] + 0.5)
    assert np.allclose(half[:, :3, 3], (frames[:-1, None] + 0.5) * [1, 2, 3])


def test_lens_matches_opencv() -> None:
    xyz = RANDOM.uniform([-1, -0.6, 2], [1, 0.6, 4], (200, 3))
    focal, centre = np.array([500.0, 510.0]), np.array([320.0, 181.0])
    matrix = np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]])
    expected = cv2.projectPoints(xyz, np.zeros(3), np.zeros(3), matrix, DISTORTION)[0][:, 0]
    xy = lens.project(xyz, focal, centre, DISTORTION)
    assert np.allclose(xy, expected, atol=1e-9)
    assert np.allclose(lens.unproject(xy, focal, centre, DISTORTION), xyz / xyz[:, 2:], atol=1e-9)


def test_rays_meet_pixel_centres_at_any_size() -> None:
    focal, centre = np.array([400.0, 400.0]), np.array([160.0, 90.0])
    half = lens.rays((160, 90), (320, 180), focal, centre, np.zeros(4))
    assert half.shape == (90, 160, 3)
    assert np.allclose(half[0, 0], [(1 - 160) / 400, (1 - 90) / 400, 1])


def test_similarity_is_found_and_undone() -> None:
    truth = Similarity(2.5, turns(1)[0], np.array([1.0, -2, 3]))
    source = RANDOM.normal(size=(20, 3))
    found = align(source, truth.points(source))
    assert np.isclose(found.scale, 2.5) and np.allclose(found.rotation, truth.rotation)
    assert np.allclose(found.inverse().points(found.points(source)), source)
    assert np.allclose(found.after(found.inverse()).points(source), source)


def test_triangulation_gives_the_points_back() -> None:
    xyz = RANDOM.uniform([-2, -1, 4], [2, 1, 8], (40, 3))
    poses = pose.pose(pose.rotation_from_vector(RANDOM.normal(size=(5, 3)) * 0.05), RANDOM.normal(size=(5, 3)) * 0.4)
    point, view = (a.ravel() for a in np.meshgrid(np.arange(40), np.arange(5)))
    local = np.einsum("nij,nj->ni", pose.invert(poses)[view, :3, :3], xyz[point] - poses[view, :3, 3])
    found = reprojection.triangulate(local / local[:, 2:], poses, point, view, 40)
    assert np.allclose(found, xyz)
    assert (reprojection.parallax(xyz, poses[:, :3, 3], point, view) > 0.01).all()
    parallel = reprojection.triangulate(local[:1], poses, point[:1] * 0, view[:1], 1)
    assert np.isnan(parallel).all()


def test_plane_and_up() -> None:
    up = turns(1)[0] @ [0, 0, 1.0]
    across = np.linalg.svd(up[None])[2][1:]
    floor = RANDOM.uniform(-5, 5, (300, 2)) @ across + 0.7 * up + RANDOM.normal(size=(300, 3)) * 0.01
    wall = RANDOM.uniform(-5, 5, (150, 2)) @ np.stack([across[0], up]) - 2 * across[1]
    first, second = ground.planes(np.concatenate([floor, wall, RANDOM.uniform(-5, 5, (200, 3))]), 0.05)
    assert abs(first.normal @ up) > 0.9999 and abs(abs(first.offset) - 0.7) < 0.02 and 0.4 < first.share < 0.5
    assert abs(second.normal @ across[1]) > 0.9999 and 0.15 < second.share < 0.25
    assert np.allclose(ground.turn_onto(up, np.array([0, 0, 1.0])) @ up, [0, 0, 1])
    assert np.allclose(ground.turn_onto(up, -up) @ up, -up)


def test_camera_returns_from_disk(tmp_path) -> None:
    poses = pose.pose(turns(3), RANDOM.normal(size=(3, 3)))
    one = camera.Camera(
        np.array([7, 8, 11]), poses, np.full((3, 2), 500.0), np.full((3, 2), 160.0), np.zeros((3, 4)), np.array([1, 0, 1], bool), (320, 180)
    )
    one.save(tmp_path / "camera.npz")
    again = camera.load(tmp_path / "camera.npz")
    assert again.size == (320, 180) and np.array_equal(again.world_from_camera, poses) and again.row(11) == 2
    assert np.allclose(again.scaled((640, 360)).focal, 1000)
    with pytest.raises(KeyError):
        again.row(9)


def test_trajectory_error_knows_similarity_and_error() -> None:
    truth = pose.pose(turns(20), np.linspace(0, 1, 20)[:, None] * [10.0, 0, 0] + RANDOM.normal(size=(20, 3)))
    free = Similarity(0.1, turns(1)[0], np.ones(3))
    perfect = compare(free.poses(truth), truth, np.full(20, 500.0), np.full(20, 500.0))
    assert perfect.ate_percent < 1e-9 and perfect.rotation_degrees < 1e-6 and perfect.focal_percent == 0
    shaken = truth.copy()
    shaken[:, :3, 3] += RANDOM.normal(size=(20, 3)) * 0.1
    assert 0.05 < compare(shaken, truth).ate_percent < 5


def test_points_cover_what_lies_behind_them() -> None:
    """A near square of 4 px stands before a far one of 8 px, whichever comes first; what lies behind the camera is not seen."""
    xyz = np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 8.0], [0.0, 0.0, -2.0]])
    rgb, across = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]), np.array([0.08, 0.64, 9.0])
    for order in ([0, 1, 2], [2, 1, 0]):
        seen = splat(xyz[order], rgb[order], across[order], np.eye(4), np.full(2, 100.0), np.array([20.5, 20.5]), (41, 41), behind=0.2)
        red, green = (seen == [255, 0, 0]).all(-1), (seen == [0, 255, 0]).all(-1)
        assert red[18:23, 18:23].all() and red.sum() == 25
        assert (green | red)[16:25, 16:25].all() and green.sum() == 81 - 25
        assert (seen[~(red | green)] == 51).all()


def test_a_swing_keeps_its_pivot_and_its_height() -> None:
    start = pose.pose(cv2.Rodrigues(np.array([-1.4, 0.3, 0.1]))[0].T, np.array([1.0, 2.0, 3.0]))
    there = swung(start, 4.0, 0.5)
    pivots = [matrix[:3, 3] + 4.0 * matrix[:3, 2] for matrix in (start, there)]
    assert np.allclose(*pivots) and there[2, 3] == pytest.approx(start[2, 3])
    assert pose.angle_between(start[:3, :3], there[:3, :3]) == pytest.approx(0.5)
