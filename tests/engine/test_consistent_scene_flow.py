"""Depth of what moves by scene flow: a rigid thing whose start is wrong in known ways, and the stage around it."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.contract import messages
from engine.contract import options as o
from engine.contract.job import Request
from engine.dense import by_network
from engine.dense.shot import Shot
from engine.geometry.camera import Camera
from engine.media.flow import flow_path, read_flow, write_flow
from engine.media.frames import read_depth, write_depth, write_png
from engine.nets.scene_flow import SceneFlowField
from engine.stage import Inputs, Report
from engine.stages import consistent_depth
from engine.store import read_json, write_json
from engine.training import scene_flow_frames
from engine.training.followed import Start
from engine.training.occlusion import hidden

SIZE, COUNT, FOCAL = (96, 64), 12, 90.0
TRUE = 4.0  # metres to the mover at the start; the wall stands at 8
OPTIONS = o.ConsistentDepth(method="scene_flow", gaps="1,2,4", effort=0.2, film=True, npz=True)


def place_of(time: float) -> np.ndarray:
    """The mover's middle in the world: steadily sideways and nearer."""
    return np.array([-0.6 + 0.1 * time, 0.0, TRUE - 0.05 * time])


def eye_of(time: float) -> np.ndarray:
    return np.array([0.02 * time + 0.06 * np.sin(time), 0.05 * np.cos(1.3 * time), 0.0])


def painted(grid: np.ndarray, depth: np.ndarray, mask: np.ndarray, time: float) -> np.ndarray:
    """The picture [H, W, 3]: bluish paint that stands on the wall, reddish paint that goes with the mover."""
    x, y = np.moveaxis((grid - np.array(SIZE) / 2 + 0.5) / FOCAL * depth[..., None] + eye_of(time)[:2] - mask[..., None] * place_of(time)[:2], -1, 0)
    paint = np.sin(9 * x + 2) * np.cos(7 * y) + 0.5 * np.sin(17 * x - 13 * y)
    colours = np.where(mask[..., None], (190, 110, 90), (90, 110, 170)) + 30 * paint[..., None] * (1, 0.8, 0.6)
    return colours.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[dict[str, Path], np.ndarray, np.ndarray]:
    """Folders of a shot with true flow, whose depth stage is wrong about the mover: drifting, and unsure where it is most wrong."""
    root = tmp_path_factory.mktemp("scene_flow")
    folders = {name: root / name for name in ("frames", "scene_movers", "orient", "flow", "depth")}
    for path in folders.values():
        path.mkdir()
    numbers = list(range(1, COUNT + 1))
    grid = np.stack(np.meshgrid(np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32)), -1)
    truth, masks = [], []
    for k in range(COUNT):
        middle = place_of(k) - eye_of(k)
        at = middle[:2] / middle[2] * FOCAL + np.array(SIZE) / 2 - 0.5
        masks.append((np.abs(grid - at) < 0.6 / middle[2] * FOCAL).all(-1))
        truth.append(np.where(masks[k], middle[2], 8.0).astype(np.float32))
    for k, number in enumerate(numbers):
        write_png(folders["frames"] / f"{number:06d}.png", painted(grid, truth[k], masks[k], k))
        wrong = 1.0 if k < 5 else np.exp(0.08 * (k - 4))
        sure = 0.5 if k < 5 else 0.05
        write_depth(folders["depth"] / f"{number:06d}.exr", np.where(masks[k], wrong * truth[k], 8.0).astype(np.float32),
                    np.where(masks[k], sure, 0.9).astype(np.float32))
        write_png(folders["scene_movers"] / f"{number:06d}.png", masks[k].astype(np.uint8) * 255)
        for gap in (1, 2, 4, -1, -2, -4):
            if 0 <= k + gap < COUNT:
                local = np.concatenate([(grid - np.array(SIZE) / 2 + 0.5) / FOCAL * truth[k][..., None], truth[k][..., None]], -1)
                moved = local + eye_of(k) - eye_of(k + gap) + np.where(masks[k][..., None], place_of(k + gap) - place_of(k), 0)
                seen = moved[..., :2] / moved[..., 2:] * FOCAL + np.array(SIZE) / 2 - 0.5
                path = flow_path(folders["flow"], number, number + gap)
                path.parent.mkdir(exist_ok=True)
                write_flow(path, (seen - grid).astype(np.float32), np.ones(SIZE[::-1], bool))
    write_json(folders["flow"] / "flow.json", {"size": list(SIZE), "gaps": [1, 2, 4], "preset": "true"})
    write_json(folders["frames"] / "clip.json", {
        "size": list(SIZE), "fps": "24/1", "frames": numbers, "times": [k / 24 for k in range(COUNT)], "cuts": [], "duplicates": [],
        "bits": 8, "source_size": list(SIZE), "source": "made", "kind": "video", "audio": False,
    })
    poses = np.tile(np.eye(4), (COUNT, 1, 1))
    poses[:, :3, 3] = [eye_of(k) for k in range(COUNT)]
    lens = (np.full((COUNT, 2), FOCAL), np.tile(np.array(SIZE) / 2, (COUNT, 1)), np.zeros((COUNT, 4)))
    Camera(np.array(numbers), poses, *lens, np.ones(COUNT, bool), SIZE).save(folders["orient"] / "camera.npz")
    return folders, np.stack(truth), np.stack(masks)


def carry_out(folders, room: Path, options=OPTIONS, on_progress=lambda *step: None):
    room.mkdir(parents=True, exist_ok=True)
    said: list = []
    report = Report("consistent_depth", said.append, on_progress)
    torch.set_num_threads(1)  # the same sums in every run
    consistent_depth.run(Inputs(Request("clip", ("depth",), "store", device="cpu"), folders), options, report, room)
    return report, said


@pytest.fixture(scope="module")
def done(made, tmp_path_factory):
    room = tmp_path_factory.mktemp("done")
    told: list[tuple[int, int, str, float | None]] = []
    report, said = carry_out(made[0], room, on_progress=lambda *step: told.append(step))
    return room, report, said, told


def error_of(folder: Path, truth, masks) -> tuple[float, float]:
    """Mean relative error on the mover and on the wall."""
    found = np.stack([read_depth(folder / f"{k + 1:06d}.exr")[0] for k in range(COUNT)])
    off = np.abs(found / truth - 1)
    return float(off[masks].mean()), float(off[~masks].mean())


def test_a_mover_is_brought_to_where_its_motion_says(made, done) -> None:
    folders, truth, masks = made
    before, after = error_of(folders["depth"], truth, masks), error_of(done[0], truth, masks)
    assert before[0] > 0.2
    assert after[0] < 0.35 * before[0]
    assert after[1] < 0.001  # the wall stays where it was


def test_growth_alone_brings_it_there_at_once(made, tmp_path) -> None:
    folders, truth, masks = made
    before = error_of(folders["depth"], truth, masks)
    steps: list[int] = []
    report, _ = carry_out(folders, tmp_path, o.ConsistentDepth(gaps="1,2,4"), lambda done, *rest: steps.append(done))
    after = error_of(tmp_path, truth, masks)
    assert after[0] < 0.35 * before[0] and after[1] < 0.001
    assert "grow" in report.used and not (tmp_path / "training").exists()
    assert steps == list(range(1, 3 * COUNT + 1))  # also while what moves is followed, in two rounds


def test_the_cameras_unrest_tells_how_far_off_it_is_by_default(made, tmp_path) -> None:
    """A start that saw no ground and is nearly twice too far, at the right relative distances: the hand that holds the camera shows it."""
    folders, truth, masks = made
    mine = {**folders, "depth": tmp_path / "depth"}
    for k in range(COUNT):
        write_depth(mine["depth"] / f"{k + 1:06d}.exr", np.where(masks[k], 1.8 * truth[k], 8.0).astype(np.float32),
                    np.where(masks[k], 0.03, 0.9).astype(np.float32))
    report, _ = carry_out(mine, tmp_path / "done", o.ConsistentDepth(gaps="1,2,4"))
    assert error_of(tmp_path / "done", truth, masks)[0] < 0.15
    assert "unrest" in report.used


def test_what_a_thing_hides_is_found_in_other_frames(made) -> None:
    folders, _, masks = made
    shot = Shot(folders["frames"], folders["flow"], folders["orient"], folders["scene_movers"])
    start = Start(SIZE, [np.full(SIZE[::-1], 8.0, np.float32)] * COUNT, [np.full(SIZE[::-1], 0.9, np.float32)] * COUNT, list(masks))
    found = hidden(shot, start, [mask.astype(np.int32) for mask in masks], 2)
    assert np.allclose(found[1][np.isfinite(found[1])], np.log(8.0), atol=1e-3) and np.isfinite(found[1]).sum() > COUNT / 2


def test_what_a_still_point_explains_stays(made, tmp_path) -> None:
    """Masks take still things along: where single pixels are rather still, and many, depth is left as it was."""
    folders, _, masks = made
    mine = {**folders, "scene_movers": tmp_path / "scene_movers"}
    upper = np.zeros_like(masks)
    for k in range(COUNT):
        rows = np.flatnonzero(masks[k].any(1))
        upper[k, : int(rows.mean())] = masks[k, : int(rows.mean())]
        write_png(mine["scene_movers"] / f"{k + 1:06d}.png", masks[k].astype(np.uint8) * 255)
        write_png(mine["scene_movers"] / "likely" / f"{k + 1:06d}.png", np.where(upper[k], 100, np.where(masks[k], 255, 0)).astype(np.uint8))
    carry_out(mine, tmp_path / "done", o.ConsistentDepth(gaps="1,2,4", reach=0))
    start, found = (np.stack([read_depth(room / f"{k + 1:06d}.exr")[0] for k in range(COUNT)]) for room in (folders["depth"], tmp_path / "done"))
    moved = np.abs(np.log(found / start))
    assert np.quantile(moved[upper], 0.9) < 0.001  # all but the rim, which goes with the mover
    assert moved[-1][masks[-1] & ~upper[-1]].mean() > 0.2


def test_confidence_tells_which_votes_agreed(done, made) -> None:
    confidence = np.stack([read_depth(done[0] / f"{k + 1:06d}.exr")[1] for k in range(COUNT)])
    assert 0.1 < confidence[made[2]].mean() <= 0.5


def test_it_can_be_watched(done) -> None:
    room, report, said, told = done
    assert any(note == "joint" and loss > 0 for _, _, note, loss in told if loss is not None) and told[-1][0] == told[-1][1]
    previews = [message for message in said if isinstance(message, messages.Preview)]
    assert previews and all(Path(message.path).is_file() for message in previews)
    page = (room / "training/report.html").read_text()
    assert "<svg" in page and "http" not in page
    assert all((room / "training" / name).is_file() for name in page.split('src="')[1:] for name in [name.split('"')[0]])
    curve = read_json(room / "training/loss.json")
    assert len(curve) == report.figures["epochs"] and curve[0]["flow"] > curve[-1]["disparity"]
    assert "scene flow" in report.used


def test_copies_for_other_programs(done) -> None:
    room = done[0]
    assert cv2.VideoCapture(str(room / "depth.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == COUNT
    with np.load(room / "npz/000003.npz", allow_pickle=False) as held:
        assert held["flow_1_2"].shape == (*SIZE[::-1], 2) and held["K"][0, 0] == FOCAL and held["cam_c2w"].shape == (4, 4)
        assert np.array_equal(held["depth"], np.asarray(read_depth(room / "000003.exr")[0], np.float32))


def test_killed_training_goes_on_to_the_same_depth(made, done, tmp_path) -> None:
    class Killed(Exception):
        pass

    def stop(done: int, total: int, note: str, loss: float | None) -> None:
        if note and done == 2 * COUNT + 3:  # frames are followed first, in two rounds
            raise Killed

    with pytest.raises(Killed):
        carry_out(made[0], tmp_path, on_progress=stop)
    assert (tmp_path / "training/state.npz").is_file() and not list(tmp_path.glob("*.exr"))
    carry_out(made[0], tmp_path)
    for k in (1, 6, COUNT):
        assert (tmp_path / f"{k:06d}.exr").read_bytes() == (done[0] / f"{k:06d}.exr").read_bytes()


def test_nothing_moves(made, tmp_path) -> None:
    folders = {**made[0], "scene_movers": tmp_path}
    report, _ = carry_out(folders, tmp_path / "room", o.ConsistentDepth(method="scene_flow"))
    assert "Nothing in this shot moves" in report.warnings[0]


def test_single_points_move_as_pictures_do() -> None:
    torch.manual_seed(1)
    field = SceneFlowField(48, 6)
    points, times = torch.randn(7, 3), torch.rand(7)
    picture = field(points.T[None, :, :, None], times[None, None, :, None])[0, :, :, 0].T / 100
    assert torch.allclose(field.step(points, times), picture, atol=1e-6)


def test_published_way_descends_and_stays_whole(made, tmp_path, monkeypatch) -> None:
    """A depth network on whole frames, with a thin field and few epochs: every loss falls, and the frames come out whole."""
    monkeypatch.setattr(scene_flow_frames, "SceneFlowField", partial(SceneFlowField, 24, 1, 4))
    monkeypatch.setattr(by_network, "Settings", partial(scene_flow_frames.Settings, epochs=6, warm=3, fit=4))
    monkeypatch.setattr(by_network, "WIDTH", 0.15)
    report, said = carry_out(made[0], tmp_path, o.ConsistentDepth(method="published", gaps="1", effort=0.5))
    curve = read_json(tmp_path / "training/loss.json")
    assert len(curve) == report.figures["epochs"] == 7
    assert curve[3]["flow"] < curve[1]["flow"]  # while the field warms up
    assert curve[-1]["total"] < curve[4]["total"] and "acceleration" in curve[4]
    assert any(isinstance(message, messages.Preview) for message in said)
    depth, _ = read_depth(tmp_path / "000003.exr")
    assert depth.shape == SIZE[::-1] and (np.array(depth) > 0).all()


def test_what_a_mask_missed_does_not_fade_into_what_it_left(made, tmp_path) -> None:
    """A mover that no mask tells of, at its true depth: what the frames around saw there is another surface."""
    folders, truth, masks = made
    mine = {**folders, "depth": tmp_path / "depth", "scene_movers": tmp_path / "none"}
    for k in range(COUNT):
        write_depth(mine["depth"] / f"{k + 1:06d}.exr", truth[k], np.where(masks[k], 0.2, 0.9).astype(np.float32))
    carry_out(mine, tmp_path / "done", o.ConsistentDepth())
    error = error_of(tmp_path / "done", truth, masks)
    assert error[0] < 0.02 and error[1] < 0.01


def test_the_pictures_tell_on_which_side_of_a_rim_a_pixel_is(made, tmp_path) -> None:
    """A mask that has lost a strip of the mover, where no flow holds, and one that has taken a pixel of the wall all round."""
    folders, truth, masks = made
    mine = {**folders, **{name: tmp_path / name for name in ("depth", "scene_movers", "flow")}}
    shutil.copytree(folders["flow"], mine["flow"])
    lost, wide = 5, 7  # of the frames, from 0
    strip = masks[lost] & (np.arange(SIZE[0]) > np.flatnonzero(masks[lost].any(0))[-1] - 3)
    given = list(masks)
    given[lost], given[wide] = masks[lost] & ~strip, cv2.dilate(masks[wide].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    mine["scene_movers"].mkdir()
    for k in range(COUNT):
        mover = truth[k][masks[k]].mean()
        write_depth(mine["depth"] / f"{k + 1:06d}.exr", np.where(given[k], mover, 8.0).astype(np.float32), np.where(given[k], 0.2, 0.9).astype(np.float32))
        write_png(mine["scene_movers"] / f"{k + 1:06d}.png", given[k].astype(np.uint8) * 255)
    for path in mine["flow"].glob(f"*/{lost + 1:06d}_*"):
        flow, valid = read_flow(path)
        write_flow(path, flow, valid & ~strip)
    carry_out(mine, tmp_path / "done", o.ConsistentDepth(method="temporal"))
    for k, asked in ((lost, strip), (wide, given[wide] & ~masks[wide])):
        found = read_depth(tmp_path / "done" / f"{k + 1:06d}.exr")[0]
        assert (np.abs(found / truth[k] - 1)[asked] < 0.05).mean() > 0.8
