"""A drawn mask carried: found again after it was hidden, the way home to the key, colours place by place, own motion as a mark."""

import shutil

import cv2
import numpy as np

from engine import store
from engine.mattes import carry, thin, two_layers
from engine.mattes.homeward import Homeward
from engine.mattes.local_colours import LocalColours
from engine.mattes.own_motion import OwnMotion
from engine.mattes.palette import BINS, bins
from engine.mattes.reuse import Reuse
from engine.mattes.subjects import fetch
from engine.media.flow import Flow, both_ways, flow_path, write_flow
from engine.media.frames import Frames, write_png


def _hidden_shot(root):
    """A red disc that crosses a still scene, wholly hidden behind a post of the scene's colours on frames 6 and 7; returns the visible truth by frame."""
    size, dice, truth = (160, 90), np.random.default_rng(2), {}
    scene = cv2.GaussianBlur(dice.integers(0, 256, (90, 160, 3)).astype(np.float32), (0, 0), 2) * 0.6 + 40
    skin = cv2.GaussianBlur(dice.integers(0, 256, (90, 400, 3)).astype(np.float32), (0, 0), 2) * [0.3, 0.2, 0.2] + [150, 20, 20]
    y, x = np.mgrid[:90, :160]
    greys = {}
    for frame in range(1, 13):
        middle = 11 * frame
        seen = (np.hypot(x - middle, y - 45) < 12) & ((x < 50) | (x > 92))
        picture = np.where(seen[..., None], np.roll(skin, middle, 1)[:, :160], scene).clip(0, 255).astype(np.uint8)
        truth[frame], greys[frame] = seen, cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        write_png(root / "frames" / f"{frame:06d}.png", picture)
        write_png(root / "evidence" / f"{frame:06d}.png", (cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 3) * 220).astype(np.uint8))
        for other in (frame - 1, frame - 2):
            if other in greys:
                there, valid, back, back_valid = both_ways(greys[other], greys[frame])
                write_flow(flow_path(root / "flow", other, frame), there, valid)
                write_flow(flow_path(root / "flow", frame, other), back, back_valid)
    about = {"size": size, "fps": "24/1", "frames": list(truth), "times": [n / 24 for n in truth], "cuts": [], "duplicates": [], "bits": 8}
    store.write_json(root / "frames" / "clip.json", about)
    store.write_json(root / "flow" / "flow.json", {"size": size, "gaps": [1, 2]})
    return truth


def test_what_was_wholly_hidden_is_found_again_and_a_stopped_run_goes_on_the_same(tmp_path):
    truth = _hidden_shot(tmp_path)
    assert not truth[6].any() and not truth[7].any()

    def carried(name):
        room = tmp_path / name / "room"
        room.mkdir(parents=True, exist_ok=True)
        keys = {1: truth[1].astype(np.float32)}
        carrier = carry.Carrier(Frames(tmp_path / "frames"), Flow(tmp_path / "flow"), keys, room, Reuse(room, ""), tmp_path / "evidence")
        carrier.prepare(lambda done: None)
        return {frame: carrier.likely(frame) for frame in truth}

    found = carried("whole")
    for frame, seen in truth.items():
        got = found[frame] > 0.5
        if not seen.any():
            assert np.count_nonzero(got) < 40, frame
        elif np.count_nonzero(seen) > 300:  # more than a sliver
            assert np.count_nonzero(got & seen) >= 0.75 * np.count_nonzero(got | seen), frame
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    for frame in (9, 10, 11, 12):
        (tmp_path / "stopped" / "room" / "onward" / "carried" / f"{frame:06d}.png").unlink()
    again = carried("stopped")
    assert all(np.array_equal(found[frame], again[frame]) for frame in truth)


def test_the_way_home_holds_over_hops_and_not_for_other_colours():
    picture = np.random.default_rng(0).random((40, 60, 3)).astype(np.float32)
    mask = np.zeros((40, 60), np.float32)
    mask[10:30, 10:30] = 1
    shown = {n: np.roll(picture, 3 * n, 1) for n in range(4)}

    def field(a, b):
        return np.full((40, 60, 2), (3.0 * (b - a), 0), np.float32), np.ones((40, 60), np.float32)

    home = Homeward(0, mask, picture, [1, 2], field)
    for frame in (1, 2, 3):
        home.step(frame, 1)
    says = home.says(3, shown[3])
    assert says[12:28, 21:37].min() > 0.9 and says[12:28, 42:58].max() < -0.9
    assert np.abs(home.says(3, 1 - shown[3])).mean() < 0.2
    assert not home.says(3, shown[3])[:, :8].any()  # came into the picture


def test_the_same_colour_counts_by_its_place():
    picture = np.full((180, 320, 3), 90, np.uint8)
    belief = np.zeros((180, 320), np.float32)
    belief[:, :160] = 1
    local, at = LocalColours((320, 180)), bins(picture)
    local.add(at, belief, np.ones_like(belief))
    odds = local.odds(at, np.zeros(BINS**3))
    assert odds[:, :120].min() > 0.5 and odds[:, 200:].max() < -0.5


def test_own_motion_is_asked_only_where_the_scenery_is_calm():
    belief = np.zeros((90, 160), np.float32)
    belief[30:60, 60:90] = 1
    rough = np.random.default_rng(0).random((90, 160)).astype(np.float32)
    for scenery, calm in ((0.1, 1.0), (0.9, 0.0)):
        shown = np.maximum(4 * belief, scenery * 2 * rough)
        assert OwnMotion(lambda frame, shown=shown: shown, lambda frame: belief).calm(2, [1]) == calm
    odds = OwnMotion(lambda frame: 4 * belief, lambda frame: belief).odds(2, [1], belief)
    assert odds[belief > 0].min() > 1.5 and odds[belief == 0].max() < -1.5


def test_a_line_is_carried_over_scenery_that_moves_another_way():
    dice = np.random.default_rng(3)
    scene = cv2.GaussianBlur(dice.integers(0, 256, (180, 420, 3)).astype(np.float32), (0, 0), 4) * 0.6 + 40
    pictures, masks = [], []
    for step in range(4):
        picture, mask = np.ascontiguousarray(np.roll(scene, 4 * step, 1)[:, 40:360]), np.zeros((180, 320), np.uint8)
        for target, ink in ((picture, (230, 225, 210)), (mask, 1)):
            cv2.rectangle(target, (20, 130 - step), (70, 165 - step), ink, -1)
            cv2.line(target, (60, 132 - step), (300, 20 - step), ink, 1)
        pictures.append(cv2.GaussianBlur(picture, (0, 0), 0.5).clip(0, 255).astype(np.uint8))
        masks.append(mask.astype(np.float32))
    lines, flow, holds = thin.parts(masks[0]), np.full((90, 160, 2), (-2.0, 0), np.float32), np.ones((90, 160), np.float32)
    assert lines[130:165, 30:60].max() == 0 and lines.sum() > 150  # the line, not the box
    for step in (1, 2, 3):
        before = np.maximum(masks[step - 1] - thin.parts(masks[step - 1]), lines)
        found = thin.carried(pictures[step], pictures[step - 1], before, thin.parts(lines), flow, holds)
        lines = np.where(found > 0.5, found, 0).astype(np.float32)
    true = thin.parts(masks[3]) > 0
    near = cv2.dilate(true.astype(np.uint8), np.ones((3, 3))) > 0
    assert (true & (cv2.dilate(lines, np.ones((3, 3))) > 0)).sum() > 0.85 * true.sum()
    assert ((lines > 0) & near).sum() > 0.85 * (lines > 0).sum()


def test_where_no_flow_holds_two_layers_tell_the_subject_also_as_it_comes_in_over_the_border():
    dice = np.random.default_rng(5)
    scene, skin = (cv2.GaussianBlur(dice.integers(0, 256, (90, 300, 3)).astype(np.float32), (0, 0), 2) for _ in range(2))
    y, x = np.mgrid[:90, :160]

    def shot(middle, pan):
        inside = np.hypot(x - middle, y - 45) < 25
        picture = np.where(inside[..., None], np.roll(skin, middle, 1)[:, :160], np.roll(scene, pan, 1)[:, :160])
        return picture.clip(0, 255).astype(np.uint8), inside

    for start in (60, 0):  # in the middle; half outside
        (before, was), (now, inside) = shot(start, 0), shot(start + 9, -3)
        lost = (y > 40) & (np.hypot(x - start - 4, y - 45) < 36) | (x < 9)
        flow = np.where(inside[..., None], (-9.0, 0.0), (3.0, 0.0))
        flow = np.where(lost[..., None], dice.normal(0, 6, (90, 160, 2)), flow).astype(np.float32)
        found = two_layers.told(now, before, was.astype(np.float32), flow, (~lost).astype(np.float32), lost.astype(np.float32)) > 0.5
        along = fetch(was.astype(np.float32), flow) > 0.5
        alike = [(mask & inside & lost).sum() / ((mask | inside) & lost).sum() for mask in (found, along)]
        assert alike[0] > max(0.7, alike[1] + 0.15), start
