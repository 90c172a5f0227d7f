"""Camera room: the clip as a solve looks at it: grey pictures, and masks of what moves, at the solve's size; no torch, no pycolmap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..media.frames import Frames, read_png
from .following import follow
from .tracks import Tracks


@dataclass(frozen=True)
class Footage:
    """The frames, the folder of masks of what moves, and the size (W, H) in px at which points are followed."""

    frames: Frames
    masks: Path
    size: tuple[int, int]

    @property
    def factor(self) -> NDArray[np.float64]:
        """[2] px of the frames for one px of `size`."""
        return np.asarray(self.frames.size, float) / np.asarray(self.size, float)

    def gray(self, number: int) -> NDArray[np.uint8]:
        """One frame's picture [H, W]."""
        return self.frames.gray(number, self.size)

    def mask(self, number: int) -> NDArray[np.uint8]:
        """One frame's mask [H, W]: white is what moves."""
        return cv2.resize(read_png(self.masks / f"{FRAME % number}.png"), self.size, interpolation=cv2.INTER_NEAREST)

    def followed(self, part: list[int], count: int, progress: Callable[[int], None] = lambda done: None) -> Tracks:
        """About `count` points at a time through the frames `part`; `progress` hears how many are done."""
        return follow(map(self.gray, part), map(self.mask, part), count, progress)
