"""Geometry room: some of many, evenly spread; and the nearest of some; numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """`most` of the places 0 to count - 1, first and last among them; all where there are no more."""
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64)) if count else np.zeros(0, np.int64)


def nearest(some: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each place [N] the nearest one that is marked, the earlier of two; one at least is."""
    marked = np.flatnonzero(some)
    return marked[np.abs(np.arange(len(some))[:, None] - marked).argmin(1)]
