"""The engine's small pictures of what a stage is making. Imports numpy; no bpy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Shown:
    """One picture: `number` tells it from those before."""

    stage: str
    frame: int
    number: int
    pixels: np.ndarray  # [H, W, 3] uint8 from the top

    @property
    def shape(self) -> float:
        """Height in widths."""
        return self.pixels.shape[0] / self.pixels.shape[1]


def read(path: str) -> np.ndarray | None:
    """[H, W, 3] uint8 from the top of a PPM file (P6, 8 bit); None where it is gone already or no such picture."""
    try:
        content = Path(path).read_bytes()
    except OSError:
        return None
    head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", content)
    if head is None:
        return None
    width, height = int(head[1]), int(head[2])
    if width * height == 0 or len(content) != head.end() + width * height * 3:
        return None
    return np.frombuffer(content, np.uint8, offset=head.end()).reshape(height, width, 3)
