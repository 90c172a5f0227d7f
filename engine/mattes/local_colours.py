"""The mattes room, colours of a subject and of its surroundings place by place: what looks like it elsewhere is not it; numpy only.

Counts of colours in a coarse grid of places and Lab bins, smoothed over both (after the bilateral grid of Maerki et al. 2016, "Bilateral
Space Video Segmentation"); where a place has seen little of a colour, what the whole picture says of it counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .palette import BINS

Picture = NDArray[np.float32]  # [H, W]

CELLS = (20, 12)  # places across and down
WHOLE = 20.0  # pixels' worth of what the whole picture says of a colour
LEAST = 0.05  # px: nothing is impossible
FURTHEST = 3.0  # log odds at most


class LocalColours:
    """Fed with pictures brought to one frame, asked of that frame; `size` (W, H)."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._cells = (np.arange(height) * CELLS[1] // height)[:, None] * CELLS[0] + (np.arange(width) * CELLS[0] // width)[None]
        self._front, self._back = (np.zeros(CELLS[0] * CELLS[1] * BINS**3, np.float32) for _ in range(2))

    def add(self, bins: NDArray[np.int32], belief: Picture, vote: Picture) -> None:
        """A picture's colour bins [H, W], how surely each pixel is the subject, and how much it counts."""
        at = self._at(bins).ravel()
        self._front += np.bincount(at, (vote * belief).ravel(), len(self._front)).astype(np.float32)
        self._back += np.bincount(at, (vote * (1 - belief)).ravel(), len(self._back)).astype(np.float32)

    def odds(self, bins: NDArray[np.int32], whole: Picture) -> Picture:
        """Log odds [H, W] that the pixels of these bins are the subject; `whole` [BINS ** 3]: log odds of a colour wherever it is."""
        front, back = (_smooth(counts)[self._at(bins)] for counts in (self._front, self._back))
        share = (1 / (1 + np.exp(-whole)))[bins]
        odds = np.log((front + WHOLE * share + LEAST) / (back + WHOLE * (1 - share) + LEAST))
        return np.clip(odds, -FURTHEST, FURTHEST).astype(np.float32)

    def _at(self, bins: NDArray[np.int32]) -> NDArray[np.int64]:
        return self._cells * BINS**3 + bins


def _smooth(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each bin stands a little for those next to it, in place and in colour."""
    grid = counts.reshape(CELLS[1], CELLS[0], BINS, BINS, BINS)
    for axis in range(5):
        along = np.moveaxis(grid, axis, 0)
        fresh = along * np.float32(0.5)
        fresh[1:] += np.float32(0.25) * along[:-1]
        fresh[:-1] += np.float32(0.25) * along[1:]
        grid = np.moveaxis(fresh, 0, axis)
    return grid.reshape(-1)
