"""Small pictures of what a stage writes: from every kind of file, told about once, gone at the end."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from engine import previews
from engine.media.exr import write_depth
from engine.media.flow import write_flow
from engine.media.frames import write_png


def read(path: Path) -> np.ndarray:
    """A P6 picture, by another way than any library's."""
    kind, width, height, top, pixels = path.read_bytes().split(None, 4)
    assert kind == b"P6" and top == b"255"
    return np.frombuffer(pixels, np.uint8).reshape(int(height), int(width), 3)


def test_every_kind_of_file_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(previews.tempfile, "gettempdir", lambda: str(tmp_path))
    shown = previews.Previews()
    ramp = np.linspace(1, 4, 1000, dtype=np.float32)[None].repeat(200, 0)
    write_depth(tmp_path / "000003.exr", np.where(ramp > 3.5, 0, ramp), np.ones_like(ramp))
    assert shown.show(tmp_path / "000003.exr")
    picture = read(shown.path).astype(int)
    assert picture.shape[1] <= previews.SIDE and picture[0, 5, 0] > 100 > picture[0, 5, 2]  # near is red
    assert (picture[:, -5:] == 0).all()  # unknown is black
    write_png(tmp_path / "000004.png", np.eye(8, dtype=np.uint16) * 3)
    assert shown.show(tmp_path / "000004.png") and (read(shown.path) == np.eye(8, dtype=np.uint8)[..., None] * 255).all()
    colours = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    write_png(tmp_path / "000005.png", colours)
    assert shown.show(tmp_path / "000005.png") and (read(shown.path) == colours).all()
    flow = np.zeros((6, 6, 2), np.float32)
    flow[:, :3, 0], flow[:, 3:, 0] = 5, -5
    write_flow(tmp_path / "000006_1.npz", flow, np.ones((6, 6), bool))
    assert shown.show(tmp_path / "000006_1.npz")
    left, right = read(shown.path)[2, 1], read(shown.path)[2, 4]
    assert left[0] == 255 and right[0] == 0 and right[1] > 200  # opposite ways, opposite colours
    (tmp_path / "000007.npz").write_bytes(b"half a file")
    assert not shown.show(tmp_path / "000007.npz")
    shown.remove()
    assert not shown.path.exists()


def test_a_room_is_watched(tmp_path, monkeypatch):
    monkeypatch.setattr(previews, "PERIOD", 0.02)
    shown, heard = previews.Previews(), []
    room = tmp_path / "room"
    (room / "fwd").mkdir(parents=True)
    with shown.watching(room, lambda frame, path: heard.append((frame, path))):
        time.sleep(0.05)
        write_png(room / "fwd" / "000012.png", np.zeros((4, 4), np.uint8))
        until = time.monotonic() + 10
        while not heard and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
    assert heard == [(12, shown.path)]
    shown.remove()
