"""The mattes room, subject and scenery as two layers, each with a motion of its own, for what dense flow cannot follow; numpy and OpenCV only.

A pixel is looked for in the frame before among the subject's pixels, where the motion of the subject around it leads, and among the
scenery's, where theirs does (after Wang & Adelson 1994, "Representing Moving Images with Layers"). What is found more alike is told.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.blobs import framed
from ..media.flow import grid
from .subjects import fetch

Picture = NDArray[np.float32]  # [H, W]
Bytes = NDArray[np.uint8]  # [H, W, 3]
Way = NDArray[np.float32]  # [H, W, 2] px

WINDOW = 3  # px, side of the patches that are compared
STRANGE, MOST = 12.0, 40.0  # of 255: a match on the other layer counts as so much less alike; no match at all
OUTSIDE = 20000.0  # no match beyond the picture
ALIKE = 2.0  # of 255: difference that counts one log odd
REACHES = (1.0, 3.0, 9.0, 27.0)  # px of the flow's grid: a layer's motion is taken from as near as it is seen
NEAR = 1  # px around where a layer's motion leads, of what is not thin
GAIN, TOLD = 2.0, 4.0  # of its log odds, and how many at most
GREY = np.full((1, 3), 1 / 3)


def told(picture: Bytes, before: Bytes, belief: Picture, flow: Way, holds: Picture, doubt: Picture) -> Picture:
    """How likely each pixel [H, W] of a picture is the subject's, 0..1, where `doubt` [H, W] of the flow is above 0.

    `belief` [H, W] 0..1 is the subject in the picture `before`; `flow` leads there, `holds` [H, W] 0..1. A subject that the border cuts goes on
    beyond it, so that what comes in there beside it may be its own.
    """
    there = [grid(flow.shape[1::-1]) + way for way in motions(flow, fetch(belief, flow), holds)]
    wide = cv2.dilate(belief, np.ones((2 * NEAR + 1,) * 2, np.uint8))
    found = cv2.remap(wide, there[0], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    box = framed((found > 0.05) & (doubt > 0.05), 2)
    if box is not None:
        odds = odds_of(np.ascontiguousarray(picture[box]), before, belief, [np.ascontiguousarray(way[box]) for way in there], NEAR)
        found[box] /= 1 + np.exp(-np.clip(GAIN * odds, -TOLD, TOLD))
    return found


def motions(flow: Way, subject: Picture, holds: Picture) -> list[Way]:
    """The motion of the subject and of the scenery at every pixel, each from the flow of its own pixels around."""
    return [_spread(flow, np.square(part) * (np.float32(0.05) + holds)) for part in (subject, 1 - subject)]


def _spread(flow: Way, weight: Picture) -> Way:
    """The flow averaged where it has weight, from as near as there is enough."""
    total, known, size = np.zeros_like(flow), np.zeros_like(weight), weight.shape[::-1]
    for reach in REACHES:
        shrink = max(1, int(reach) // 3)
        small = tuple(max(1, length // shrink) for length in size)
        felt, moved = (cv2.resize(part, small, interpolation=cv2.INTER_AREA) for part in (weight, flow * weight[..., None]))
        felt, moved = (cv2.GaussianBlur(part, (0, 0), reach / shrink) for part in (felt, moved))
        share = (1 - known) * cv2.resize(np.clip(8 * felt, 0, 1), size)
        total += cv2.resize(moved / (felt[..., None] + np.float32(1e-6)), size) * share[..., None]
        known += share
    return total / (known[..., None] + np.float32(1e-6))


def odds_of(picture: Bytes, before: Bytes, mask: Picture, there: list[Way], reach: int) -> Picture:
    """Log odds [h, w] that the pixels of a part of a picture are the subject's, by where either layer would have been before, within `reach` px.

    `mask` [H, W] 0..1 is the subject in the picture `before` [H, W, 3]; `there` are the places in it where subject and scenery lead, in px.
    """
    subject, scenery = (_cost(picture, before, part, way, reach) for part, way in zip((mask, 1 - mask), there))
    return (scenery - subject) * np.float32(1 / (ALIKE * WINDOW**2))


def _cost(picture: Bytes, before: Bytes, layer: Picture, there: Way, reach: int) -> Picture:
    """How unlike the best match on a layer is, summed over a window, of 255."""
    height, width = picture.shape[:2]
    strange = np.round((1 - layer) * (STRANGE * WINDOW**2)).astype(np.uint16)
    seen = cv2.remap(before, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    other = cv2.remap(strange, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=OUTSIDE)
    seen, other = (cv2.copyMakeBorder(part, *[reach] * 4, cv2.BORDER_REPLICATE) for part in (seen, other))
    least = np.full((height, width), round(MOST * WINDOW**2), np.uint16)
    for top in range(2 * reach + 1):
        for left in range(2 * reach + 1):
            at = slice(top, top + height), slice(left, left + width)
            apart = cv2.transform(cv2.absdiff(picture, seen[at]), GREY)
            least = np.minimum(least, cv2.add(cv2.boxFilter(apart, cv2.CV_16U, (WINDOW, WINDOW), normalize=False), other[at]))
    return least.astype(np.float32)
