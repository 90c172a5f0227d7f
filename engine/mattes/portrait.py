"""The mattes room, a small picture of a subject, cut out, to know it by; numpy and OpenCV only."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..contract.artifacts import FRAME
from ..media.frames import read_png, write_png

LONGEST = 160  # px
MARGIN = 0.06  # of its longer side
NAME = "picture.png"


def write(folder: Path, frame: int) -> None:
    """folder/picture.png [h, w, 4] RGBA of 8 bit, from alpha and foreground of a frame; nothing where nothing of it is seen there."""
    alpha = read_png(folder / "alpha" / f"{FRAME % frame}.png").astype(np.float32) / 65535
    y, x = np.nonzero(alpha > 0.5)
    if not len(y):
        return
    margin = round(MARGIN * max(np.ptp(y), np.ptp(x))) + 1
    box = tuple(slice(max(0, int(at.min()) - margin), int(at.max()) + margin + 1) for at in (y, x))
    colour = read_png(folder / "foreground" / f"{FRAME % frame}.png")[box]
    colour = colour.astype(np.float32) / (65535 if colour.dtype == np.uint16 else 255)
    cut = np.dstack([colour * alpha[box][..., None], alpha[box]])
    scale = min(1.0, LONGEST / max(cut.shape[:2]))
    small = cv2.resize(cut, (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    small[..., :3] /= np.maximum(small[..., 3:], 1e-3)
    write_png(folder / NAME, np.round(np.clip(small, 0, 1) * 255).astype(np.uint8))
