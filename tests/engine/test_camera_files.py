"""Cameras to and from other programs: COLMAP text, .chan, transforms.json, straight plates, ST maps; and files that cannot be used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation
from test_camera_pictures import empty_masks, lay_down, run

from engine.camera import formats, given, judgement, outcome, straight
from engine.contract.options import Export, Orient, Solve
from engine.failures import RequestFailure
from engine.geometry.camera import Camera, load
from engine.media.exr import read_exr
from engine.media.frames import read_png
from engine.stages import export, orient, solve
from engine.synth.scene import Scene
from engine.synth.shots import SHOTS, picture

SIZE, COUNT = (384, 216), 10


@pytest.fixture(scope="module")
def shot(tmp_path_factory) -> tuple[Path, Scene, Camera]:
    """The strongly distorted shot as finished frames, and its true camera."""
    root, scene = tmp_path_factory.mktemp("shot"), SHOTS["strong_distortion"](40)
    views = [scene.view(3 * time) for time in range(COUNT)]
    lay_down(root, [picture(scene, 3 * time, SIZE)[0] for time in range(COUNT)])
    empty_masks(root, root / "frames")
    camera = Camera(
        np.arange(11, 11 + COUNT), np.stack([view.world_from_camera for view in views]), np.array([[view.focal * SIZE[0]] * 2 for view in views]),
        np.tile(np.array(SIZE) / 2, (COUNT, 1)), np.array([view.distortion for view in views]), np.ones(COUNT, bool), SIZE,
    )
    return root, scene, camera


def alone(camera: Camera) -> outcome.Outcome:
    """The camera without a point."""
    none = np.zeros(0, int)
    known = {"method": "made", "motion": "free", "lens": "fixed", "spans": [{"first": 11, "last": 20, "solved": True}]}
    about = judgement.report(camera, none, np.zeros((0, 2)), np.zeros(0), 0, 0.0, known)
    return outcome.Outcome(camera, np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0), none, none, none, np.zeros((0, 2)), about)


def as_colmap(folder: Path, camera: Camera) -> Path:
    """The camera alone as a COLMAP text model."""
    outcome.colmap.write(folder, alone(camera))
    return folder / "images.txt"


def test_a_cut_is_no_jump(shot) -> None:
    """Each span has a world of its own; within one, a leap is distrusted."""
    camera = shot[2]
    poses = camera.world_from_camera.copy()
    poses[COUNT // 2 :, 0, 3] += 50.0
    leapt = replace(camera, world_from_camera=poses)
    first, again = int(camera.frame[0]), int(camera.frame[COUNT // 2])
    assert judgement._jumps(leapt, [first]).any() and not judgement._jumps(leapt, [first, again]).any()


def test_a_colmap_camera_takes_the_place_of_the_solve(shot, tmp_path: Path) -> None:
    root, _, camera = shot
    solved = run(solve, Solve(camera_file=str(as_colmap(tmp_path / "model", camera))), tmp_path, "solve", frames=root / "frames", movers=root / "movers")
    got = outcome.read(solved)
    assert np.allclose(got.camera.world_from_camera, camera.world_from_camera, atol=1e-7) and got.camera.solved.all()
    assert np.allclose(got.camera.distortion, camera.distortion) and np.allclose(got.camera.focal, camera.focal)
    assert got.report["lens"] == "known" and got.report["agreement"] > 0.7 and len(got.xyz) > 150 and got.residuals().mean() < 0.4
    assert not got.report["warnings"]
    up = outcome.read(run(orient, Orient(), tmp_path, "orient", frames=root / "frames", solve=solved)).camera
    assert up.world_from_camera[0, 2, :3] @ camera.world_from_camera[0, 2, :3] > 0.999


def test_chan_goes_and_comes_back(shot, tmp_path: Path) -> None:
    root, _, camera = shot
    path = tmp_path / "camera.chan"
    lost = replace(camera, solved=camera.frame != 13, focal=camera.focal * np.linspace(1, 1.2, COUNT)[:, None])
    formats.write_chan(path, lost)
    back = given.read(path, list(range(11, 11 + COUNT)), SIZE, 0.0)
    assert back.solved.tolist() == lost.solved.tolist()
    good = lost.solved
    assert np.allclose(back.world_from_camera[good], lost.world_from_camera[good], atol=1e-7) and np.allclose(back.focal[good], lost.focal[good])
    row = np.array(path.read_text().splitlines()[0].split(), float)
    assert row[2] == pytest.approx(camera.place[0, 2])  # Nuke's y is our z
    assert np.allclose(Rotation.from_euler("zxy", row[[6, 4, 5]], degrees=True).as_matrix(), formats.turn_of(row[None, 4:7])[0])
    solved = run(solve, Solve(camera_file=str(path)), tmp_path, "solve", frames=root / "frames", movers=root / "movers")
    kept = outcome.read(run(orient, Orient(), tmp_path, "orient", frames=root / "frames", solve=solved))
    assert np.allclose(kept.camera.place[good], camera.place[good], atol=1e-7)  # a world that an artist made is left alone
    assert kept.report["lost"] == [13]


def test_lost_frames_are_interpolated_and_marked(shot, tmp_path: Path) -> None:
    _, _, camera = shot
    lost = np.isin(camera.frame, [11, 14, 15, 20])
    wrong = np.where(lost[:, None, None], np.eye(4), camera.world_from_camera)
    holed = replace(camera, solved=~lost, world_from_camera=wrong, focal=camera.focal * np.linspace(1, 1.2, COUNT)[:, None])
    filled = holed.filled(np.arange(COUNT))
    assert filled.frame[filled.interpolated].tolist() == [14, 15] and (filled.solved == holed.solved).all()  # none before the first or after the last
    error = np.linalg.norm(filled.place - camera.place, axis=1)[filled.posed]
    assert error.max() < 0.2 * np.linalg.norm(np.diff(camera.place, axis=0), axis=1).mean()  # the hand shakes
    assert np.allclose(filled.focal[filled.posed] / camera.focal[filled.posed], np.linspace(1, 1.2, COUNT)[filled.posed, None], rtol=1e-3)
    filled.save(tmp_path / "camera.npz")
    again = load(tmp_path / "camera.npz")
    assert (again.interpolated == filled.interpolated).all()
    told = judgement.report(filled, camera.frame[:0], np.zeros((0, 2)), np.zeros(0), 200, 0.1, {"motion": "free"})
    assert told["lost"] == [11, 20] and told["interpolated"] == [14, 15] and set(told["distrust"]) >= {11, 14, 15, 20}
    assert "2 frames could not be placed and are interpolated" in told["warnings"] and told["verdict"] == "doubtful"
    formats.write_chan(tmp_path / "camera.chan", filled)
    assert [int(line.split()[0]) for line in (tmp_path / "camera.chan").read_text().splitlines()] == list(range(12, 20))


def test_a_camera_of_another_shot_is_told(shot, tmp_path: Path) -> None:
    root, _, camera = shot
    wrong = replace(camera, world_from_camera=camera.world_from_camera[::-1].copy(), distortion=-camera.distortion)
    got = run(solve, Solve(camera_file=str(as_colmap(tmp_path / "model", wrong))), tmp_path, "solve", frames=root / "frames", movers=root / "movers")
    report = outcome.read(got).report
    assert "does not fit" in report["warnings"][0] and report["verdict"] == "doubtful", report["agreement"]


@pytest.mark.parametrize(("name", "text", "word"), [
    ("far.chan", "900 0 0 0 0 0 0 40\n901 0 0 0 0 0 0 40\n902 0 0 0 0 0 0 40\n", "frames 900 to 902"),
    ("short.chan", "11 0 0 0\n12 0 0 0\n", "each line"),
    ("blind.chan", "11 0 0 0 0 0 0\n12 0 0 0 0 0 0\n13 0 0 0 0 0 0\n", "no field of view"),
    ("words.chan", "frame x y z\n", "could not convert"),
    ("nan.chan", "11 0 0 0 0 0 nan 40\n12 0 0 0 0 0 0 40\n13 0 0 0 0 0 0 40\n", "not finite"),
    ("images.txt", "1 1 0 0 0 0 0 0 1 000011.png\n\n", "cannot be read"),
    ("picture.png", "\x89", "cannot be read"),
])
def test_bad_files_end_in_one_clear_failure(name: str, text: str, word: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(RequestFailure) as caught:
        given.read(tmp_path / name, list(range(11, 21)), SIZE, 0.0)
    assert caught.value.code == "camera-file" and word in caught.value.why and caught.value.change == {"solve": {"camera_file": ""}}


def test_a_model_that_is_not_understood_is_named(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 1 000011.png\n\n" * 3)
    for line, word in (("1 FULL_OPENCV 384 216 300 300 192 108 0 0 0 0 0 0 0 0", "FULL_OPENCV"), ("1 PINHOLE 400 400 300 300 192 108", "400 x 400"),
                       ("1 PINHOLE 384 216 300", "parameters"), ("2 PINHOLE 384 216 300 300 192 108", "no camera 1")):
        (tmp_path / "cameras.txt").write_text(line + "\n")
        with pytest.raises(RequestFailure) as caught:
            given.read(tmp_path / "images.txt", [11, 12, 13], SIZE, 0.0)
        assert word in caught.value.why


def test_exports(shot, tmp_path: Path) -> None:
    root, scene, camera = shot
    upright = tmp_path / "orient"
    upright.mkdir()
    alone(camera).write(upright)
    room = run(export, Export(plates="both"), tmp_path, "export", frames=root / "frames", orient=upright)
    told = json.loads((room / "transforms.json").read_text())
    assert [told["w"], told["h"], told["camera_model"], told["k1"]] == [*SIZE, "OPENCV", -0.24] and len(told["frames"]) == COUNT
    for entry, matrix in zip(told["frames"], camera.world_from_camera):
        found = np.array(entry["transform_matrix"])
        assert np.allclose(found[:, :2] * [1, -1], matrix[:, :2]) and np.allclose(found[:, 2], -matrix[:, 2]) and np.allclose(found[:, 3], matrix[:, 3])
        assert (room / entry["file_path"]).read_bytes() == (root / "frames" / Path(entry["file_path"]).name).read_bytes()
    assert (room / "colmap" / "images.txt").is_file()
    assert len((room / "camera.chan").read_text().splitlines()) == COUNT
    # A plate without distortion is what a lens without distortion would have taken.
    plain = replace(scene, grain=0.0, view=lambda time: replace(scene.view(time), distortion=(0.0, 0.0, 0.0, 0.0)))
    taken, made = picture(plain, 0, SIZE)[0].astype(float), read_png(room / "straight" / "000011.png").astype(float)
    raw = read_png(root / "frames" / "000011.png").astype(float)
    inside = (slice(4, -4), slice(4, -4))
    assert np.abs(made - taken)[inside].mean() < 6 < np.abs(raw - taken)[inside].mean() / 2
    assert not json.loads((room / "straight" / "transforms.json").read_text())["k1"]
    out, back = (read_exr(room / "maps" / f"{name}.exr") for name in ("straighten", "bend"))
    field = straight.straighten(camera, 0, SIZE)
    assert np.allclose(out["R"] * SIZE[0], field[..., 0], atol=1e-3) and np.allclose((1 - out["G"]) * SIZE[1], field[..., 1], atol=1e-3)
    there = np.stack([back["R"] * SIZE[0], (1 - back["G"]) * SIZE[1]], -1)
    again = [map_coordinates(field[..., k], [there[..., 1] - 0.5, there[..., 0] - 0.5], order=1) for k in (0, 1)]
    y, x = np.mgrid[30:-30 + SIZE[1], 50:-50 + SIZE[0]] + 0.5
    assert np.abs(np.stack(again, -1)[30:-30, 50:-50] - np.stack([x, y], -1)).max() < 0.01


@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_a_rolling_shutter_is_taken_out_of_plates_and_put_back(axis: str) -> None:
    share, focal, k1 = 0.9, 300.0, -0.1
    spin, bend = np.array([0.012, 0.03, 0.02]), np.array([0.002, -0.006, 0.003])  # of a hand in a hurry: 9 px a frame, gathering speed
    speed, curve = np.array([0.1, 0.02, 0.05]), np.array([0.02, 0.0, -0.01])
    wall = np.array([0.05, 0.1, 0.25])  # times a point is 1: four off, leaning to a side and forward

    def pose(time: float) -> tuple[np.ndarray, np.ndarray]:  # world_from_camera
        return Rotation.from_rotvec(time * spin + time**2 * bend).as_matrix(), time * speed + time**2 * curve

    def colour(rays: np.ndarray, time: float) -> np.ndarray:
        turn, place = pose(time)
        ways = rays @ turn.T
        hit = place + ways * ((1 - wall @ place) / (ways @ wall))[..., None]
        return 128 + 50 * np.sin(12 * hit[..., 0]) + 50 * np.sin(9 * hit[..., 1] + 4 * hit[..., 0])

    matrix = np.tile(np.eye(4), (3, 1, 1))
    for k in range(3):
        matrix[k, :3, :3], matrix[k, :3, 3] = pose(k - 1.0)
    camera = Camera(
        np.arange(11, 14), matrix, np.full((3, 2), focal), np.tile(np.array(SIZE) / 2, (3, 1)), np.tile([k1, 0.0, 0.0, 0.0], (3, 1)), np.ones(3, bool), SIZE,
    )
    rays = camera.rays(1, SIZE)
    points, seen = (rays / (rays @ wall)[..., None])[8::20, 8::20].reshape(-1, 3), np.arange(11 * 19)
    shot = replace(alone(camera), xyz=points, track=seen, frame=np.full(len(seen), 12))
    shot.report["spans"] = [{"first": 11, "last": 13, "solved": True, "readout": share, "read": axis}]
    read = straight.rolling(shot)[1]

    times = share * ((np.arange(SIZE[1]) + 0.5) / SIZE[1] - 0.5 if axis == "rows" else (np.arange(SIZE[0]) + 0.5) / SIZE[0] - 0.5)
    lines = [colour(rays[k] if axis == "rows" else rays[:, k], time) for k, time in enumerate(times)]
    sheared = np.stack(lines, 0 if axis == "rows" else 1).astype(np.float32)
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5 - SIZE[0] / 2, np.arange(SIZE[1]) + 0.5 - SIZE[1] / 2)
    true = colour(np.stack([x / focal, y / focal, np.ones_like(x)], -1), 0.0).astype(np.float32)

    def off(found: np.ndarray, should: np.ndarray) -> float:
        return float(np.abs(found - should)[12:-12, 20:-20].max())

    assert off(straight.fetch(sheared, straight.straighten(camera, 1, SIZE, read)), true) < 2
    assert off(straight.fetch(sheared, straight.straighten(camera, 1, SIZE)), true) > 30
    assert off(straight.fetch(true, straight.bend(camera, 1, SIZE, read)), sheared) < 2
    assert straight.rolling(alone(camera)) == [None] * 3
