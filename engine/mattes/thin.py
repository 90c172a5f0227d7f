"""The mattes room, thin parts of a drawn subject, such as lines, wheels and poles, carried by themselves; numpy and OpenCV only.

Dense flow blurs them into what is behind, and colours are counted over windows wider than they are. So subject and scenery are two layers
here: what is found more alike, and how far a pixel stands out of what is around it, tells the two apart; and a straight stretch is told as a whole.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.blobs import disc, framed
from .subjects import fetch
from .two_layers import GREY, Bytes, Picture, Way, motions, odds_of

USUAL = 640  # px, longer side of the picture that the sizes below are for
THICK, LONG, AROUND = 4, 20, 6  # px: what an opening of this radius takes away is thin, if it is so long; how far around it is looked for
REACH = 3  # px around where a layer's motion leads
TOLD = 2.0  # log odds at most of what is found more alike
STANDS = 1.5  # of standing out, both as the usual and as the most that counts
SCENE, SCENERY = 11, 31  # px, sides of the windows of what is around
HALF, TURNS, WHOLE = 10, 16, 0.7  # of straight stretches: half their length in px, directions, and how much they count against the pixel itself
GAIN, BIAS = 2.0, 0.5


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
    there = [place + cv2.resize(way[box] * scale, place.shape[1::-1]) for way in motions(flow, subject, holds)]
    part = np.ascontiguousarray(picture[rows, columns])
    odds = np.clip(odds_of(part, before, mask, there, REACH), -TOLD, TOLD) + np.clip(_ridges(part, unit) - STANDS, -STANDS, STANDS)
    odds = GAIN * ((1 - WHOLE) * odds + WHOLE * _along(odds, unit)) - BIAS
    where = cv2.remap(cv2.dilate(thin, _disc(unit * AROUND)), there[0], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    found[rows, columns] = np.clip(2 * where, 0, 1) / (1 + np.exp(-odds))
    return found


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
