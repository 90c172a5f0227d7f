"""The mattes stage on shapes whose answer is known: contours that follow, soft edges, colour without fringe, subjects, drawn masks."""


import cv2
import numpy as np
import pytest

from engine.contract.options import Mattes
from engine.failures import RequestFailure, ShotFailure
from engine.geometry import contour
from engine.mattes import apart, closed_form, edge, fluid, foreground, prompts, segment
from engine.mattes.choice import Subject, called, choose
from engine.mattes.outline import Outliner
from engine.mattes.subjects import Linker

H, W = 180, 320


def _disc(x: float, y: float, radius: float) -> np.ndarray:
    yy, xx = np.mgrid[:H, :W] + 0.5
    return np.clip(radius + 0.5 - np.hypot(xx - x, yy - y), 0, 1).astype(np.float32)


def _still(shift: tuple[float, float] = (0, 0)) -> tuple[np.ndarray, np.ndarray]:
    return np.full((H, W, 2), shift, np.float32), np.ones((H, W), bool)


def test_contours_are_exact_and_say_which_are_holes():
    ring = _disc(150, 90, 60) * (1 - _disc(150, 90, 30))
    loops = sorted(contour.trace(ring), key=contour.area)
    assert [np.sign(contour.area(loop)) for loop in loops] == [-1, 1]
    assert contour.area(loops[1]) == pytest.approx(np.pi * 60**2, rel=2e-3)
    assert np.abs(np.hypot(*(loops[1] - [150, 90]).T) - 60).max() < 0.1
    whole = contour.trace(np.ones((10, 20)))[0]
    assert whole.min() == 0 and tuple(whole.max(0)) == (20, 10)  # the picture's own edge


def test_few_points_describe_a_contour():
    loop = contour.trace(_disc(150, 90, 60))[0]
    points = contour.sample(loop, contour.place(loop, 12))
    assert contour.deviation(points, loop).max() < 0.6


def test_points_follow_the_subject_and_do_not_slide():
    outliner = Outliner((W, H), 64)
    box = np.zeros((H, W), np.float32)
    box[60:120, 60:110] = 1
    for frame in range(10):
        moved = np.roll(box, 6 * frame, axis=1)
        outliner.step(frame, moved, _still((6, 0)) if frame else None)
    assert len(outliner.pieces) == 1 and len(outliner.pieces[0].points) == 10
    path = np.stack([outliner.pieces[0].points[frame] - [6 * frame, 0] for frame in range(10)])
    assert np.abs(path - path[0]).max() < 1.5
    assert all(len(points) == len(path[0]) for points in outliner.pieces[0].points.values())


def test_a_split_begins_new_pieces_and_a_cut_too():
    outliner = Outliner((W, H), 64)
    for frame in range(6):
        apart = 0 if frame < 3 else 60
        outliner.step(frame, np.maximum(_disc(130 - apart, 90, 30), _disc(160 + apart, 90, 30)), _still() if frame else None)
    assert [sorted(piece.points) for piece in outliner.pieces] == [[0, 1, 2], [3, 4, 5], [3, 4, 5]]
    outliner.step(6, _disc(150, 90, 30), None)
    assert sorted(outliner.pieces[-1].points) == [6]


def test_edge_is_soft_where_colours_say_so_and_foreground_shows_no_fringe():
    alpha = cv2.GaussianBlur(_disc(160, 90, 50), (0, 0), 3)
    front, back = np.array([0.9, 0.3, 0.1], np.float32), np.array([0.1, 0.4, 0.8], np.float32)
    picture = alpha[..., None] * front + (1 - alpha[..., None]) * back
    found = edge.within(picture, *edge.band(_disc(160, 90, 52), 10), _disc(160, 90, 52), 10)
    assert np.abs(found - alpha).mean() < 0.005 < np.abs(_disc(160, 90, 52) - alpha).mean()
    colour = foreground.unmix(picture, found)
    assert np.abs(colour - front)[found > 0.2].max() < 0.1


def test_a_wide_band_is_fitted_again_where_colours_are_clear():
    true = _disc(160, 90, 40)
    y, x = np.mgrid[:H, :W].astype(np.float32)
    front, back = np.dstack([x / W, 0.2 + 0 * x, y / H]), np.dstack([0.9 - x / W, 0.5 + 0 * x, 0.5 + 0.4 * np.sin(x / 9)])
    picture = (true[..., None] * front + (1 - true[..., None]) * back).astype(np.float32)
    known = edge.band(true, 25)
    errors = [float(np.abs(way(picture, *known, true * 0 + 0.5, 25) - true).mean()) for way in (edge.once, edge.within)]
    assert errors[1] < 0.8 * errors[0]
    assert (edge.within(picture, *known, true, 10) == edge.once(picture, *known, true, 10)).all()


def test_closed_form_finds_strands_between_colours_that_change():
    y, x = np.mgrid[:90, :160].astype(np.float32)
    strands = np.clip(np.sin(x / 3 + 0.1 * y), 0, 1) * (np.abs(y - 45) < 20) + (y >= 65)
    front, back = np.dstack([0.7 + x / 800, 0.5 + y / 400, 0.2 + 0 * x]), np.dstack([0.1 + x / 600, 0.3 + 0 * x, 0.5 - y / 300])
    picture = (strands[..., None] * front + (1 - strands[..., None]) * back).astype(np.float32)
    sure, maybe, guess = y >= 66, y > 24, np.clip((y - 24) / 42, 0, 1)
    errors = [float(np.abs(way.within(picture, sure, maybe, guess, 20) - strands).mean()) for way in (edge, closed_form)]
    assert errors[1] < 0.6 * errors[0] and errors[1] < 0.04
    assert (closed_form.within(picture, sure, sure, guess, 20) == sure).all()
    dice, apart = np.random.default_rng(0), closed_form._Apart(picture)
    one, other = dice.random((2, *y.shape)).astype(np.float32)
    assert float((one * apart(other)).sum()) == pytest.approx(float((other * apart(one)).sum()), rel=1e-3)  # symmetric at the borders too
    assert float((one * apart(one)).sum()) > 0


def test_subjects_keep_their_ids_when_they_touch_and_part():
    linker, picture = Linker(), np.zeros((H, W, 3), np.uint8)
    at = [60, 90, 115, 125, 115, 90, 60]
    seen = []
    for frame, x in enumerate(at):
        step = 0 if frame == 0 else x - at[frame - 1]
        flow = np.zeros((H, W, 2), np.float32)
        flow[:, : W // 2 + 20, 0] = -step
        labels = linker.step(frame, np.maximum(_disc(x, 90, 30), _disc(200, 90, 40)) > 0.5, (flow, np.ones((H, W), bool)) if frame else None, picture)
        seen.append((int(labels[90, x]), int(labels[90, 200])))
    assert seen[0][0] != seen[0][1] and set(seen) == {seen[0]}


def test_choice_of_subjects():
    found = [Subject(frozenset({n}), {f: 100 * n for f in range(5)}, (0.2 * n, 0.5)) for n in (1, 2, 3)]
    assert [sorted(s.ids) for s in choose(found, 10000, 5, Mattes()).values()] == [[3], [2], [1]]
    kept = choose(found, 10000, 5, Mattes(keep="2", join="1+3"))
    assert {name: sorted(s.ids) for name, s in kept.items()} == {"subject_2": [2]}
    assert sorted(choose(found, 10000, 5, Mattes(join="1+3"))["subject_1"].ids) == [1, 3]
    assert [sorted(s.ids) for s in choose(found, 10000, 5, Mattes(region="0,0,0.3,1")).values()] == [[1]]
    assert list(choose(found, 10000, 5, Mattes(drop="1,3"))) == ["subject_2"]
    with pytest.raises(ShotFailure) as nothing:
        choose(found, 10000, 5, Mattes(least=0.5))
    assert nothing.value.code == "no-movers"
    with pytest.raises(RequestFailure):
        choose(found, 10000, 5, Mattes(keep="all"))


def test_what_no_flow_bears_out_is_no_subject():
    chair, runner = _disc(80, 90, 30) > 0.5, _disc(220, 90, 40) > 0.5
    assert (segment._supported(chair | runner, chair | runner, runner) == runner).all()


def test_a_rim_that_is_hidden_is_excused_and_water_is_not():
    y, x = np.mgrid[:H, :W]
    inside, far = np.hypot(x - 160, y - 90), np.zeros((H, W, 2), np.float32)
    trust = np.where(np.abs(inside - 40) < 6, 0.1, 1).astype(np.float32)  # nothing is followed about the edge of a disc
    passing = np.where(inside[..., None] < 40, np.float32([9, 0]), far)
    assert fluid.excused(trust, fluid.jump(passing)).min() > 0.9
    assert fluid.excused(trust, fluid.jump(far)).min() < 0.2
    water = np.where(y > 90, 0.1, 1).astype(np.float32)  # a wide place stays as it is, but for its shore
    assert fluid.excused(water, fluid.jump(np.where(y[..., None] > 90, np.float32([9, 0]), far)))[120:].max() < 0.2


def _told(rim: float, best: float, lost: float) -> fluid.Trust:
    return fluid.Trust(np.ones((2, 2), np.float32), rim, best, lost)


def test_spray_is_lost_and_a_bare_or_still_place_is_not():
    dice = np.random.default_rng(3)
    grey = cv2.GaussianBlur(dice.uniform(0, 255, (H, W)).astype(np.float32), (0, 0), 1.5)
    y, x = np.mgrid[:H, :W]
    moving, spray, cloth = (x > 100) & (x < 260), (x > 180) & (x < 260) & (y < 90), (x > 180) & (x < 260) & (y >= 90)
    grey[cloth] = 20
    shown = np.where(spray, cv2.GaussianBlur(dice.uniform(0, 255, (H, W)).astype(np.float32), (0, 0), 1.5), grey)
    held = np.where(spray | cloth, 0.1, 1).astype(np.float32)
    flow = np.zeros((H, W, 2), np.float32)
    fields = [fluid.Field(flow, held, shown)]
    told = fluid.trust(grey, fields, 1, moving, moving)
    assert told.best > 0.9 and told.lost == pytest.approx(spray.sum() / moving.sum(), abs=0.06)
    assert fluid.trust(grey, fields, 1, np.ones((H, W), bool), moving).rim < 0.6  # the sides do not move against the flow around
    # Flow that holds together all the same, though the frames farther off show something else there.
    later = fluid.Field(flow, np.ones((H, W), np.float32), shown)
    assert fluid.trust(grey, [later, later], 0, moving, moving).lost == pytest.approx(spray.sum() / moving.sum(), abs=0.06)
    kept = fluid.follow(told.held / told.best, 1.0, grey)
    assert kept[20:70, 200:240].max() < 0.1 and kept[20:70, 120:160].min() > 0.9 and kept[110:160, 200:240].min() > 0.9


def test_water_is_suspected_by_the_whole_shot_alone():
    assert fluid.suspicion([_told(0, 0.9, 0.05)] * 9 + [_told(0.5, 0.9, 0.5)] * 3) == 0  # a few frames of blurred limbs
    assert fluid.suspicion([_told(0.3, 0.9, 0.14)] * 5) == 1  # scenery moves at the rim, and some of it is lost
    assert fluid.suspicion([_told(0.3, 0.9, 0.05)] * 5) == 0  # a subject that the border cuts
    assert fluid.suspicion([_told(0, 0.9, 0.3)] * 5) == 1  # spray beside a rider who is followed well
    assert fluid.suspicion([_told(0, 0.4, 0.3)] * 5) == 0  # all is lost: the shot is fast, not wet
    assert fluid.suspicion([_told(0, 0.0, 0)] * 5) == 0 and (fluid.follow(np.zeros((H, W), np.float32), 0.0, _disc(9, 9, 5)) == 1).all()


def test_names_of_subjects():
    assert [called(rank, " singer, ,old man") for rank in (1, 2, 3, 4)] == ["singer", "subject_2", "old man", "subject_4"]
    for wrong in ("a,A", "../up", "a/b", "x" * 41):
        with pytest.raises(RequestFailure):
            called(1, wrong)


def test_a_rule_of_thumb_by_area_and_left_border():
    """As the published one has it: the first mask of more than 16000 of 640x360 px that begins right of column 250."""
    places = [(0.2, 0.5, 0.05, 0.1, 0.35, 0.9), (0.6, 0.5, 0.38, 0.1, 0.8, 0.9), (0.7, 0.5, 0.45, 0.2, 0.9, 0.8), (0.9, 0.5, 0.85, 0.4, 0.95, 0.6)]
    sizes = [40000, 30000, 20000, 9000]
    found = [Subject(frozenset({n}), {f: size for f in range(5)}, place[:2], place[2:]) for n, (place, size) in enumerate(zip(places, sizes), 1)]
    rule = Mattes(least=16000 / (640 * 360), region=f"{250 / 640},0,1,1", inside=True, subjects=1)
    assert [sorted(subject.ids) for subject in choose(found, 640 * 360, 5, rule).values()] == [[3]]


def test_a_box_and_points_find_what_lies_there():
    dice = np.random.default_rng(5)
    disc, other = _disc(110, 90, 40), _disc(250, 60, 25)
    picture = np.full((H, W, 3), (60, 90, 60), np.float32) + disc[..., None] * (130, -30, -30) + other[..., None] * (120, -30, -20)
    picture = np.clip(picture + dice.normal(0, 12, (H, W, 3)), 0, 255).astype(np.uint8)

    def overlap(text: str, true: np.ndarray) -> float:
        found = prompts.seed(picture, prompts.read(text)[1][7]) > 0.5
        return np.sum(found & (true > 0.5)) / np.sum(found | (true > 0.5))

    assert overlap("7 box 0.18,0.2,0.52,0.8", disc) > 0.95
    assert overlap(f"7 in {110 / W},{90 / H}", disc) > 0.9
    assert overlap(f"7 in {250 / W},{60 / H}; 7 out {110 / W},{90 / H}", other) > 0.9
    corrected = prompts.seed(picture, prompts.read(f"7 in {110 / W},{90 / H}")[1][7], _disc(112, 92, 42))
    assert np.sum((corrected > 0.5) & (disc > 0.5)) / np.sum((corrected > 0.5) | (disc > 0.5)) > 0.95
    assert prompts.seed(picture, prompts.read("7 out 0.5,0.5")[1][7]).sum() == 0
    for wrong in ("7 box 0,0,1", "box 0,0,1,1", "7 near 0.5,0.5", "7 in a,b"):
        with pytest.raises(RequestFailure):
            prompts.read(wrong)
    assert sorted(prompts.read("3#2 box 0,0,1,1; 5 in .5,.5;")) == [1, 2]


def test_scenery_far_from_a_box_teaches_nothing_and_a_point_adds_a_part_of_its_colour():
    dice = np.random.default_rng(6)
    figure, trousers = np.zeros((H, W), bool), np.zeros((H, W), bool)
    figure[40:80, 80:110], trousers[84:130, 80:110] = True, True
    picture = np.full((H, W, 3), (60, 120, 60), np.float32)
    picture[:, 160:] = (220, 220, 215)  # a wall of the figure's colour
    picture[30:140, 70:78] = (30, 25, 30)  # a post of the trousers' colour
    picture[figure], picture[trousers] = (220, 220, 215), (30, 25, 30)
    picture = np.clip(picture + dice.normal(0, 2, (H, W, 3)), 0, 255).astype(np.uint8)

    def found(more: str) -> np.ndarray:
        text = f"7 box {76 / W},{36 / H},{114 / W},{134 / H}" + more
        return prompts.seed(picture, prompts.read(text)[1][7]) > 0.5

    assert found("")[figure].mean() > 0.95
    both = found(f"; 7 in {95 / W},{110 / H}")
    assert both[figure].mean() > 0.95 and both[trousers].mean() > 0.9 and both[:, 160:].sum() == 0


def test_in_a_box_what_moves_is_told_from_what_looks_like_it():
    dice = np.random.default_rng(8)
    figure, twin = np.zeros((H, W), bool), np.zeros((H, W), bool)
    figure[40:120, 60:100], twin[30:130, 110:140] = True, True
    picture = np.full((H, W, 3), (60, 120, 60), np.float32)
    picture[figure], picture[twin] = (40, 35, 45), (90, 50, 60)
    picture = np.clip(picture + dice.normal(0, 4, (H, W, 3)), 0, 255).astype(np.uint8)
    box = prompts.read(f"7 box {56 / W},{30 / H},{145 / W},{130 / H}")[1][7]
    moves = cv2.GaussianBlur(4 * figure.astype(np.float32), (0, 0), 4)
    assert (prompts.seed(picture, box) > 0.5)[twin].mean() > 0.9
    for scenery in (0.0, 1.5):  # calm, or on the move too: then motion only says where the search begins
        found = prompts.seed(picture, box, moves=moves + np.float32(scenery)) > 0.5
        assert found[figure].mean() > 0.9 and found[twin].mean() < 0.1, scenery
    assert np.array_equal(prompts.seed(picture, box), prompts.seed(picture, box, moves=np.full((H, W), 2.0, np.float32)))


def test_everybody_told_apart_by_what_is_nearest():
    labels = np.zeros((H, W), np.uint8)
    labels[60:120, 40:80], labels[60:120, 200:260] = 1, 4
    owner = apart.nearest(labels, (2 * W, 2 * H))
    assert owner.shape == (2 * H, 2 * W) and (owner[:, :200] == 1).all() and (owner[:, 330:] == 4).all() and set(np.unique(owner)) == {1, 4}
    assert not apart.nearest(np.zeros((H, W), np.uint8), (W, H)).any()
