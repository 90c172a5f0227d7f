"""The slow-motion room, files: pictures in and out of PNG at full depth; no path ever reaches OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .. import store
from .motion import Picture

NAME = "%06d.png"


def read(path: Path) -> tuple[Picture, int]:
    """BGR float32 0..255 [H, W, 3], and the file's bits per channel (8 or 16)."""
    raw = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    bits = 16 if raw.dtype == np.uint16 else 8
    return raw.astype(np.float32) * np.float32(255 / (2**bits - 1)), bits


def encode(picture: Picture, bits: int) -> bytes:
    """A PNG of the given depth; light compression, since speed counts more than a few percent."""
    return png(np.clip(np.rint(picture * ((2**bits - 1) / 255)), 0, 2**bits - 1).astype(np.uint16 if bits == 16 else np.uint8))


def png(raw: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """The bytes of a PNG file."""
    done, content = cv2.imencode(".png", raw, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return content.tobytes()


def write(path: Path, content: bytes) -> None:
    """Written beside, then renamed."""
    with store.beside(path) as fresh:
        fresh.write_bytes(content)
