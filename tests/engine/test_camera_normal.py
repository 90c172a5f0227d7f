"""Dense, partly sparse or sparse: the normal equations call for the same step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from camera_tracks import FIXED, VIEWS, make, path, placed

from engine.camera import equations, normal, unknowns


@pytest.mark.parametrize("zooming", [False, True])
def test_a_step_is_the_same_however_its_matrices_are_kept(monkeypatch, zooming: bool) -> None:
    poses = path(VIEWS)
    tracks = make(poses, FIXED, points=300)
    tracks = tracks.where((tracks.track + tracks.view) % VIEWS < VIEWS // 2).long(3)  # which some views alone see
    state = placed(tracks, poses, 1.03 * FIXED)
    start, few = unknowns.of_state(state, tracks, tracks.shared(np.isfinite(state.points[tracks.track, 0])), 100, zooming=zooming)
    if zooming:
        start = replace(start, log_focal=start.log_focal + 0.01 * np.sin(np.arange(VIEWS)))
    steps, kinds = [], []
    for dense, square in ((800, 2000), (0, 2000), (0, 0)):
        monkeypatch.setattr(normal, "DENSE", dense)
        monkeypatch.setattr(normal, "SQUARE", square)
        system = equations.System(start, few, 0.3)
        kinds.append(isinstance(system.reduced(1e-6), np.ndarray))
        steps.append(np.concatenate([part.ravel() for part in system.step(1e-6)]))
    assert kinds == [True, True, False] and np.abs(steps[0]).max() > 1e-3
    assert all(np.allclose(steps[0], step, atol=1e-7 * np.abs(steps[0]).max()) for step in steps[1:])
