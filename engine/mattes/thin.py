"""The mattes room, thin parts of a drawn subject, such as lines, wheels and poles, carried by themselves; numpy and OpenCV only.

Dense flow blurs them into what is behind, and colours are counted over windows wider than they are. So here subject and scenery are two
layers, each with a motion of its own: a pixel is looked for in the frame before among the subject's pixels, where the subject's motion leads,
and among the scenery's, where theirs does. What is found more alike, and how far a pixel stands out of what is around it, tells the two
apart; and a straight stretch is told as a whole.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.blobs import disc, framed
from .subjects import fetch

Picture = NDArray[np.float32]  # [H, W]
Bytes = NDArray[np.uint8]  # [H, W, 3]
Way = NDArray[np.float32]  # [H, W, 2] px

USUAL = 640  # px, longer side of the picture that the sizes below are for
THICK, LONG, AROUND = 4, 20, 6  # px: what an opening of this radius takes away is thin, if it is so long; how far around it is looked for
REACH = 3  # px around where a layer's motion leads
WINDOW = 3  # px, side of the patches that are compared
STRANGE, MOST = 12.0, 40.0  # of 255: a match on the other layer counts as so much less alike; no match at all
OUTSIDE = 20000.0  # no match beyond the picture
ALIKE = 2.0  # of 255: difference that counts one log odd
TOLD = 2.0  # log odds at most of what is found more alike
STANDS = 1.5  # of standing out, both as the usual and as the most that counts
SCENE, SCENERY = 11, 31  # px, sides of the windows of what is around
HALF, TURNS, WHOLE = 10, 16, 0.7  # of straight stretches: half their length in px, directions, and how much they count against the pixel itself
GAIN, BIAS = 2.0, 0.5
REACHES = (1.0, 3.0, 9.0, 27.0)  # px of the flow's grid: a layer's motion is taken from as near as it is seen
GREY = np.full((1, 3), 1 / 3)


def parts(mask: Picture) -> Picture:
    """1 on the parts of a mask [H, W] that are thin and long, else 0: no corners, no tufts."""
    whole, unit = (mask > 0.5).astype(np.uint8), max(mask.shape) / USUAL
    thick = cv2.dilate(cv2.morphologyEx(whole, cv2.MORPH_OPEN, _disc(unit * THICK)), _disc(unit * THICK / 2))
    count, label, about, _ = cv2.connectedComponentsWithStats(whole & ~thick, connectivity=8)
    long = np.hypot(about[:count, cv2.CC_STAT_WIDTH], about[:count, cv2.CC_STAT_HEIGHT]) >= unit * LONG
    long[0] = False
    return long[label].astype(np.float32)


def carried(picture: Bytes, before: Bytes, mask: Picture, thin: Picture, flow: Way, holds: Picture) -> Picture:
    """How likely each pixel [H, W] of a picture is a thin part of the subject, 0..1; 0 far from where there was one.

    `mask` [H, W] 0..1 is the subject in the picture `before` and `thin` its thin parts, 0 or 1; `flow` [h, w, 2], in its own px, leads there
    and `holds` [h, w] 0..1.
    """
    found, unit = np.zeros_like(mask), max(mask.shape) / USUAL
    small, scale = flow.shape[1::-1], np.array(mask.shape[::-1], np.float32) / np.array(flow.shape[1::-1], np.float32)
    near = fetch(cv2.resize(cv2.dilate(thin, _disc(unit * (AROUND + THICK))), small, interpolation=cv2.INTER_AREA), flow)
    box = framed(near > 0.05, 2)
    if box is None:
        return found
    rows, columns = (slice(round(part.start * s), round(part.stop * s)) for part, s in zip(box, scale[::-1]))
    x, y = (np.arange(part.start, part.stop, dtype=np.float32) for part in (columns, rows))
    place = np.dstack(np.meshgrid(x, y))
    subject = fetch(cv2.resize(cv2.dilate(mask, np.ones((3, 3))), small, interpolation=cv2.INTER_AREA), flow)
    there = [place + cv2.resize(way[box] * scale, place.shape[1::-1]) for way in _motions(flow, subject, holds)]
    part = np.ascontiguousarray(picture[rows, columns])
    odds = np.clip(_odds(part, before, mask, there), -TOLD, TOLD) + np.clip(_ridges(part, unit) - STANDS, -STANDS, STANDS)
    odds = GAIN * ((1 - WHOLE) * odds + WHOLE * _along(odds, unit)) - BIAS
    where = cv2.remap(cv2.dilate(thin, _disc(unit * AROUND)), there[0], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    found[rows, columns] = np.clip(2 * where, 0, 1) / (1 + np.exp(-odds))
    return found


def _motions(flow: Way, subject: Picture, holds: Picture) -> list[Way]:
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


def _odds(picture: Bytes, before: Bytes, mask: Picture, there: list[Way]) -> Picture:
    """Log odds [h, w] that the pixels of a part of a picture are the subject's, by where either layer would have been before."""
    subject, scenery = (_cost(picture, before, part, way) for part, way in zip((mask, 1 - mask), there))
    return (scenery - subject) * np.float32(1 / (ALIKE * WINDOW**2))


def _cost(picture: Bytes, before: Bytes, layer: Picture, there: Way) -> Picture:
    """How unlike the best match on a layer is, summed over a window, of 255."""
    height, width = picture.shape[:2]
    strange = np.round((1 - layer) * (STRANGE * WINDOW**2)).astype(np.uint16)
    seen = cv2.remap(before, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    other = cv2.remap(strange, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=OUTSIDE)
    seen, other = (cv2.copyMakeBorder(part, *[REACH] * 4, cv2.BORDER_REPLICATE) for part in (seen, other))
    least = np.full((height, width), round(MOST * WINDOW**2), np.uint16)
    for top in range(2 * REACH + 1):
        for left in range(2 * REACH + 1):
            at = slice(top, top + height), slice(left, left + width)
            apart = cv2.transform(cv2.absdiff(picture, seen[at]), GREY)
            least = np.minimum(least, cv2.add(cv2.boxFilter(apart, cv2.CV_16U, (WINDOW, WINDOW), normalize=False), other[at]))
    return least.astype(np.float32)


def _ridges(picture: Bytes, unit: float) -> Picture:
    """How far each pixel differs from what is around it, against how far pixels there usually do."""
    apart = cv2.transform(cv2.absdiff(picture, cv2.medianBlur(picture, round(SCENE * unit) | 1)), GREY).astype(np.float32)
    return apart / (cv2.blur(apart, (round(SCENERY * unit) | 1,) * 2) + 2)


def _along(odds: Picture, unit: float) -> Picture:
    """The highest mean of the odds on any straight stretch through each pixel."""
    half, best = max(2, round(HALF * unit)), np.full_like(odds, -np.inf)
    for turn in range(TURNS):
        x, y = (round(half * way(np.pi * turn / TURNS)) for way in (np.cos, np.sin))
        stretch = cv2.line(np.zeros((2 * half + 1,) * 2, np.float32), (half - x, half - y), (half + x, half + y), 1)
        np.maximum(best, cv2.filter2D(odds, -1, stretch / stretch.sum(), borderType=cv2.BORDER_REPLICATE), out=best)
    return best


def _disc(radius: float) -> NDArray[np.uint8]:
    return disc(max(1, round(radius)))
