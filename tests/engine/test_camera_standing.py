"""What goes with the camera or is burnt in stands in the picture: it is told from the scene, and the solve does without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from camera_tracks import FIXED, SIZE, VIEWS, judge, make, path

from engine.camera import span
from engine.camera.standing import standing, without
from engine.camera.tracks import Tracks
from engine.contract.options import Solve
from engine.geometry.pose import pose

RANDOM = np.random.default_rng(4)


def with_cockpit(tracks: Tracks, views: int, points: int, noise: float = 0.05) -> Tracks:
    """The lower third of the picture is filled by what goes with the camera: of the scene nothing is seen there."""
    seen = tracks.where(tracks.xy[:, 1] < 2 / 3 * SIZE[1])
    xy = RANDOM.uniform([0, 2 / 3 * SIZE[1]], SIZE, (points, 2))
    fixed = np.tile(xy, (views, 1)) + RANDOM.normal(0, noise, (points * views, 2))
    track = np.concatenate([seen.track, np.tile(np.arange(points), views) + seen.track.max() + 1])
    view = np.concatenate([seen.view, np.repeat(np.arange(views), points)])
    order = np.lexsort((track, view))
    every = Tracks(track[order], view[order], np.concatenate([seen.xy, fixed])[order], np.zeros(len(order), bool))
    return every.long(2)


def test_a_cockpit_stands_and_the_scene_does_not() -> None:
    tracks = with_cockpit(make(path(VIEWS), FIXED), VIEWS, 250)
    told, below = standing(tracks), tracks.xy[:, 1] > 2 / 3 * SIZE[1]
    assert told[below].mean() > 0.99 and told[~below].mean() < 0.001


def test_the_scene_of_a_camera_that_stands_is_no_cockpit() -> None:
    """Not of one that stands for good, whatever a few things do, nor while one stops and goes."""
    rest = np.tile(np.eye(4), (VIEWS, 1, 1))
    assert not standing(make(rest, FIXED, noise=0.05, movers=0.3)).any()
    goes = np.concatenate([rest[:10], pose(np.tile(np.eye(3), (14, 1, 1)), np.linspace(0, 1, 14)[:, None] * [1.0, 0, 0])])
    assert standing(make(goes, FIXED, noise=0.05)).mean() < 0.001


def test_a_shot_through_a_windscreen_is_solved(tmp_path: Path) -> None:
    tracks = with_cockpit(make(path(VIEWS), FIXED, distortion=(0, 0, 0, 0)), VIEWS, 250)
    tracks, fixed = without(tracks)
    question = span.Question(tracks, VIEWS, SIZE, Solve(shutter="global"), 0.0, tmp_path / "work", lambda: None)
    error = judge(span.solve(question), path(VIEWS), FIXED)  # with the cockpit: 2.6 % of the path, 31 % of the focal length
    assert fixed == 250 and error.ate_percent < 0.5 and error.focal_percent < 3


def test_what_moves_is_not_asked_whether_the_rest_stands() -> None:
    """A camera on a tripod, a crowd before it that fills most of the picture and is masked: what stands is the scene."""
    tracks = make(np.tile(np.eye(4), (VIEWS, 1, 1)), FIXED, noise=0.05)
    crowd = tracks.track % 4 > 0
    xy = tracks.xy + crowd[:, None] * (tracks.view[:, None] - VIEWS / 2) * [1.0, 0.2]
    assert not standing(replace(tracks, xy=xy, moving=crowd)).any()
    assert standing(replace(tracks, xy=xy))[~crowd].mean() > 0.5  # without a mask nobody could tell


def test_a_few_that_stand_are_left() -> None:
    tracks = with_cockpit(make(path(VIEWS), FIXED), VIEWS, 3)
    few, fixed = without(tracks)
    assert standing(tracks).any() and fixed == 0 and len(few.track) == len(tracks.track)
