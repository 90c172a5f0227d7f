"""The mattes room, the scenery behind a subject: what neighbouring frames show of a place when the subject is elsewhere; no torch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .subjects import fetch

Picture = NDArray[np.float32]  # [H, W] or [H, W, 3], 0..1
SCALES = (5, 15, 45, 135)  # px over which the scenery's motion is carried behind the subject
NOISE = 0.012  # least difference of colour that counts as noise


def carry_behind(flow: NDArray[np.float32], still: Picture) -> NDArray[np.float32]:
    """The scenery's flow [H, W, 2] everywhere: where it cannot be seen (still = 0) it is that of the nearest scenery around."""
    found = np.zeros_like(flow)
    missing = np.ones(still.shape, bool)
    weighted = flow * still[..., None]
    for size in SCALES:
        share = cv2.blur(still, (size, size))
        here = missing & (share > 0.05)
        found[here] = (cv2.blur(weighted, (size, size)) / np.maximum(share, 1e-4)[..., None])[here]
        missing &= ~here
    if missing.any():
        found[missing] = weighted.sum((0, 1)) / max(float(still.sum()), 1e-4)
    return found


def differs(picture: Picture, likely: Picture, others: list[tuple[Picture, Picture, NDArray[np.float32], Picture]]) -> Picture:
    """How much a frame differs from the scenery behind it, in units of what scenery differs from itself; -1 where nobody knows.

    likely [H, W] is where subjects are thought to be; others: (picture, likely, flow to it, valid) of neighbouring frames.
    """
    least = np.full(likely.shape, np.inf, np.float32)
    apart = likely < 0.5
    for theirs, elsewhere, flow, valid in others:
        still = valid * (cv2.dilate(likely, np.ones((5, 5), np.uint8)) < 0.5)
        way = carry_behind(flow, still)
        shown = fetch(np.dstack([theirs, (cv2.dilate(elsewhere, np.ones((3, 3), np.uint8)) < 0.5).astype(np.float32)]), way)
        difference = cv2.blur(np.abs(shown[..., :3] - picture).sum(-1), (3, 3))
        least = np.where(shown[..., 3] > 0.99, np.minimum(least, difference), least)
    known = np.isfinite(least)
    usual = float(np.median(least[known & apart])) if (known & apart).sum() > 100 else NOISE
    return np.where(known, least / (2 * usual + NOISE), np.float32(-1)).astype(np.float32)
