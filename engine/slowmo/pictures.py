"""The slow-motion room, files: pictures as floats, in and out of PNG at full depth; no path ever reaches OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .. import store
from ..media.frames import Frames
from .motion import Picture

NAME = "%06d.png"


def read(frames: Frames, number: int, size: tuple[int, int] | None = None) -> Picture:
    """RGB float32 0..255 [H, W, 3], whatever the depth of the file."""
    raw = frames.rgb(number, size)
    return raw.astype(np.float32) if raw.dtype == np.uint8 else raw.astype(np.float32) / 257


def encode(picture: np.ndarray, bits: int) -> bytes:
    """RGB [H, W, 3] or grey [H, W], 0..255, as the bytes of a PNG of 8 or 16 bits."""
    return pack(np.clip(np.rint(picture * (257 if bits == 16 else 1)), 0, 2**bits - 1).astype(np.uint16 if bits == 16 else np.uint8))


def pack(raw: np.ndarray) -> bytes:
    """RGB [H, W, 3] or grey [H, W] uint8 or uint16 as the bytes of a PNG; light compression, since speed counts more than size."""
    raw = raw[..., ::-1] if raw.ndim == 3 else raw
    done, content = cv2.imencode(".png", np.ascontiguousarray(raw), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return content.tobytes()


def write(path: Path, content: bytes) -> None:
    """Written beside, then renamed."""
    with store.beside(path) as fresh:
        fresh.write_bytes(content)
