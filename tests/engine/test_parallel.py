"""Frames side by side: what several threads ask for is made once, the last of it stays, and pictures stay in memory by their bytes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

from engine.dense.parallel import Kept, each
from engine.media import frames
from engine.store import write_json


def test_what_threads_ask_for_together_is_made_once() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        time.sleep(0.02)
        return 2 * number

    kept = Kept(make, 3)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(kept, [1, 1, 1, 1])) == [2, 2, 2, 2]
    assert made == [1]
    assert [kept(number) for number in (2, 3, 1, 4, 1, 2)] == [4, 6, 2, 8, 2, 4]
    assert made == [1, 2, 3, 4, 2], "of three the one that was asked for longest ago goes"


def test_a_failure_reaches_all_who_asked() -> None:
    def make(number: int) -> int:
        raise ValueError(f"frame {number}")

    kept, done = Kept(make, 3), []
    for _ in range(2):
        with pytest.raises(ValueError, match="frame 7"):
            each([7], lambda number: done.append(kept(number)), torch.device("cpu"), lambda: None)
    assert not done


def test_pictures_stay_by_their_number_or_by_their_bytes(tmp_path, monkeypatch) -> None:
    pictures = [np.full((8, 12, 3), 20 * number, np.uint8) for number in range(6)]
    for number, picture in enumerate(pictures):
        frames.write_png(tmp_path / f"{number:06d}.png", picture)
    write_json(tmp_path / "clip.json", {
        "frames": list(range(6)), "times": list(range(6)), "size": [12, 8], "fps": "25/1", "cuts": [], "duplicates": [], "bits": 8,
    })
    read: list[str] = []
    real = frames.read_png
    monkeypatch.setattr(frames, "read_png", lambda path: read.append(path.name) or real(path))

    def asked_twice(room: int) -> int:
        monkeypatch.setattr(frames, "ROOM", room)
        held, before = frames.Frames(tmp_path, keep=2), len(read)
        for number in [*range(6), *range(6)]:
            assert np.array_equal(held.rgb8(number), pictures[number])
            assert np.array_equal(held.gray(number), cv2.cvtColor(pictures[number], cv2.COLOR_RGB2GRAY))
        return len(read) - before

    assert asked_twice(6 * 4 * 8 * 12) == 6, "all fit, and no grey is read that its colours tell"
    assert asked_twice(0) == 12
