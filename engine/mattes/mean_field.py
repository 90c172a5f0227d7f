"""The mattes room, mean field: likelihoods that agree with those of pixels of the same colour around; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .edge import Colour, Guide

Picture = NDArray[np.float32]  # [H, W]


def agreed(odds: Picture, colours: Colour, radius: int, eps: float, steps: int, smooth: float) -> Picture:
    """Likelihoods [H, W] 0..1 from log odds, where what is around, by a guided filter, speaks with up to `smooth` log odds."""
    likely, guided = _sigmoid(odds), Guide(colours, np.ones_like(odds, np.float32), radius, eps)
    for _ in range(steps):
        likely = _sigmoid(odds + smooth * (2 * np.clip(guided(likely), 0, 1) - 1))
    return likely


def _sigmoid(odds: Picture) -> Picture:
    return (1 / (1 + np.exp(-odds))).astype(np.float32)
