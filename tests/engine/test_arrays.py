"""Arrays of a file come out as they went in, in any thread, and never as objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.media.arrays import halved, read_arrays, whole


def test_threads_read_what_was_written(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        made = {"flow": np.arange(24, dtype=np.float16).reshape(2, 3, 4), "valid": np.eye(3) > 0, "noise": np.array(0.5), "none": np.zeros((0, 2))}
        save(tmp_path / "a.npz", **made)
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(read_arrays, [tmp_path / "a.npz"] * 200):
                assert set(found) == set(made)
                assert all(found[name].dtype == made[name].dtype and np.array_equal(found[name], made[name]) for name in made)


def test_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", bad=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_arrays(tmp_path / "a.npz")


def test_half_a_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="no archive"):
        read_arrays(tmp_path / "a.npz")


def test_numbers_of_half_the_bits_are_those_of_numpy() -> None:
    values = np.random.default_rng(3).normal(0, 40, (7, 5, 2)).astype(np.float32)
    values[0, 0] = np.inf, np.nan
    values[0, 1] = 6e-8, -65519
    for some in (values, values[::2, ::2], values[..., 0]):
        assert np.array_equal(halved(some), some.astype(np.float16), equal_nan=True)
        assert np.array_equal(whole(halved(some)), some.astype(np.float16).astype(np.float32), equal_nan=True)
