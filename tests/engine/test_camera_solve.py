"""The camera from made tracks, against the truth: what is solved, what is refused, and that it repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from camera_tracks import FIXED, SIZE, VIEWS, answered, judge, make, moment, path, placed, solve

from engine.camera import answer, bundle, certainty, diagnosis, equations, focal, mapping, pairs, resection, rolling, shutter, smooth, span, unknowns, ways
from engine.camera.tracks import Tracks
from engine.contract.options import Solve
from engine.failures import ShotFailure
from engine.geometry import lens
from engine.geometry.pose import invert, pose, rotation_from_vector
from engine.metrics.trajectory import compare


def test_travelling_camera_among_movers(tmp_path: Path) -> None:
    poses = path(VIEWS)
    answer = solve(make(poses, FIXED, movers=0.25), tmp_path)
    error = judge(answer, poses, FIXED)
    assert answer.state.posed.all() and answer.motion == "free" and answer.lens == "fixed"
    assert error.ate_percent < 0.2 and error.rotation_worst_degrees < 0.2 and error.focal_percent < 2
    assert abs(answer.state.distortion[0] + 0.05) < 0.02
    assert answer.sigma is not None and focal.FOOTAGE < answer.sigma < 0.036
    assert answer.shift is None and abs(answer.readout.share) < 4 * answer.readout.sigma  # all rows at once
    again = solve(make(poses, FIXED, movers=0.25), tmp_path)
    assert np.array_equal(again.state.pose, answer.state.pose) and np.array_equal(again.state.points, answer.state.points, equal_nan=True)


def test_keyframes_are_placed_one_after_another() -> None:
    """Among movers, with no word of the lens; and where the tracks contradict each other nothing is placed that would seem to fit."""
    poses, keys = path(VIEWS), list(range(0, VIEWS, 4))
    tracks = make(poses, FIXED, movers=0.2).long(3)
    state = bundle.State(SIZE, np.full(VIEWS, 768.0), np.zeros(4), np.tile(np.eye(4), (VIEWS, 1, 1)), np.zeros(VIEWS, bool), np.zeros((0, 3)))
    use = np.isin(tracks.view, keys)
    found = resection.mapped(state, mapping.shown(tracks, use, keys), keys, False)
    assert found.posed[keys].all() and compare(invert(found.pose)[keys], poses[keys]).ate_percent < 1 and abs(found.focal[0] / 520 - 1) < 0.1
    assert mapping.missed(found, tracks, use, keys) < mapping.WEAK
    noise = replace(tracks, xy=np.random.default_rng(0).uniform([0, 0], SIZE, tracks.xy.shape))
    assert mapping.missed(resection.mapped(state, noise, keys, False), noise, use, keys) > mapping.WEAK


def test_smoothing_takes_the_quiver_and_leaves_the_move() -> None:
    random, truth = np.random.default_rng(4), path(60)
    truth[30:, 0, 3] += 0.1  # two stretches, with a lost frame between
    shaken = truth.copy()
    shaken[:, :3, 3] += random.normal(0, 0.01, (60, 3))
    shaken[:, :3, :3] = rotation_from_vector(random.normal(0, 0.004, (60, 3))) @ shaken[:, :3, :3]
    posed = np.arange(60) != 30
    shaky = bundle.State(SIZE, np.full(60, 520.0), np.zeros(4), invert(shaken), posed, np.zeros((0, 3)))
    calm = invert(smooth.smoothed(shaky, 10.0).pose)
    before, after = (compare(poses[posed], truth[posed]) for poses in (shaken, calm))
    assert after.jitter_degrees < 0.3 * before.jitter_degrees and after.ate_percent < 0.7 * before.ate_percent
    assert np.allclose(calm[30], shaken[30]) and np.allclose(np.linalg.det(calm[:, :3, :3]), 1)
    time = np.arange(200)
    for wave, low, high in ((10, 0.45, 0.55), (40, 0.97, 1.01), (3, 0.0, 0.02)):
        kept = smooth.whittaker(np.sin(2 * np.pi * time / wave)[:, None], 10.0)[50:150, 0]
        assert low < np.abs(kept).max() < high
    assert np.allclose(smooth.whittaker(2.0 + 3 * time[:, None], 25.0)[:, 0], 2 + 3 * time)


@pytest.mark.parametrize("clear", [True, False])
def test_zoom_on_the_move_is_a_zoom(clear: bool, tmp_path: Path, monkeypatch) -> None:
    if not clear:  # as for a long shot: a fixed lens first, then tried on a stretch of it
        monkeypatch.setattr(mapping, "zooms", lambda job, tracks: False)
        monkeypatch.setattr(span, "GLANCE", VIEWS // 2)
    poses, focal = path(VIEWS), 480 * np.linspace(1, 1.35, VIEWS)
    answer = solve(make(poses, focal, distortion=(0, 0, 0, 0), points=400), tmp_path)
    error = judge(answer, poses, focal)
    assert answer.lens == "zoom" and error.ate_percent < 0.5 and error.focal_percent < 2
    assert answer.method.startswith("free camera with zoom: stepwise mapping")


@pytest.mark.parametrize("growth", [0.0, 0.3])
def test_pairs_of_keyframes_tell_a_zoom(growth: float) -> None:
    """With a lens that grows by e to the power of `growth`; a dolly stays a dolly."""
    poses, focal = path(VIEWS), 480 * np.exp(growth * (np.linspace(0, 1, VIEWS) - 0.5))
    found = pairs.chosen(make(poses, focal, distortion=(0, 0, 0, 0), points=300).long(2), [0, 5, 10, 15, 20, VIEWS - 1], VIEWS)
    assert pairs.zooms(found, VIEWS, SIZE) == (growth > 0)
    assert np.abs(pairs.focals(found, VIEWS, SIZE, True) - np.log(focal)).max() < 0.12


def test_tripod_turns_without_travel(tmp_path: Path) -> None:
    poses = path(VIEWS, travel=0, turn=0.35)
    answer = solve(make(poses, FIXED), tmp_path)
    assert answer.motion == "tripod" and answer.lens == "fixed" and answer.state.posed.all() and not answer.doubt
    assert not answer.state.pose[:, :3, 3].any()
    turned = invert(answer.state.pose)
    shifted = pose(poses[:, :3, :3], np.arange(VIEWS)[:, None] * [1.0, 0, 0])
    assert compare(turned, shifted, answer.state.focal, FIXED).rotation_worst_degrees < 0.1
    assert np.abs(answer.state.focal / FIXED - 1).max() < 0.02


@pytest.mark.parametrize("quiver", [0.0, 0.005])
def test_travel_that_explains_little_is_a_doubt(quiver: float, tmp_path: Path, monkeypatch) -> None:
    """Some mm are more than noise: where they bring too little for a path, turns are the answer, with a warning; of mere noise there is none."""
    monkeypatch.setattr(span, "LEFT", 0.0)
    monkeypatch.setattr(span, "TRAVELS", 0.0)
    poses = path(VIEWS, travel=0, turn=0.35)
    poses[:, :3, 3] += np.random.default_rng(3).normal(0, quiver, (VIEWS, 3))
    answer = solve(make(poses, FIXED, noise=0.1, points=300), tmp_path)
    assert answer.motion == "tripod" and ("travel a little" in answer.doubt) == (quiver > 0)


def test_turns_that_find_no_travel_are_no_path(tmp_path: Path, monkeypatch) -> None:
    """A rival of a tripod that places no point is refused, not settled by what is left of it."""
    tracks = make(path(VIEWS, travel=0, turn=0.35), FIXED, points=200).long(3)
    question = span.Question(tracks, VIEWS, SIZE, Solve(), 0.0, tmp_path / "work", lambda: None)
    turned = ways.turned(question, tracks, diagnosis.look(tracks, VIEWS, SIZE))
    found = turned.state, np.zeros(len(tracks.track), bool), [0], "given", None
    monkeypatch.setattr(mapping, "solved", lambda *a: found)
    with pytest.raises(ShotFailure):
        ways.travelled(question, tracks, turned.diagnosis, False)


def test_little_travel_is_no_tripod(tmp_path: Path) -> None:
    answer = solve(make(path(VIEWS, travel=0.05), FIXED, noise=0.05), tmp_path)
    assert answer.motion == "free" and judge(answer, path(VIEWS, travel=0.05), FIXED).ate_percent < 2


def test_little_travel_that_noise_nearly_hides_is_found_from_the_turns(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ways, "by_child", lambda *asked: pytest.fail("the child was started"))
    answer = solve(make(path(VIEWS, travel=0.05), FIXED), tmp_path)
    assert answer.motion == "free" and judge(answer, path(VIEWS, travel=0.05), FIXED).ate_percent < 2
    assert answer.method == "free camera: small moves about its turns, all frames adjusted together"


def test_tripod_that_zooms(tmp_path: Path) -> None:
    focal = 480 * np.linspace(1, 1.4, VIEWS)
    answer = solve(make(path(VIEWS, travel=0, turn=0.35), focal, distortion=(0, 0, 0, 0)), tmp_path)
    assert answer.motion == "tripod" and answer.lens == "zoom"
    assert np.abs(answer.state.focal / focal - 1).max() < 0.04


def test_refusals_say_why(tmp_path: Path) -> None:
    still = make(np.tile(np.eye(4), (VIEWS, 1, 1)), FIXED)
    noise = make(path(VIEWS), FIXED, points=8)
    turn = make(path(VIEWS, travel=0, turn=0.35), FIXED)
    for code, tracks, options in (("no-tracks", noise, {}), ("no-parallax", turn, {"motion": "free"}), ("no-parallax", still, {"motion": "free"})):
        with pytest.raises(ShotFailure) as caught:
            solve(tracks, tmp_path, **options)
        assert caught.value.code == code and caught.value.why and caught.value.remedy
    with pytest.raises(ShotFailure) as caught:
        solve(still.where(still.view < 2), tmp_path, views=2)
    assert caught.value.code == "too-short"


def test_a_camera_that_stands_still_is_placed_by_a_lens_that_nothing_tells(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    still = make(np.tile(np.eye(4), (VIEWS, 1, 1)), FIXED, distortion=(0, 0, 0, 0))
    still = replace(still, xy=still.xy + rng.normal(0, 0.1, still.xy.shape))
    for given, sigma in ((0.0, equations.USUAL), (float(FIXED[0]), None)):
        answer = solve(still, tmp_path, focal=given)
        assert answer.motion == "tripod" and answer.state.posed.all() and answer.sigma == sigma
        assert np.allclose(answer.state.focal, given or unknowns.WIDTHS * SIZE[0]) and not answer.state.distortion.any()
        assert np.ptp(answer.state.pose, axis=0).max() == 0 and answer.fits.mean() > 0.95
    poses = pose(rotation_from_vector(np.linspace(0, 0.003, VIEWS)[:, None] * (0.3, 1.0, 0.0)), np.zeros((VIEWS, 3)))  # 1.4 px
    hardly = solve(make(poses, FIXED, distortion=(0, 0, 0, 0)), tmp_path, focal=float(FIXED[0]))
    assert hardly.diagnosis.kind == "motion" and judge(hardly, poses, FIXED).rotation_degrees < 0.01


def test_views_without_tracks_are_lost_and_shift_nothing(tmp_path: Path) -> None:
    poses = path(VIEWS)
    tracks = make(poses, FIXED)
    answer = solve(tracks.where((tracks.view < 11) | (tracks.view > 12)), tmp_path)
    assert answer.state.posed.sum() == VIEWS - 2 and not answer.state.posed[11:13].any()
    assert judge(answer, poses, FIXED).ate_percent < 0.3


def test_diagnosis_tells_shots_apart() -> None:
    assert diagnosis.look(make(path(VIEWS), FIXED), VIEWS, SIZE).kind == "free"
    assert diagnosis.look(make(path(VIEWS, travel=0), FIXED), VIEWS, SIZE).kind == "tripod"


@pytest.mark.parametrize(("turning", "zooming"), [(True, False), (True, True), (False, False), (False, True)])
def test_jacobians_agree_with_differences(turning: bool, zooming: bool) -> None:
    views = 6
    tracks = make(path(views, travel=0 if turning else 1), np.full(views, 500.0), points=40)
    random = np.random.default_rng(3)
    points = random.uniform([-2, -1, 4], [2, 1, 9], (int(tracks.track.max()) + 1, 3))
    camera = invert(path(views))
    bundle = unknowns.Bundle(
        camera[:, :3, :3], np.zeros((views, 3)) if turning else camera[:, :3, 3], np.full(views, np.log(500.0)), np.array([-0.05, 0.01, 0.003, -0.002]),
        points / (np.linalg.norm(points, axis=1, keepdims=True) if turning else 1), np.array([320.0, 180]), turning, zooming, free=(0, 1, 2, 3),
    )
    _, own, shared, by_point = bundle.slopes(tracks)
    before, tiny = bundle.residuals(tracks), 1e-6
    for k in range(bundle.own):
        step = np.zeros(views * bundle.own + bundle.shared)
        step[k :: bundle.own][:views] = tiny
        slope = (bundle.moved(step, 0 * bundle.points).residuals(tracks) - before) / tiny
        assert np.allclose(slope, own[k].T, atol=1e-4 * np.abs(own[k]).max() + 1e-5)
    for k in range(bundle.shared):
        step = np.zeros(views * bundle.own + bundle.shared)
        step[views * bundle.own + k] = tiny
        slope = (bundle.moved(step, 0 * bundle.points).residuals(tracks) - before) / tiny
        assert np.allclose(slope, shared[k].T, atol=1e-4 * np.abs(shared[k]).max() + 1e-5)
    if not turning:
        slope = (bundle.moved(np.zeros(views * bundle.own + bundle.shared), np.array([tiny, 0, 0]) + 0 * bundle.points).residuals(tracks) - before) / tiny
        assert np.allclose(slope, by_point[0].T, atol=1e-3 * np.abs(by_point).max())


def test_a_rolling_shutter_is_found_and_taken_out(tmp_path: Path) -> None:
    views = 16
    poses, focal = path(views), np.full(views, 520.0)
    tracks = make(poses, focal, points=500, readout=0.6)
    answer = solve(tracks, tmp_path, views)
    error, readout = judge(answer, poses, focal), answer.readout
    assert abs(readout.share - 0.6) < 3 * readout.sigma and readout.sigma < 0.04 and readout.axis == "rows"
    assert error.ate_percent < 0.2 and error.focal_percent < 1  # left in: 0.7 and 5
    assert answer.gain < 0.8 and answer.method.startswith("free camera: stepwise mapping") and answer.method.endswith("rolling shutter taken out")
    kept = answer.tracks.xy + answer.shift
    assert np.allclose(kept, tracks.long(3).xy) and np.linalg.norm(answer.shift, axis=1).max() > 2
    raw, straight = (answer.state, replace(answer.tracks, xy=kept)), (answer.state, answer.tracks)
    assert rolling._explains(raw, straight, 0.3) and not rolling._explains(straight, raw, 0.3) and not rolling._explains(raw, raw, 0.3)
    unsure = rolling._left_in(answer, readout, answer.state, replace(answer.state, focal=1.1 * answer.state.focal))  # what taking it out would change
    assert unsure.sigma > np.log(1.1) > answer.sigma


@pytest.mark.parametrize("readout", [0.0, -0.5])
def test_a_tripod_tells_its_readout(readout: float) -> None:
    def at(time: np.ndarray) -> np.ndarray:
        return moment(time, travel=0, turn=0.35)

    poses = at(np.linspace(0, 1, VIEWS))
    tracks = make(poses, FIXED, points=300, readout=readout, at=at)
    _, first = np.unique(tracks.track, return_index=True)
    blank = np.zeros((int(tracks.track.max()) + 1, 3))
    state = bundle.State(SIZE, FIXED, np.array([-0.05, 0, 0, 0]), invert(poses), np.ones(VIEWS, bool), blank)
    state.points[tracks.track[first]] = np.einsum("nij,nj->ni", poses[tracks.view[first], :3, :3], state.rays(tracks)[first])
    found, _, _ = shutter.told(state, tracks, 0.3, 4.0, shutter.Readout(0.0, 0.0), zoom=False, known=False, turning=True)
    assert abs(found.share - readout) < 3 * found.sigma and found.sigma < 0.05


def test_scale_of_a_weak_link_may_drift() -> None:
    poses = path(VIEWS)
    tracks = make(poses, FIXED, noise=0.2)
    half = VIEWS // 2
    weak = tracks.where((tracks.view != half) | (tracks.track % 12 == 0))  # few points see across the middle
    across = np.intersect1d(weak.track[weak.view < half], weak.track[weak.view > half])
    weak = weak.where((weak.track % 12 == 0) | ~np.isin(weak.track, across))
    drifts = []
    for seen in (tracks, weak):
        state = placed(seen, poses, FIXED, (-0.05, 0, 0, 0))
        drifts.append(certainty.path_sigmas(state, seen, np.isfinite(state.points[seen.track, 0]), 0.3, False, False)[1])
    assert 0 < drifts[0] < 0.02 and drifts[1] > 1.2 * drifts[0]


def test_views_that_the_path_has_left_are_named() -> None:
    """Where a link breaks, tracks lose their points: those views are astray; what moves all through a shot is not held against any."""
    poses = path(VIEWS)
    tracks = make(poses, FIXED, points=300)
    fits = np.random.default_rng(2).random(len(tracks.view)) > 0.08
    whole = answered(placed(tracks, poses, FIXED), tracks, fits)
    assert not whole.astray.any()
    broken = replace(whole, fits=fits & ((tracks.view < VIEWS - 4) | (tracks.track % 2 == 0)))
    assert np.array_equal(np.flatnonzero(broken.astray), np.arange(VIEWS - 4, VIEWS))


def test_a_map_among_much_that_moves_carries() -> None:
    """Two fifths of the tracks move by themselves and nobody has masked them: what they miss by is not held against the map."""
    poses = path(VIEWS)
    tracks, keys = make(poses, FIXED, distortion=(0, 0, 0, 0), movers=0.4, points=300).long(3), [0, 6, 12, 18, VIEWS - 1]
    use, state = np.ones(len(tracks.track), bool), placed(tracks, poses, FIXED)
    assert mapping.missed(state, tracks, use, keys) > mapping.WEAK and mapping._carries(state, tracks, use, keys)
    away = replace(state, pose=np.roll(state.pose, 5, axis=0))
    assert not mapping._carries(away, tracks, use, keys)


@pytest.mark.parametrize("zoom", [False, True])
def test_views_that_the_path_has_left_are_placed_anew(zoom: bool) -> None:
    """The last views hang together, but not with the others."""
    poses, focal = path(VIEWS), FIXED * (np.linspace(1, 1.2, VIEWS) if zoom else 1.0)
    tracks = make(poses, focal, distortion=(0, 0, 0, 0), points=300).long(3)
    off = poses.copy()
    off[-5:, :3, 3] += [0.1, 0.05, 0.0]
    broken = placed(tracks, off, focal)
    assert answer.strayed(tracks, broken.errors(tracks) < mapping.FINE, VIEWS)[-5:].any()
    mended = ways._mended(broken, tracks, 0.3, zoom, known=False)
    before, after = (compare(invert(state.pose), poses).ate_percent for state in (broken, mended))
    assert before > 1 and after < 0.15
    assert ways._mended(mended, tracks, 0.3, zoom, known=False) is mended


def test_what_is_too_far_for_a_point_is_no_miss() -> None:
    """A quarter of the tracks lie hundreds of times, a quarter fifty times farther than the camera travels: they have no point, and yet fit, the
    latter at some distance alone."""
    random, poses = np.random.default_rng(3), path(VIEWS, travel=0.3)
    boxes = (([-2, -1, 3], [2, 1, 8], 50), ([-15, -8, 20], [15, 8, 30], 25), ([-90, -50, 300], [90, 50, 500], 25))
    xyz = np.concatenate([random.uniform(low, high, (count, 3)) for low, high, count in boxes])
    local = np.einsum("vij,pj->vpi", invert(poses)[:, :3, :3], xyz) + invert(poses)[:, None, :3, 3]
    xy = lens.project(local.reshape(-1, 3), np.full(2, 500.0), np.array([320.0, 180.0]), np.zeros(4)) + random.normal(0, 0.1, (VIEWS * 100, 2))
    tracks = Tracks(np.tile(np.arange(100), VIEWS), np.repeat(np.arange(VIEWS), 100), xy, np.zeros(VIEWS * 100, bool))
    points = np.where(np.arange(100)[:, None] < 50, xyz, np.nan)
    state = bundle.State(SIZE, np.full(VIEWS, 500.0), np.zeros(4), invert(poses), np.ones(VIEWS, bool), points)
    assert answer.missed(state, tracks) < 0.3
    away = replace(state, pose=state.pose[::-1])
    assert answer.missed(away, tracks) > 2  # wrong poses fit nothing, far or near


def test_a_piece_of_the_map_that_shrank_to_a_point_is_lost() -> None:
    """The first half of a shot shares no point with the second, so that nothing holds their sizes together; one world of one size stays as it is."""
    poses, half = path(VIEWS), VIEWS // 2
    tracks = make(poses, FIXED, distortion=(0, 0, 0, 0))
    tracks = replace(tracks, track=2 * tracks.track + (tracks.view >= half)).long(3)
    tracks = tracks.where(np.lexsort((tracks.track, tracks.view)))
    state = placed(tracks, poses, FIXED)
    assert ways._of_one_size(state, tracks) is state
    first = np.bincount(tracks.track, tracks.view < half) > 0
    camera = state.pose.copy()
    camera[:half, :3, 3] *= 1e-7
    found = ways._of_one_size(replace(state, pose=camera, points=np.where(first[:, None], 1e-7 * state.points, state.points)), tracks)
    assert not found.posed[:half].any() and found.posed[half:].all() and np.isnan(found.points[first]).all()
    assert np.median(found.errors(tracks)[tracks.view >= half]) < 0.5


def test_views_of_a_map_in_one_place_get_no_pose() -> None:
    poses = path(VIEWS)
    tracks = make(poses, FIXED, distortion=(0, 0, 0, 0))
    state = placed(tracks, poses, FIXED)
    state = replace(state, points=np.full_like(state.points, 0.5) + 1e-6 * state.points, posed=np.arange(VIEWS) > 0)
    assert not resection.resected(state, tracks, 0).posed[0]
