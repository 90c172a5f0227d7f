"""The focal length that a file tells, and how it becomes pixels."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from engine.contract.options import Solve
from engine.failures import RequestFailure
from engine.media import tags
from engine.media.frames import Frames
from engine.stages import solve


def film(path: Path, told: str) -> Path:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["com.apple.quicktime.camera.focal_length.35mm_equivalent"] = told
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 40 * number, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def photo(path: Path, order: str, value: int) -> Path:
    """A JPEG whose EXIF tells a 35 mm equivalent in the camera's own directory."""
    own = struct.pack(order + "HHHIHHI", 1, tags.EQUIVALENT, 3, 1, value, 0, 0)
    exif = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IHHHIII", 8, 1, tags.EXIF, 4, 1, 26, 0) + own
    jpeg = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif + jpeg[2:])
    return path


def test_films_and_photos_tell_their_focal_length(tmp_path: Path) -> None:
    assert tags.focal_35mm(film(tmp_path / "shot.mov", "26")) == 26
    assert tags.focal_35mm(film(tmp_path / "odd.mov", "far")) is None
    for order in "<>":
        folder = tmp_path / ("little" if order == "<" else "big")
        folder.mkdir()
        assert tags.focal_35mm(photo(folder / "shot.0001.jpg", order, 28)) == 28
    (tmp_path / "bare.png").write_bytes(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())
    assert tags.focal_35mm(tmp_path / "bare.png") is None and tags.focal_35mm(tmp_path / "nothing.mov") is None


def test_who_tells_the_focal_length(tmp_path: Path) -> None:
    about = {"size": [640, 360], "fps": "24/1", "frames": [1], "times": [0], "cuts": [], "duplicates": [], "bits": 8, "source_size": [1280, 720],
             "focal_35mm": 26.0}
    (tmp_path / "clip.json").write_text(json.dumps(about))
    frames, size = Frames(tmp_path), (320, 180)
    assert solve._focal(Solve(focal=1000.0), frames, size) == (250, "you")
    assert solve._focal(Solve(focal_mm=35.0, sensor="super35"), frames, size) == (pytest.approx(35 / 24.9 * 320), "you")
    assert solve._focal(Solve(focal_mm=4.0, sensor="own", sensor_width=5.0), frames, size) == (256, "you")
    told, teller = solve._focal(Solve(lens="known"), frames, size)
    assert teller == "file" and told == pytest.approx(26 / 43.27 * np.hypot(320, 180))
    (tmp_path / "clip.json").write_text(json.dumps({**about, "focal_35mm": None}))
    frames = Frames(tmp_path)
    assert solve._focal(Solve(), frames, size) == (0, "nobody")
    with pytest.raises(RequestFailure) as caught:
        solve._focal(Solve(lens="known"), frames, size)
    assert caught.value.code == "wrong-option" and caught.value.change == {"solve": {"lens": "auto"}}
