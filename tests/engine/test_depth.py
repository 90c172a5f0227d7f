"""Depth, its agreement over time and the cloud, on a made shot whose truth is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from engine.camera.evidence import texture
from engine.contract import options as o
from engine.contract.job import Request
from engine.dense import layers, shading, stillness
from engine.failures import ShotFailure
from engine.geometry import contact
from engine.geometry.triangulation import Estimate
from engine.media.frames import read_depth, read_png, write_depth, write_png
from engine.metrics import depth as metrics
from engine.stage import Inputs, Report
from engine.stages import cloud, consistent_depth, depth, flow, movers, scene_movers
from engine.store import read_json, write_json
from engine.synth.files import write_stages
from engine.synth.shots import render

SIZE, COUNT = (512, 288), 16
LOST = 7  # a frame whose camera is taken away in one test


def carry_out(stage, options, folders: dict[str, Path], room: Path, on_progress=lambda *step: None) -> Report:
    """One stage without the runner."""
    room.mkdir(parents=True, exist_ok=True)
    report = Report(stage.__name__.rsplit(".", 1)[-1], lambda message: None, on_progress)
    stage.run(Inputs(Request("clip", ("depth",), "store", device="cpu"), folders), options, report, room)
    folders[report.stage] = room
    return report


@pytest.fixture(scope="module")
def shot():
    return render("orbit", COUNT, SIZE)


@pytest.fixture(scope="module")
def folders(shot, tmp_path_factory) -> dict[str, Path]:
    """Frames and camera from the truth, then every stage from flow to cloud."""
    root = tmp_path_factory.mktemp("depth")
    found = write_stages(shot, root)
    for stage, options in (
        (flow, o.Flow()), (movers, o.Movers()), (scene_movers, o.SceneMovers()),
        (depth, o.Depth()), (consistent_depth, o.ConsistentDepth()), (cloud, o.Cloud(frames=6)),
    ):
        carry_out(stage, options, found, root / stage.__name__.rsplit(".", 1)[-1])
    return found


def read_all(room: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return tuple(zip(*(read_depth(path) for path in sorted(room.glob("*.exr")))))


def masks_alone(folders: dict[str, Path], room: Path) -> Path:
    """The folder of scene_movers without what it measured with other frames: depth measures anew."""
    return shutil.copytree(folders["scene_movers"], room / "scene_movers", ignore=shutil.ignore_patterns("still", "likely"))


@pytest.mark.parametrize("stage", ["depth", "consistent_depth"])
def test_depth_is_true_at_one_scale_for_the_whole_shot(shot, folders, stage) -> None:
    found, confidence = read_all(folders[stage])
    assert len(found) == COUNT
    assert all(np.isfinite(plane).all() and (plane > 0).all() for plane in found)
    assert all((plane >= 0).all() and (plane <= 1).all() for plane in confidence)
    known = [(truth > 0) & (truth < 60) for truth in shot.depth]
    figures = metrics.evaluate(list(found), list(shot.depth), known, list(shot.moving))
    assert figures["still"]["absrel"] < 0.045
    assert figures["still"]["exact"] > 0.87
    assert figures["moving"]["absrel"] < 0.21  # as the walker leaves, half of it is not told from still
    assert metrics.rim(list(found), list(shot.depth), known) < 0.085
    assert abs(figures["shot"]["scale"] - 1) < 0.01


def overlap(shot, room: Path) -> float:
    """Median over the frames of the share that a stage's masks and the true figure have in common (IoU)."""
    masks = [read_png(path) > 0 for path in sorted(room.glob("*.png"))]
    assert len(masks) == COUNT
    return float(np.median([(mask & true).sum() / (mask | true).sum() for mask, true in zip(masks, shot.moving)]))


def test_the_solved_scene_knows_the_mover_from_near_still_things(shot, folders) -> None:
    """Before the solve the bush close to the camera counts as moving; afterwards the walking figure alone does."""
    assert overlap(shot, folders["movers"]) < 0.5
    assert overlap(shot, folders["scene_movers"]) > 0.75


def test_what_seems_behind_all_about_it_is_measured_only_where_it_is_surely_still() -> None:
    """A mover that keeps pace with the camera shows no parallax; a window in a wall shows little, too."""
    size, wall, hole = (48, 80), 0.2, (slice(20, 24), slice(40, 44))
    rho = torch.full(size, wall)
    rho[hole] = 0.01
    found = Estimate(rho, torch.full(size, 1e6), torch.full(size, 0.2))
    rays = np.dstack([*np.meshgrid(np.linspace(-1, 1, size[1]), np.linspace(-0.6, 0.6, size[0])), np.ones(size)]).astype(np.float32)
    for verdict, expected in ((0.0, wall), (-1.0, 0.01)):
        likely = np.full(size, -1, np.float32)
        likely[hole] = verdict
        scene = layers.background(found, np.zeros(size, bool), likely, np.zeros(size, bool), np.full((*size, 3), 0.5, np.float32), rays, [], 1e-3, 1.0)
        assert abs(scene.rho[21, 41] / expected - 1) < 0.2
        assert scene.measured[21, 41] == (verdict == -1.0)


def test_what_disagrees_a_little_all_over_moves_and_a_rim_does_not() -> None:
    """Who walks towards the camera keeps nearly to the lines on which still points go."""
    random = np.random.default_rng(4)
    picture = random.random((72, 128, 3), np.float32)
    residual = np.full((72, 128), 0.08, np.float32)
    residual[20:50, 30:50], residual[20:50, 90:92] = 0.7, 0.7
    found = Estimate(torch.full((72, 128), 0.2), torch.full((72, 128), 1e4), torch.from_numpy(residual))
    grey = (255 * picture.mean(-1)).astype(np.uint8)
    nothing = np.zeros((72, 128), bool)
    shown, fine = texture(grey.astype(np.float32) / 255), torch.from_numpy(shading.detail(grey))
    verdict, _ = stillness.judge(found, [], picture, shown, fine, np.ones((72, 128, 3), np.float32), nothing, nothing, 1.0)
    assert (verdict[24:46, 34:46] > 0).all()
    assert (verdict[:, 70:] < 0).all() and (verdict[:, :26] < 0).all()


def test_a_piece_cut_by_the_lower_edge_stands_nearer_than_the_floor_there() -> None:
    x, y = np.meshgrid((np.arange(96) - 47.5) / 90, (np.arange(64) - 31.5) / 90)
    rays = np.stack([x, y, np.ones_like(x)], -1).astype(np.float32)
    floor = np.maximum(y / 1.5, 0.01).astype(np.float32)  # 1.5 below a level camera
    for bottom, kind, foot in ((50, "ground", 50), (63, "guess", 63 + 44)):  # half of it is taken to show
        piece = np.zeros((64, 96), bool)
        piece[20 : bottom + 1, 40:52] = True
        found = contact.stand(piece, ~piece & (y > 0), floor, np.ones_like(floor), rays, np.array([[0.0, -1.0, 0.0]]), 1.5)
        assert found.kind == kind and (found.sure > 0.9) == (kind == "ground")
        assert found.rho == pytest.approx((foot - 31.5) / 90 / 1.5, rel=0.02)


def test_own_masks_are_taken_as_they_are(folders, tmp_path) -> None:
    mine = tmp_path / "movers"
    for number, path in enumerate(sorted(folders["movers"].glob("*.png"))):
        mask = np.zeros(SIZE[::-1], np.uint8)
        mask[10 + number : 60, 20:90] = 255
        write_png(mine / path.name, mask)
    carry_out(scene_movers, o.SceneMovers(), {**folders, "movers": mine}, tmp_path / "scene_movers")
    assert all((read_png(path) == read_png(mine / path.name)).all() for path in sorted((tmp_path / "scene_movers").glob("*.png")))


def test_confidence_is_honest(shot, folders) -> None:
    """Where depth says that it is sure it is right, and it knows its worst pixels."""
    found, confidence = (np.stack(part) for part in read_all(folders["depth"]))
    truth = shot.depth[:, ::3, ::3]
    error = np.abs(found[:, ::3, ::3] - truth) / np.maximum(truth, 1e-6)
    sure, still = confidence[:, ::3, ::3], (truth > 0) & ~shot.moving[:, ::3, ::3]
    assert (error[still & (sure > 0.8)] < 0.1).mean() > 0.97
    assert np.median(error[still & (sure < 0.2)]) > 3 * np.median(error[still & (sure > 0.8)])


def test_agreement_calms_depth(shot, folders) -> None:
    flows, seen = list(shot.flow), list(shot.visible & (shot.depth[:-1] > 0) & (shot.depth[:-1] < 60))
    flicker = [metrics.temporal(list(read_all(folders[stage])[0]), list(shot.depth), flows, seen) for stage in ("depth", "consistent_depth")]
    assert flicker[1] < 0.6 * flicker[0]


def test_still_things_beside_a_mask_are_not_taken_along(shot, folders) -> None:
    wrong = []
    for number, found, truth, moving in zip(shot.frame, read_all(folders["consistent_depth"])[0], shot.depth, shot.moving):
        mask = read_png(folders["scene_movers"] / f"{number:06d}.png")
        beside = (cv2.dilate(mask, np.ones((7, 7), np.uint8)) > mask) & ~moving & (truth > 0)
        wrong.append(np.abs(np.log(found[beside] / truth[beside])) > 0.3)
    assert np.concatenate(wrong).mean() < 0.06  # 0.10 where everything beside a mask is heard along flow


def test_a_broken_run_goes_on_to_the_same_bytes(folders, tmp_path) -> None:
    class Stop(Exception):
        pass

    def after(count: int):
        def on_progress(done: int, total: int, note: str, loss: float | None) -> None:
            if done >= count:
                raise Stop
        return on_progress

    for stage, options, count in (
        (scene_movers, o.SceneMovers(), 9), (scene_movers, o.SceneMovers(), 20), (depth, o.Depth(), 11), (depth, o.Depth(), 25),
        (consistent_depth, o.ConsistentDepth(), 9),
    ):
        name = stage.__name__.rsplit(".", 1)[-1]
        room = tmp_path / f"{name}{count}"
        with pytest.raises(Stop):
            carry_out(stage, options, dict(folders), room, after(count))
        carry_out(stage, options, dict(folders), room)
        whole = folders[name]
        files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
        assert files == sorted(path.relative_to(room) for path in room.rglob("*") if path.is_file())
        assert all((room / name).read_bytes() == (whole / name).read_bytes() for name in files)
        shutil.rmtree(room)


def test_a_frame_without_camera_is_unknown(folders, tmp_path) -> None:
    shutil.copytree(folders["orient"], tmp_path / "orient")
    with np.load(tmp_path / "orient/camera.npz") as held:
        parts = dict(held)
    parts["solved"][LOST:LOST + 1] = False
    np.savez(tmp_path / "orient/camera.npz", **parts)
    mine = {**folders, "orient": tmp_path / "orient", "scene_movers": masks_alone(folders, tmp_path)}
    report = carry_out(depth, o.Depth(), mine, tmp_path / "depth")
    carry_out(consistent_depth, o.ConsistentDepth(), mine, tmp_path / "consistent_depth")
    for stage in ("depth", "consistent_depth"):
        z, confidence = read_depth(tmp_path / stage / f"{LOST + 1:06d}.exr")
        assert not z.any() and not confidence.any()
        assert (read_depth(tmp_path / stage / f"{LOST + 2:06d}.exr")[0] > 0).all()
    assert "1 frames have no solved camera" in report.warnings[0]


def test_a_camera_that_explains_little_does_not_say_what_moves(folders, tmp_path) -> None:
    shutil.copytree(folders["orient"], tmp_path / "orient")
    with np.load(tmp_path / "orient/camera.npz") as held:
        parts = dict(held)
    parts["solved"][3:] = False
    turn = cv2.Rodrigues(np.array([0.0, np.radians(4), 0.0]))[0]
    parts["world_from_camera"][1, :3, :3] = parts["world_from_camera"][1, :3, :3] @ turn  # as if it had followed a mover
    np.savez(tmp_path / "orient/camera.npz", **parts)
    report = carry_out(scene_movers, o.SceneMovers(), {**folders, "orient": tmp_path / "orient"}, tmp_path / "scene_movers")
    for number in (1, 2, 3):
        kept, search = (read_png(room / f"{number:06d}.png") for room in (tmp_path / "scene_movers", folders["movers"]))
        assert (kept == search).all() and (kept != read_png(folders["scene_movers"] / f"{number:06d}.png")).any()
    assert "The camera explains little of 3 frames, such as frame 1" in report.warnings[0]


def test_every_second_frame_gives_depth_from_its_own_neighbours(shot, folders, tmp_path) -> None:
    """Flow and cameras are paired by the clip's frame numbers, whatever step the frames were taken in."""
    shutil.copytree(folders["frames"], tmp_path / "frames")
    about = read_json(folders["frames"] / "clip.json")
    write_json(tmp_path / "frames/clip.json", {**about, **{name: about[name][::2] for name in ("frames", "times")}})
    with np.load(folders["orient"] / "camera.npz") as held:
        parts = {name: values if name == "size" else values[::2] for name, values in held.items()}
    (tmp_path / "orient").mkdir()
    np.savez(tmp_path / "orient/camera.npz", **parts)
    mine = {**folders, "frames": tmp_path / "frames", "orient": tmp_path / "orient", "scene_movers": masks_alone(folders, tmp_path)}
    for stage, options in ((flow, o.Flow(gaps="2,4")), (depth, o.Depth()), (consistent_depth, o.ConsistentDepth())):
        carry_out(stage, options, mine, tmp_path / stage.__name__.rsplit(".", 1)[-1])
    for stage in ("depth", "consistent_depth"):
        found, _ = read_all(tmp_path / stage)
        known = [(truth > 0) & (truth < 60) for truth in shot.depth[::2]]
        figures = metrics.evaluate(list(found), list(shot.depth[::2]), known, list(shot.moving[::2]))
        assert len(found) == COUNT // 2 and figures["still"]["absrel"] < 0.06, stage


def test_a_tripod_is_refused_with_a_reason(folders, tmp_path) -> None:
    shutil.copytree(folders["orient"], tmp_path / "orient")
    write_json(tmp_path / "orient/report.json", {"motion": "tripod"})
    with pytest.raises(ShotFailure) as refusal:
        carry_out(depth, o.Depth(), {**folders, "orient": tmp_path / "orient"}, tmp_path / "depth")
    assert refusal.value.code == "no-parallax" and refusal.value.remedy


def test_the_cloud_lies_on_the_scene(shot, folders) -> None:
    """Fused points re-projected into a frame fall on the true depth, and none of them belongs to the walker."""
    data = (folders["cloud"] / "fused.ply").read_bytes()
    head, body = data.split(b"end_header\n", 1)
    assert b"binary_little_endian" in head
    rows = np.frombuffer(body, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    assert 5_000 < len(rows) < 400_000
    pose = np.linalg.inv(shot.world_from_camera[10])
    local = rows["xyz"] @ pose[:3, :3].T + pose[:3, 3]
    pixel = np.floor(local[:, :2] / local[:, 2:] * shot.focal[10] + shot.centre[10]).astype(int)
    seen = (local[:, 2] > 0) & (pixel >= 0).all(1) & (pixel < SIZE).all(1)
    truth = shot.depth[10][pixel[seen, 1], pixel[seen, 0]]
    moving = shot.moving[10][pixel[seen, 1], pixel[seen, 0]]
    ratio = local[seen, 2] / np.maximum(truth, 1e-6)
    assert (np.abs(ratio - 1) < 0.05)[truth > 0].mean() > 0.85
    height = rows["xyz"][seen, 2]
    walker = moving & (np.abs(ratio - 1) < 0.08) & (height > 0.4)  # away from the ground at the feet
    assert walker.sum() < 1e-3 * len(rows)


def test_a_sky_does_not_make_the_cloud_coarse(folders, tmp_path) -> None:
    under, cells = dict(folders), []
    for name in ("as it is", "below a sky"):
        carry_out(cloud, o.Cloud(frames=2), dict(under), tmp_path / name / "cloud")
        cells.append(read_json(tmp_path / name / "cloud" / "cloud.json")["cell"])
        under["consistent_depth"] = tmp_path / "sky"
        (tmp_path / "sky").mkdir(exist_ok=True)
        for file in folders["consistent_depth"].glob("*.exr"):
            z, sure = read_depth(file)
            upper = slice(0, round(0.6 * len(z)))
            z[upper], sure[upper] = 100 * z.max(), 0
            write_depth(tmp_path / "sky" / file.name, z, sure)
    assert cells[1] < cells[0]  # what is left is the nearer part


def test_the_cloud_as_a_film_begins_with_the_plate(shot, folders, tmp_path) -> None:
    carry_out(cloud, o.Cloud(frames=2, step=3, film=True), dict(folders), tmp_path / "cloud")
    with av.open(str(tmp_path / "cloud/cloud.mp4")) as film:
        seen = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(seen) == COUNT
    apart = [np.abs(picture.astype(int) - plate).mean(-1) for picture, plate in zip(seen, shot.pictures)]
    assert np.median(apart[0]) < 9  # from where the plate was shot it looks like the plate
    assert np.median(apart[COUNT // 4]) > 2 * np.median(apart[0])  # a quarter later the camera has swung aside
