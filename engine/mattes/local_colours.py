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
        self._seen: list[tuple[NDArray[np.int64], Picture, Picture]] = []  # where in the grid, and how much for either side

    def add(self, bins: NDArray[np.int32], belief: Picture, vote: Picture) -> None:
        """A picture's colour bins [H, W], how surely each pixel is the subject, and how much it counts."""
        inside = vote * belief
        self._seen.append((self._at(bins).ravel(), inside.ravel(), (vote - inside).ravel()))

    def odds(self, bins: NDArray[np.int32], whole: Picture) -> Picture:
        """Log odds [H, W] that the pixels of these bins are the subject; `whole` [BINS ** 3]: log odds of a colour wherever it is."""
        at = self._at(bins)
        front, back = (_smooth(self._count(side))[at] for side in (1, 2))
        share = (1 / (1 + np.exp(-whole)))[bins]
        odds = np.log((front + WHOLE * share + LEAST) / (back + WHOLE * (1 - share) + LEAST))
        return np.clip(odds, -FURTHEST, FURTHEST).astype(np.float32)

    def _count(self, side: int) -> NDArray[np.float32]:
        if not self._seen:
            return np.zeros(CELLS[0] * CELLS[1] * BINS**3, np.float32)
        at, votes = (np.concatenate([seen[part] for seen in self._seen]) for part in (0, side))
        return np.bincount(at, votes, CELLS[0] * CELLS[1] * BINS**3).astype(np.float32)

    def _at(self, bins: NDArray[np.int32]) -> NDArray[np.int64]:
        return self._cells * BINS**3 + bins


def _smooth(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each bin stands a little for those next to it, in place and in colour."""
    lengths, fresh, quarter = (CELLS[1], CELLS[0], BINS, BINS, BINS), np.empty_like(counts), np.empty_like(counts)
    for axis, length in enumerate(lengths):
        np.multiply(counts, np.float32(0.5), out=fresh)
        np.multiply(counts, np.float32(0.25), out=quarter)
        along, aside = (part.reshape(-1, length, int(np.prod(lengths[axis + 1 :]))) for part in (fresh, quarter))
        along[:, 1:] += aside[:, :-1]
        along[:, :-1] += aside[:, 1:]
        counts, fresh = fresh, counts
    return counts
