"""The mattes room, the subjects over one colour as a video, for a first look; knows no Blender and no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..contract.artifacts import FRAME
from ..failures import RequestFailure
from ..media.film import VideoWriter
from ..media.frames import Frames, read_png


def read_colour(text: str) -> np.ndarray:
    """'120,255,155' -> [3] float32, 0..255."""
    try:
        colour = np.array([float(part) for part in text.split(",")], np.float32)
    except ValueError:
        colour = np.empty(0)
    if colour.shape != (3,) or colour.min() < 0 or colour.max() > 255:
        raise RequestFailure("wrong-option", "The preview colour cannot be read.", f"'{text}' is not three numbers of 0 to 255.", "Write it as '120,255,155'.")
    return colour


def write(frames: Frames, layers: list[Path], colour: np.ndarray, path: Path) -> None:
    """All layers over the colour, first one on top."""
    with VideoWriter(path, frames.size, frames.fps) as video:
        for frame in frames.numbers:
            picture = np.broadcast_to(colour, (frames.size[1], frames.size[0], 3)).astype(np.float32)
            for layer in reversed(layers):
                alpha = read_png(layer / "alpha" / f"{FRAME % frame}.png").astype(np.float32)[..., None] / 65535
                front = read_png(layer / "foreground" / f"{FRAME % frame}.png")
                picture = alpha * (front / np.float32(257 if front.dtype == np.uint16 else 1)) + (1 - alpha) * picture
            video.write(np.round(picture).astype(np.uint8))
