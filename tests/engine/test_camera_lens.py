"""The camera's lens from made tracks: what the shot tells of it, how surely, and when it is doubted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from camera_tracks import FIXED, SIZE, VIEWS, ahead, answered, judge, make, path, placed, solve

from engine.camera import adjust, bundle, diagnosis, equations, focal, lenses, mapping, resection, span, tripod, unknowns, ways, zooming
from engine.contract.options import Solve
from engine.failures import ShotFailure
from engine.geometry import lens
from engine.geometry.pose import invert
from engine.metrics.trajectory import compare


@pytest.mark.parametrize(("truth", "model"), [
    ((0, 0, 0, 0), "SIMPLE_PINHOLE"), ((-0.05, 0, 0, 0), "SIMPLE_RADIAL"), ((-0.24, 0.05, 0, 0), "RADIAL"), ((-0.1, 0, 0.01, 0.01), "OPENCV"),
])
def test_the_lens_has_as_much_distortion_as_the_shot_tells(truth: tuple[float, ...], model: str) -> None:
    views = 9
    poses = path(VIEWS)[:: VIEWS // 8][:views]
    tracks = make(poses, np.full(views, 400.0), distortion=truth, noise=0.2)
    start = placed(tracks, poses, np.full(views, 410.0), (*truth[:1], 0, 0, 0), 6.0)
    chosen, found, sigma = lenses.choose(start, tracks, np.isfinite(start.points[tracks.track, 0]), 0.3, False)
    assert chosen == model and 0 < sigma < 0.1
    rim = np.array([[0.35, 0.15], [-0.3, 0.2]])  # in focal lengths: well inside the picture
    assert np.abs(lens.distort(rim, found.distortion) - lens.distort(rim, np.array(truth, float))).max() * 400 < 0.8


@pytest.mark.parametrize("way", ["stepwise", "global"])
def test_known_focal_length_is_kept(way: str, tmp_path: Path, monkeypatch) -> None:
    if way == "global":  # as for many keyframes
        pytest.importorskip("pycolmap")
        monkeypatch.setattr(resection, "MOST", 2)
    answer = solve(make(path(VIEWS), FIXED), tmp_path, focal=520.0, lens="known")
    assert (answer.state.focal == 520).all() and answer.lens == "known" and judge(answer, path(VIEWS), FIXED).ate_percent < 0.2
    assert answer.method.startswith(f"free camera: {way} mapping of ")


def test_where_the_shot_tells_no_focal_length_the_file_does(tmp_path: Path) -> None:
    tracks = make(ahead(), FIXED, noise=0.3)
    question = span.Question(tracks, VIEWS, SIZE, Solve(), 500.0, tmp_path / "work", lambda: None, told=True)
    answer = span.solve(question)
    assert answer.lens == "known" and (answer.state.focal == 500).all()


def test_a_lens_that_the_shot_hardly_tells_is_settled_along_the_valley() -> None:
    poses = ahead()
    tracks = make(poses, FIXED, distortion=(0, 0, 0, 0), noise=0.2)
    truth = placed(tracks, poses, FIXED)
    far = focal.stretched(truth, 2.5)
    seen = np.isfinite(truth.points[tracks.track, 0])
    assert np.allclose(far.errors(tracks)[seen], truth.errors(tracks)[seen], atol=1e-6)  # straight ahead, one is as good as the other
    found, sigma = focal.settled(bundle.replace(far, distortion=np.array([1.8, 0, 0, 0])), tracks, 0.3)
    assert focal.odd(bundle.replace(far, distortion=np.array([1.8, 0, 0, 0]))) and not focal.odd(found)
    assert sigma > 0.05 and abs(np.log(found.focal[0] / 520)) < 2 * sigma and compare(invert(found.pose), poses).ate_percent < 0.5


def test_a_lens_is_not_told_by_what_fits_nowhere() -> None:
    tracks = make(path(VIEWS), FIXED, points=60).long(3)
    noise = replace(tracks, xy=np.random.default_rng(0).uniform([0, 0], SIZE, tracks.xy.shape))
    with pytest.raises(ShotFailure, match="could not be solved"):
        focal.settled(placed(tracks, path(VIEWS), FIXED), noise, 0.3)


def test_the_valley_is_walked_to_its_bottom() -> None:
    """Where turns tell the focal length well, though an adjustment of all at once creeps: it is found from far off, by no more than it is said to be."""
    tracks = make(path(VIEWS, travel=0.5), FIXED, distortion=(0, 0, 0, 0), noise=0.1, points=300)
    truth = placed(tracks, path(VIEWS, travel=0.5), FIXED)
    for ratio in (0.7, 1.3):
        found, sigma = focal.settled(focal.stretched(truth, ratio), tracks, 0.3)
        assert 0.001 < sigma < 0.02 and abs(np.log(found.focal[0] / 520)) < 3 * sigma


def test_a_zoom_is_brought_back_along_the_valley_in_a_few_rounds(monkeypatch) -> None:
    """From half as long again, where straight steps would creep; and where no zoom is believed after all, the fixed lens is doubted."""
    views, poses = 60, path(60)
    zoom = 480 * np.exp(0.3 * np.sin(np.arange(views) / 20))
    tracks = make(poses, zoom, distortion=(0, 0, 0, 0), points=300).long(3)
    truth = placed(tracks, poses, zoom)
    far = bundle.triangulated(focal.stretched(truth, 1.5), tracks, 3.0)
    use = far.errors(tracks) < 3.0
    use &= np.bincount(tracks.track[use], minlength=len(far.points))[tracks.track] >= 2
    start, few = unknowns.of_state(far, tracks, use, 120, zooming=True)
    best = adjust.adjust(start, few, 0.3, 15)
    sigma = equations.System(best, few, 0.3).focal_sigma()
    assert sigma < 0.1 and abs(float((best.log_focal - np.log(zoom)).mean())) < 2 * sigma

    fixed = bundle.triangulated(replace(truth, focal=np.full(views, 480.0)), tracks, 40.0)
    answer = answered(fixed, tracks, fixed.errors(tracks) < 40.0)
    question = span.Question(tracks, views, SIZE, Solve(), 0.0, None, lambda: None)
    monkeypatch.setattr(span, "GLANCE", 0)
    monkeypatch.setattr(span, "_glance_says_zoom", lambda *a: False)
    assert "zoom" in span._or_zoomed(question, tracks, answer.diagnosis, answer).doubt


@pytest.mark.parametrize("range_", [0.0, 0.06])
def test_a_focal_length_for_each_view_must_be_worth_it(range_: float) -> None:
    """Where nothing zooms, many focal lengths still explain a little more; a slight zoom explains surely more."""
    views, poses = 24, path(24)
    zoom = 480 * np.exp(range_ * np.linspace(-0.5, 0.5, views))
    tracks = make(poses, zoom, distortion=(0, 0, 0, 0), points=150).long(3)
    fixed, zoomed = (placed(tracks, poses, lens_, limit=4.0) for lens_ in (np.full(views, 480.0), zoom))
    assert zooming.worth(fixed, zoomed, tracks, 0.3) == (range_ > 0)


def test_a_lens_that_breathes_zooms(tmp_path: Path, monkeypatch) -> None:
    """A focus pull changes the focal length by some 4 %. Where a fixed lens has gone astray, the lens would seem to zoom by less, but much is explained."""
    lens_ = 560 * 1.045 ** np.clip(np.linspace(-1, 2, VIEWS), 0, 1)
    tracks = make(path(VIEWS), lens_, distortion=(0, 0, 0, 0), points=300).long(3)
    question = span.Question(tracks, VIEWS, SIZE, Solve(), 0.0, tmp_path / "work", lambda: None)
    fixed = ways.travelled(question, tracks, diagnosis.look(tracks, VIEWS, SIZE), False)
    assert span._if_it_zoomed(fixed, 0.3)[1] < span.LESS
    monkeypatch.setattr(span, "_if_it_zoomed", lambda *a: (np.linspace(0, 0.02, VIEWS), 0.8))
    answer = span._or_zoomed(question, tracks, fixed.diagnosis, fixed)
    assert answer.lens == "zoom" and judge(answer, path(VIEWS), lens_).focal_percent < 2


def test_a_map_that_began_with_a_wrong_lens_is_begun_again(tmp_path: Path) -> None:
    poses, right = path(VIEWS), np.full(VIEWS, 2.3 * SIZE[0])
    tracks = make(poses, right, distortion=(0, 0, 0, 0), points=200).long(3)
    question = span.Question(tracks, VIEWS, SIZE, Solve(), 0.0, tmp_path / "work", lambda: None)
    wrong = replace(span._by_lens(question, tracks, diagnosis.look(tracks, VIEWS, SIZE), 0.3 * SIZE[0]), lens="fixed")
    answer = span._begun_again(question, tracks, wrong.diagnosis, wrong)
    assert judge(wrong, poses, right).ate_percent > 1 and wrong.miss > 2 * answer.miss
    assert judge(answer, poses, right).focal_percent < 2 and judge(answer, poses, right).ate_percent < 0.3


def test_a_long_shot_is_begun_again_as_a_stretch_of_it_tells(tmp_path: Path, monkeypatch) -> None:
    views = VIEWS + 10
    monkeypatch.setattr(lenses, "DENSE", 6 * VIEWS + 5)  # so that more is a long shot
    monkeypatch.setattr(span, "GLANCE", VIEWS)
    poses, lens_ = path(views), np.full(views, 2.3 * SIZE[0])
    tracks, asked = make(poses, lens_, distortion=(0, 0, 0, 0)).long(3), []
    right, wrong = (answered(state, tracks, state.errors(tracks) < 2) for state in (placed(tracks, poses, f) for f in (lens_, 0.3 * lens_)))
    question = span.Question(tracks, views, SIZE, Solve(), 0.0, tmp_path / "work", lambda: None)
    monkeypatch.setattr(span, "_by_lens", lambda *question: asked.append(question[-1]) or wrong)
    monkeypatch.setattr(ways, "travelled", lambda *question: right)
    assert span._begun_again(question, tracks, wrong.diagnosis, wrong) is right
    assert len(asked) == 1 and abs(asked[0] / lens_[0] - 1) < 0.1  # a start need only be near: in a stretch, lens and depth are nearly one


def test_a_zoom_goes_on_from_the_poses_of_a_fixed_lens_where_it_fits_better(tmp_path: Path, monkeypatch) -> None:
    poses, zoom = path(VIEWS), 480 * np.exp(np.linspace(-0.2, 0.2, VIEWS))
    tracks = make(poses, zoom, distortion=(0, 0, 0, 0), points=60).long(3)
    fixed, right, wrong = (answered(state, tracks, state.errors(tracks) < 2) for state in (placed(tracks, poses, f) for f in (FIXED, zoom, zoom[::-1])))
    question = span.Question(tracks, VIEWS, SIZE, Solve(), 0.0, tmp_path / "work", lambda: None)
    for afresh, onward in ((wrong, right), (right, wrong)):
        monkeypatch.setattr(ways, "travelled", lambda *asked, afresh=afresh, onward=onward: onward if fixed in asked else afresh)
        assert span._zoomed(question, tracks, fixed.diagnosis, fixed, True) is right


@pytest.mark.parametrize("range_", [0.0, 0.01, 0.1])
def test_a_zoom_is_believed_that_is_wide_and_misses_less(range_: float, monkeypatch) -> None:
    """However much so many focal lengths explain of what fits: where half of the tracks fit nowhere, that says little."""
    poses, zoom = path(24), 480 * np.exp(range_ * np.linspace(-0.5, 0.5, 24))
    tracks = make(poses, zoom, distortion=(0, 0, 0, 0), points=60).long(3)
    fixed, zoomed, wrong = (placed(tracks, poses, lens_, limit=4.0) for lens_ in (np.full(24, 480.0), zoom, zoom[::-1]))
    monkeypatch.setattr(zooming, "worth", lambda *a: True)
    believed = [span._better(answered(state, tracks, state.errors(tracks) < 2), fixed, tracks, 0.3) for state in (zoomed, wrong)]
    assert believed == [range_ > 0.05, False]


def test_a_zoom_without_a_turn_does_not_claim_to_know_its_lens() -> None:
    views = 12
    focal = 480 * 1.02 ** np.arange(views)
    tracks = make(np.tile(np.eye(4), (views, 1, 1)), focal, distortion=(0, 0, 0, 0), points=150)
    state, _, sigma = tripod.solve(tracks, views, SIZE, 600.0, True, False, 0.3)
    assert sigma > 0.25 and abs(np.log(state.focal / focal)).max() < sigma
    assert np.allclose(state.focal / state.focal[0], focal / focal[0], rtol=0.005)  # how much it zooms is known


def test_a_zoom_straight_ahead_does_not_claim_to_know_its_path(tmp_path: Path) -> None:
    """Without a turn a growing lens and a slower drive look alike."""
    time = np.linspace(0, 1, VIEWS)
    zoom = 480 * 1.14 ** (time * time * (3 - 2 * time))
    answer = solve(make(ahead(), zoom, points=300), tmp_path, lens="zoom")
    error = judge(answer, ahead(), zoom)
    assert answer.path > 0.015 and error.ate_percent < 200 * answer.path and error.focal_percent < 200 * answer.sigma


def test_a_principal_point_aside_is_foreseen() -> None:
    """What a picture's middle some px beside the lens's does to the focal length is what the equations say, and it is counted in."""
    poses = path(VIEWS)
    tracks = make(poses, FIXED, points=200).long(3)
    state = placed(tracks, poses, FIXED, (-0.05, 0, 0, 0))
    start, few = unknowns.of_state(state, tracks, tracks.shared(np.isfinite(state.points[tracks.track, 0])), 120)
    best, away = (adjust.adjust(start, replace(few, xy=few.xy + [px, 0.0]), 0.3) for px in (0.0, 6.0))
    system = equations.System(best, few, 0.3)
    foreseen = 6.0 * float(system.by_centre()[0] @ system.focal_pick())
    assert abs(foreseen) > 0.002 and abs(float(away.log_focal[0] - best.log_focal[0]) / foreseen - 1) < 0.3
    assert system.focal_sigma(6.0) > np.hypot(system.focal_sigma(), 0.9 * foreseen)


def test_a_lens_that_hardly_anybody_films_with_is_weighed_against_a_usual_one(tmp_path: Path) -> None:
    """Straight ahead any lens will do, so one that is far too long is doubted; where turns tell it, a long lens is a long lens."""
    tracks = make(ahead(), FIXED, distortion=(0, 0, 0, 0), noise=0.2)
    far = focal.stretched(placed(tracks, ahead(), FIXED), 2.5)
    wrong = answered(far, tracks, far.errors(tracks) < 3.0)
    question = span.Question(tracks, VIEWS, SIZE, Solve(), 0.0, tmp_path / "work", lambda: None)
    weighed = span._weighed(question, tracks, wrong.diagnosis, wrong)
    assert "more usual" in weighed.doubt and weighed.sigma > 0.4 and weighed.state is far
    assert focal.scatter(far, tracks, 0.3, 0.01) > 0.1
    long = np.full(VIEWS, 2.0 * SIZE[0])
    poses = path(VIEWS)
    answer = solve(make(poses, long, distortion=(0, 0, 0, 0)), tmp_path)
    assert not answer.doubt and judge(answer, poses, long).focal_percent < 5
    assert focal.scatter(answer.state, answer.tracks, 0.3, answer.sigma) < 0.03


def test_a_lens_is_no_surer_than_the_parts_of_the_picture_agree() -> None:
    """Where all tracks of a part slip together, as by blur, the scatter of the focal length is better foreseen than by the tracks' noise alone."""
    poses = path(VIEWS)
    calm = make(poses, FIXED, distortion=(0, 0, 0, 0), noise=0.05, points=400)
    truth = placed(calm, poses, FIXED)
    part = (calm.xy // (np.array(SIZE) / equations.PARTS)).astype(int)
    off, told, by_noise = [], [], []
    for seed in range(8):
        slips = np.random.default_rng(seed).normal(0, 0.5, (3, equations.PARTS, equations.PARTS, 2))
        time = np.linspace(-1, 1, VIEWS)[calm.view, None]
        tracks = replace(calm, xy=calm.xy + sum(slips[k, part[:, 0], part[:, 1]] * time ** (k + 1) for k in range(3)))
        start, few = unknowns.of_state(truth, tracks, tracks.shared(truth.errors(tracks) < 3.0), 100, free=())
        best = adjust.adjust(start, few, 1.0)
        system = equations.System(best, few, 1.0)
        off.append(float(best.log_focal[0] - np.log(520)))
        told.append(system.focal_sigma())
        inverse = np.linalg.inv(equations.normal.dense(system.reduced(0.0)))
        by_noise.append(float(np.sqrt(system.spread * system.length * inverse[-1, -1])))
    scatter, foreseen, naive = (float(np.sqrt(np.mean(np.square(values)))) for values in (off, told, by_noise))
    assert naive < 0.75 * foreseen and foreseen < scatter < 2.5 * foreseen  # sixteen parts tell their own scatter roughly


@pytest.mark.parametrize("bend", [0.0, -0.12])
def test_tracks_that_slipped_do_not_pull_the_lens_along(bend: float) -> None:
    """One track in three glides away from the middle, faster and faster; distortion that the shot does not show is left out, what it shows is kept."""
    poses, random = path(VIEWS, travel=0.6), np.random.default_rng(5)
    tracks = make(poses, FIXED, distortion=(bend, 0, 0, 0), noise=0.04, points=400).long(3)
    count = int(tracks.track.max()) + 1
    slips, first = np.where(random.random(count) < 1 / 3, random.uniform(0.6, 1.6, count), 0.0), np.full(count, VIEWS)
    np.minimum.at(first, tracks.track, tracks.view)
    age = (tracks.view - first[tracks.track]) / 12
    tracks = replace(tracks, xy=tracks.xy + (slips[tracks.track] * age**2)[:, None] * (tracks.xy / SIZE - 0.5))
    start = placed(tracks, poses, FIXED, (bend, 0, 0, 0))
    milder = adjust.refined(start, tracks, start.errors(tracks) < mapping.FINE, 0.3, (0,))
    milder = bundle.triangulated(milder, tracks, mapping.FINE)
    answer = ways.sharpened(replace(answered(milder, tracks, milder.errors(tracks) < mapping.FINE), sigma=1e-4), 0.3)
    sharper = answer.state
    before, after = (compare(invert(state.pose), poses, state.focal, FIXED) for state in (milder, sharper))
    assert after.ate_percent < 0.7 * before.ate_percent and after.focal_percent < 0.7 * before.focal_percent
    assert (sharper.distortion[0] == 0) == (bend == 0) and abs(sharper.distortion[0] - bend) < 0.01
    assert answer.sigma == pytest.approx(abs(np.log(sharper.focal[0] / milder.focal[0]))) and answer.sigma > 1e-3  # no surer than both agree
