"""A world turned inside out explains a shot of little parallax nearly as well: it is found, and the one that lies on the ground is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from camera_tracks import CENTRE, FIXED, SIZE, VIEWS, answered, placed

from engine.camera import adjust, inside_out, span, ways
from engine.camera.tracks import Tracks
from engine.contract.options import Solve
from engine.geometry import lens
from engine.geometry.pose import invert, pose, rotation_from_vector


def floor(travel: float) -> tuple[Tracks, np.ndarray]:
    """Tracks of a floor seen from 1.2 m above it by a camera that goes sideways and looks about, and its world_from_camera [V, 4, 4]."""
    random, time = np.random.default_rng(2), np.linspace(-1, 1, VIEWS)
    xyz = np.stack([random.uniform(-4, 4, 500), np.full(500, 1.2), 1 / random.uniform(1 / 9, 1 / 3, 500)], 1)
    poses = pose(rotation_from_vector(0.03 * np.stack([np.sin(5 * time), np.cos(3 * time), 0 * time], 1)), travel * time[:, None] * [1.0, 0.2, 0.0])
    rows = []
    for view, matrix in enumerate(invert(poses)):
        xy = lens.project(xyz @ matrix[:3, :3].T + matrix[:3, 3], np.full(2, FIXED[0]), CENTRE, np.zeros(4)) + random.normal(0, 0.1, (500, 2))
        seen = np.flatnonzero(((xy > 0) & (xy < SIZE)).all(1))
        rows.append((seen, np.full(len(seen), view), xy[seen]))
    track, view, xy = (np.concatenate([row[k] for row in rows]) for k in range(3))
    return Tracks(track, view, xy, np.zeros(len(track), bool)).long(3), poses


def test_a_world_turned_inside_out_fits_where_there_is_little_parallax() -> None:
    error = []
    for travel in (0.02, 0.5):
        tracks, poses = floor(travel)
        state = placed(tracks, poses, FIXED)
        other = inside_out.turned(state, tracks)
        assert other.posed.all() and inside_out.opposed(state, other) and not inside_out.opposed(state, state)
        assert inside_out.lies_down(state, tracks) and not inside_out.lies_down(other, tracks)
        error.append(float(np.nanmedian(other.errors(tracks))))
    assert error[0] < 0.5 < 2 < error[1]


@pytest.mark.parametrize(("known", "slip", "takes", "doubts"), [(0.02, 0.0, True, True), (0.02, 0.6, False, False), (0.001, 0.0, False, False)])
def test_the_world_that_lies_down_is_taken_and_doubted(tmp_path: Path, monkeypatch, known: float, slip: float, takes: bool, doubts: bool) -> None:
    """Where both explain nearly the same; not where the other explains less, and nobody asks where the path is well known."""
    tracks, poses = floor(0.02)
    right = placed(tracks, poses, FIXED)
    wrong = adjust.refined(inside_out.turned(right, tracks), tracks, np.ones(len(tracks.track), bool), 0.3, (), known=True)
    first, other = (replace(answered(state, tracks, state.errors(tracks) < 2), path=known) for state in (wrong, right))
    slipped = replace(tracks, xy=tracks.xy + slip * np.random.default_rng(1).normal(size=tracks.xy.shape))
    monkeypatch.setattr(ways, "travelled", lambda *asked: replace(other, tracks=slipped))
    question = span.Question(tracks, VIEWS, SIZE, Solve(), 0.0, tmp_path / "work", lambda: None)
    rolled = replace(first, shift=np.zeros_like(tracks.xy), gain=0.8)
    answer = span._right_side_out(question, rolled)
    assert (answer.state is right) == takes and bool(answer.doubt) == doubts
    assert answer.shift is rolled.shift and answer.gain == 0.8  # what was taken out of the tracks is still said
