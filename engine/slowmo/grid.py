"""The slow-motion room, grids: colours that were measured on every second pixel and repeated, so that they stand in squares which do not move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .look import Map
from .motion import Picture

EVERY = 4  # rows or columns between those that are looked at
SAME = 0.05  # of the step from square to square that may be left inside one
STEP = 0.5  # grey levels that it must be: a plain picture tells nothing


@dataclass(frozen=True)
class Grid:
    """For each colour that stands in squares of two by two px: its channel, and the column and row where the first whole square begins."""

    squares: tuple[tuple[int, int, int], ...]


def find(picture: Picture) -> Grid:
    """The grid of a picture [H, W, 3]; without squares where no colour is repeated, as in nearly all footage."""
    found = []
    for channel in range(picture.shape[2]):
        across = _phase(np.diff(picture[::EVERY, :, channel], axis=1))
        down = None if across is None else _phase(np.diff(picture[:, ::EVERY, channel], axis=0).T)
        if across is not None and down is not None:
            found.append((channel, across, down))
    return Grid(tuple(found))


def apart(make: Callable[[Picture, Picture], Picture], first: Picture, second: Picture, grid: Grid) -> Picture:
    """What `make` makes of two pictures whose colours run smoothly from square to square, set back into the squares."""
    if not grid.squares:
        return make(first, second)
    made = make(_smooth(first, grid), _smooth(second, grid))
    for channel, across, down in grid.squares:
        made[..., channel] = _squared(made[..., channel], across, down)
    return made


def _phase(steps: NDArray[np.float32]) -> int | None:
    """Where squares begin along the second axis, from the differences between neighbours there."""
    even, odd = np.abs(steps[:, 0::2]).mean(), np.abs(steps[:, 1::2]).mean()
    if min(even, odd) > SAME * max(even, odd) or max(even, odd) < STEP:
        return None
    return int(odd < even)


def _smooth(picture: Picture, grid: Grid) -> Picture:
    out = picture.copy()
    high, wide = picture.shape[:2]
    for channel, across, down in grid.squares:
        x, y = ((np.arange(count, dtype=np.float32) - start - 0.5) / 2 for count, start in ((wide, across), (high, down)))
        values = np.ascontiguousarray(picture[down::2, across::2, channel])
        out[..., channel] = cv2.remap(values, *np.meshgrid(x, y), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return out


def _squared(plane: Map, across: int, down: int) -> Map:
    """The mean of each whole square; what is left at the border stays."""
    high, wide = ((count - start) // 2 * 2 for count, start in zip(plane.shape, (down, across)))
    inside = plane[down:down + high, across:across + wide]
    means = cv2.resize(inside, (wide // 2, high // 2), interpolation=cv2.INTER_AREA)
    out = plane.copy()
    out[down:down + high, across:across + wide] = means.repeat(2, axis=0).repeat(2, axis=1)
    return out
