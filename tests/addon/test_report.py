"""The report card reads what the solve wrote, and its errors are those of OpenCV's projection."""

from __future__ import annotations

import numpy as np
from shots import distort, make_shot


def test_errors_are_measured_through_the_lens(unflatten, scene, tmp_path):
    from unflatten.addon import report
    from unflatten.addon.importers import camera, place

    shot = make_shot(tmp_path, 11, zoom=True, lens=(-0.1, 0.02, 0.003, -0.002))
    xyz = np.load(tmp_path / "camera" / "points.npz")["xyz"].astype(float)
    rows = []
    for index, frame in enumerate(shot.frames):
        flat = (shot.project(index, xyz) - shot.centre[index]) / shot.focal[index]
        seen = distort(flat, shot.distortion[index]) * shot.focal[index] + shot.centre[index]
        rows += [(track, frame, *place_of) for track, place_of in enumerate(seen + (0.3, 0.4))]
    table = np.array(rows)
    late = np.full((len(table), 2), 2.5)  # px by which a rolling shutter shows them elsewhere
    np.savez(tmp_path / "camera" / "tracks.npz", track=table[:, 0].astype(int), frame=table[:, 1].astype(int), xy=table[:, 2:] + late, shift=late)
    clip = place.load_clip(str(tmp_path / "frames" / "000011.png"))
    camera.import_camera(clip, scene, tmp_path / "camera")
    card = report.card_of(clip)
    assert np.allclose(card.track_error, 0.5, atol=1e-6)
    assert card.distrust == {13} and card.words[0] == "Camera good, error 0.20 px" and card.verdict == "good"
    assert np.allclose(card.errors, 0.2 + 0.01 * np.arange(8))


def test_no_camera_no_card(unflatten, scene, tmp_path):
    from unflatten.addon import report
    from unflatten.addon.importers import place

    make_shot(tmp_path)
    assert report.card_of(place.load_clip(str(tmp_path / "frames" / "000001.png"))) is None
