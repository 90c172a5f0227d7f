"""Tracks sharpened by the pictures: a slanted, textured plane seen by a moving camera, tracks that have drifted on it, and where they belong."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from camera_tracks import SIZE, placed

from engine.camera import patches
from engine.camera.tracks import Tracks
from engine.geometry.pose import invert, pose, rotation_from_vector

VIEWS, FOCAL = 9, 520.0
NORMAL, AWAY = np.array([0.45, -0.2, -1.0]), -4.0  # NORMAL @ point = AWAY on the plane
DRIFT, FINE = 0.3, 0.04  # px


@pytest.fixture(scope="module")
def shot():
    """Pictures, poses world_from_camera and true tracks of points on the plane; each picture has a light of its own."""
    time = np.linspace(0, 1, VIEWS)
    zero = np.zeros(VIEWS)
    poses = pose(rotation_from_vector(np.stack([zero, -0.1 * time, 0.05 * time], 1)), np.stack([0.5 * time, zero, 0.3 * time], 1))
    random = np.random.default_rng(4)
    skin = cv2.GaussianBlur(random.normal(size=(SIZE[1] + 200, SIZE[0] + 200)).astype(np.float32), (0, 0), 2.0)
    skin = 128 + 40 * skin / skin.std()
    lens = np.array([[FOCAL, 0, SIZE[0] / 2 - 0.5], [0, FOCAL, SIZE[1] / 2 - 0.5], [0, 0, 1]])
    pictures, seen = [], []
    start = random.uniform([60, 60], [580, 300], (150, 2))
    for view, matrix in enumerate(invert(poses)):
        plane = lens @ (matrix[:3, :3] + np.outer(matrix[:3, 3], NORMAL) / AWAY) @ np.linalg.inv(lens)  # the first camera stands in the world's origin
        skin_first = plane @ np.array([[1.0, 0, -100], [0, 1, -100], [0, 0, 1]])
        picture = cv2.warpPerspective(skin, skin_first, SIZE, flags=cv2.INTER_CUBIC)
        pictures.append(np.clip(picture * (1 + 0.05 * view) - 8 * view, 0, 255).astype(np.uint8))
        there = np.concatenate([start - 0.5, np.ones((len(start), 1))], 1) @ plane.T
        seen.append(there[:, :2] / there[:, 2:] + 0.5)
    xy = np.concatenate(seen)
    tracks = Tracks(np.tile(np.arange(len(start)), VIEWS), np.repeat(np.arange(VIEWS), len(start)), xy, np.zeros(len(xy), bool))
    return pictures, poses, tracks


def off(tracks: Tracks, true: Tracks) -> np.ndarray:
    """[N] px that observations are off, but for what all of a track's have in common: any spot of the thing will do."""
    error = (tracks.xy - true.xy).reshape(VIEWS, -1, 2)
    return np.linalg.norm(error - error.mean(0), axis=2).ravel()


def test_tracks_that_drifted_are_brought_home_on_a_slanted_plane_in_changing_light(shot) -> None:
    pictures, poses, true = shot
    drifted = replace(true, xy=true.xy + np.random.default_rng(5).normal(0, DRIFT / np.sqrt(2), true.xy.shape))
    state = placed(drifted, poses, np.full(VIEWS, FOCAL))
    sharp = patches.agreed(state, drifted, np.ones(len(true.track), bool), pictures.__getitem__)
    assert np.median(off(drifted, true)) > 0.2
    assert np.median(off(sharp, true)) < FINE


def test_what_the_pictures_show_beside_the_camera_s_word_is_looked_for_where_the_tracks_are(shot) -> None:
    pictures, poses, true = shot
    aside = np.zeros_like(true.xy)
    aside[:, 0] = 3.0  # as a rolling shutter may
    shown = [cv2.warpAffine(picture, np.array([[1.0, 0, 3], [0, 1, 0]]), SIZE) for picture in pictures]
    state = placed(true, poses, np.full(VIEWS, FOCAL))
    sharp = patches.agreed(state, replace(true, xy=true.xy + aside), np.ones(len(true.track), bool), shown.__getitem__)
    assert np.median(off(sharp, true)) < FINE


def test_only_what_is_asked_and_near_is_moved(shot) -> None:
    pictures, poses, true = shot
    state, use = placed(true, poses, np.full(VIEWS, FOCAL)), true.track < 100
    astray = replace(true, xy=true.xy.copy())
    lost = np.flatnonzero((true.track == 7) & (true.view == 3))
    astray.xy[lost] += [2.5, 0.0]
    sharp = patches.agreed(state, astray, use, pictures.__getitem__)
    assert (sharp.xy[~use] == astray.xy[~use]).all()
    assert np.linalg.norm(sharp.xy - astray.xy, axis=1).max() < patches.FARTHEST
    assert patches.agreed(state, true, np.zeros(len(use), bool), pictures.__getitem__) is true
