"""Arrays of a file come out as they went in, in any thread, and never as objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.media.arrays import read_arrays


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
