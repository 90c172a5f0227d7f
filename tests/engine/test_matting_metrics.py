"""Matting metrics against the official ones, and the DAVIS measures on shapes whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

from engine.metrics import matting

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "matting_metrics.npz"


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the official figures in ../shared are absent")
def test_official_figures():
    stored = np.load(REFERENCE, allow_pickle=False)
    true, pred = stored["true"] / 255.0, stored["pred"] / 255.0
    for name in ("mad", "mse", "grad", "conn"):
        ours = [getattr(matting, name)(p, t) for p, t in zip(pred, true)]
        assert np.allclose(ours, stored[name.upper()], rtol=1e-6), name
    assert matting.dtssd(pred[1], pred[0], true[1], true[0]) == pytest.approx(float(stored["DTSSD"]), rel=1e-6)


def test_region_and_boundary():
    square = np.zeros((100, 100), bool)
    square[30:70, 30:70] = True
    moved = np.roll(square, 10, axis=1)
    assert matting.region(square, square) == 1 and matting.boundary(square, square) == 1
    assert matting.region(moved, square) == pytest.approx(30 / 50)
    assert matting.boundary(np.roll(square, 1, axis=0), square) == 1  # within the tolerance of 2 px
    assert 0.3 < matting.boundary(moved, square) < 0.7
    empty = np.zeros_like(square)
    assert matting.region(empty, empty) == 1 and matting.boundary(empty, square) == 0
