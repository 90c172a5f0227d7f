"""Which way is up, and where the floor lies: on made shots that are turned any way, with the witnesses together and alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_camera_pictures import lay_down, run

from engine.camera import outcome
from engine.contract.options import Orient
from engine.geometry import camera, ground, lens, upright
from engine.geometry.pose import rotation_from_vector
from engine.geometry.similarity import Similarity
from engine.stages import orient
from engine.synth.caster import SKY, cast
from engine.synth.shots import SHOTS, picture

SIZE, EVERY = (480, 270), 5


def solved_as(name: str, folder: Path) -> tuple[Path, Path, np.ndarray]:
    """A shot's frames, its true camera and points as a solve would give them, in a world turned anyhow; and that world's up."""
    scene, times = SHOTS[name](30), range(0, 30, EVERY)
    pictures = lay_down(folder, [picture(scene, time, SIZE, 1)[0] for time in times])
    views, random = [scene.view(time) for time in times], np.random.default_rng(7)
    focal, centre = np.array([[view.focal * SIZE[0]] * 2 for view in views]), np.tile(np.array(SIZE) / 2, (len(views), 1))
    poses, bent = np.stack([view.world_from_camera for view in views]), np.array([view.distortion for view in views])
    rays = lens.rays(SIZE, SIZE, focal[0], centre[0], bent[0])
    depth = cast(scene, 0, SIZE).depth
    v, u = np.argwhere(depth < SKY)[random.choice((depth < SKY).sum(), 700, replace=False)].T
    local = rays[v, u] * (depth[v, u] * random.normal(1, 0.01, 700))[:, None]
    turned = Similarity(3.0, rotation_from_vector(np.array([1.1, -0.7, 2.0])), np.array([4.0, -2, 9]))
    xyz = turned.points(local @ poses[0, :3, :3].T + poses[0, :3, 3])
    numbers = np.arange(11, 11 + len(views))
    held = camera.Camera(numbers, turned.poses(poses), focal, centre, bent, np.ones(len(views), bool), SIZE)
    row = np.arange(700)
    about = {"scale": "arbitrary", "motion": "free", "spans": [{"first": 11, "last": int(numbers[-1]), "solved": True}],
             "distrust": [], "verdict": "good", "method": "made", "focal": {"px": 1.0, "mm36": 1.0}, "solved": 6, "total": 6, "points": 700,
             "error": {"mean": 0, "frames": {}}, "tracks": {}, "warnings": []}
    shot = outcome.Outcome(held, xyz, np.full((700, 3), 128, np.uint8), np.zeros(700), np.full(700, 6), row, np.full(700, 11), np.stack([u, v], 1) + 0.5, about)
    (folder / "solve").mkdir()
    shot.write(folder / "solve")
    return pictures, folder / "solve", poses


@pytest.mark.parametrize(("name", "ground_at"), [("tabletop", 0.75), ("stairs", 0.0), ("walk_forward", 0.0)])
def test_any_world_is_set_upright(name: str, ground_at: float, tmp_path: Path) -> None:
    pictures, solve, truth = solved_as(name, tmp_path)
    got = outcome.read(run(orient, Orient(), tmp_path, "orient", frames=pictures, solve=solve))
    up = got.camera.world_from_camera[:, 2, :3]  # the world's up in camera axes
    off = np.degrees(np.arccos(np.clip((up * truth[:, 2, :3]).sum(1), -1, 1)))
    told = got.report["up"]
    assert off.max() < 2, (off, told)
    assert told["confidence"] > 0.6 and got.report["scale"] == "assumed"
    above = truth[:, 2, 3] - ground_at
    assert np.allclose(got.camera.place[:, 2], above * 1.6 / np.median(above), rtol=0.04)


def witness(degrees: float = -70, **more: np.ndarray) -> upright.Witness:
    """A camera that looks 70 degrees down and pans a little, with what else is said."""
    pitch, yaw = np.radians(degrees), np.radians(np.linspace(-2, 2, 9))
    ahead = np.stack([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), np.full(9, np.sin(pitch))], 1)
    right = np.stack([np.cos(yaw), -np.sin(yaw), 0 * yaw], 1)
    nothing = {"middle": np.zeros((0, 3)), "way": np.zeros((0, 3)), "weight": np.zeros(0), "normals": np.zeros((0, 3)), "shares": np.zeros(0)}
    return upright.Witness(**{"right": right, "ahead": ahead, **nothing, **more})


def test_a_steep_view_needs_a_plane_and_says_so_without() -> None:
    lost, sure = upright.find(witness())
    assert sure < 0.6 and abs(lost[0]) < 0.05  # the pan says what is level across, not how far the camera looks down
    up, sure = upright.find(witness(normals=np.array([[0, 0, -1.0]]), shares=np.array([0.5])))
    assert up[2] > 0.9998 and sure > 0.8  # a wall that the camera looks up at would look the same


def test_a_wall_seen_head_on_is_no_floor() -> None:
    up, sure = upright.find(witness(-6, normals=np.array([[0, -1.0, 0], [0, 0, 1.0]]), shares=np.array([0.45, 0.25])))
    assert up[2] > 0.999 and sure > 0.6


def test_a_plane_that_makes_the_camera_roll_is_no_floor() -> None:
    lean = np.array([0.5, 0.4, 0.77])  # full of points, but the camera would hang askew by 30 degrees
    lean /= np.linalg.norm(lean)
    up, _ = upright.find(witness(normals=np.array([lean, [0, 0, 1.0]]), shares=np.array([0.3, 0.2])))
    assert up[2] > 0.999


def test_edges_tell_up_alone() -> None:
    random = np.random.default_rng(2)
    axes = rotation_from_vector(np.array([0, 0, 0.4]))
    middle = random.normal(size=(150, 3)) * 0.3 + [0, 0.8, -0.6]
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    way = axes[random.integers(0, 3, 150)] + random.normal(0, 0.01, (150, 3))
    way[:50] = random.normal(size=(50, 3))  # a third runs anyhow
    way -= (way * middle).sum(1, keepdims=True) * middle
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    up, sure = upright.find(witness(middle=middle, way=way, weight=np.ones(150)))
    assert np.degrees(np.arccos(up[2])) < 1 and sure > 0.9


def test_the_floor_has_nothing_beneath_it() -> None:
    random = np.random.default_rng(3)
    shelf, floor, rest = random.normal(1.0, 0.005, 300), random.normal(0, 0.005, 100), random.uniform(0.05, 4, 600)
    level, share = ground.floor(np.concatenate([shelf, floor, rest]), 1.7, (0.005, 0.01, 0.02))
    assert abs(level) < 0.01 and 0.08 < share < 0.2
    level, share = ground.floor(np.concatenate([shelf, floor, rest]), 1.7, (0.005, 0.01, 0.02))
    bare = ground.floor(random.uniform(0, 4, 600), 1.7, (0.005, 0.01, 0.02))
    assert bare is not None and bare[0] < 0.1
    assert ground.floor(random.uniform(2, 4, 600), 1.7, (0.005, 0.01, 0.02)) is None
