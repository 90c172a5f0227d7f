"""The mattes room, water, spray and smoke: what moves and cannot be followed is no subject; numpy and OpenCV only.

A thing looks the same a frame later, and flow finds it there. Blurred limbs and hidden rims are lost as well: so nothing is held against
what is lost unless the whole shot says that scenery moves in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.blobs import disc

Mask = NDArray[np.bool_]
Picture = NDArray[np.float32]  # [H, W]

RIM = (0.08, 0.2)  # share of the picture's rim that moves, between which scenery is suspected to move: water, leaves, crowds
SOME = (0.1, 0.125)  # the same for what is lost beside it: a subject that the border cuts is followed
LOST = (0.14, 0.2)  # the same for the share of what moves that shows something to follow and is lost, where the rest is followed
WELL = (0.45, 0.6)  # so well, 0..1
HALF = 0.5  # of the trust that the best of the movers reach: below it a place is lost
TOLD = 4.0  # contrast of 255 from which a place shows enough to be followed
BARE = 2.0  # contrast below which it shows nothing: black cloth, which tells less the barer it is
JUMP = (0.00625, 0.0125)  # of the picture's width: steps of flow between which one thing seems to pass before another


@dataclass(frozen=True)
class Field:
    """Flow from a frame to another one."""

    flow: NDArray[np.float32]  # [H, W, 2] px
    holds: Picture  # [H, W], 0..1
    shown: Picture  # [H, W] of 255: what the other frame shows where it leads


@dataclass(frozen=True)
class Trust:
    """How well flow follows the places of a frame, 0..1."""

    held: Picture  # [H, W]
    rim: float  # share of the picture's rim that moves
    best: float  # what the best of the movers reach; 0 where nothing moves
    lost: float  # share of the movers that show something and are lost


def trust(grey: Picture, fields: list[Field], next_to: int, moving: Mask, around: Mask) -> Trust:
    """What flow tells of a frame [H, W], `grey` of 255: to some frames around, the first `next_to` of which stand next to it. `moving` is
    what moves; `around` is what moves against the flow around, without a camera: water does, still things that a camera slightly wrong
    calls moving do not. Flow that was begun from the frames between holds together also where the picture has become another one.
    """
    sure = np.ones_like(grey)
    if fields:
        detail = cv2.blur(_texture(grey), (7, 7)) + 2
        alike = [np.exp(-np.maximum(cv2.blur(np.abs(field.shown - grey), (7, 7)) / detail - 0.4, 0)) for field in fields]
        sure = cv2.blur(np.mean([field.holds * part for field, part in zip(fields, alike)], axis=0), (15, 15))
        if next_to:
            sure = sure * np.max(alike[:next_to], axis=0)
            sure = excused(sure, np.max([jump(field.flow) for field in fields[:next_to]], axis=0))
    best = float(np.percentile(sure[moving], 80)) if moving.sum() > 20 else 0.0
    both = moving & around
    lost = both & (sure < HALF * best) & (contrast(grey) > TOLD)
    return Trust(sure, float(both[_rim(moving.shape)].mean()), best, float(lost.sum() / max(1, both.sum())))


def suspicion(told: list[Trust]) -> float:
    """How much is to be said for scenery that moves by itself, 0..1, by frames of one shot."""
    rim, lost = (float(np.median([getattr(each, part) for each in told])) for part in ("rim", "lost"))
    best = float(np.median([each.best for each in told if each.best > 0] or [0.0]))
    return max(_ramp(rim, *RIM) * _ramp(lost, *SOME), _ramp(lost, *LOST) * _ramp(best, *WELL)) if best else 0.0


def follow(relative: Picture, suspect: float, grey: Picture) -> Picture:
    """How well each place can be followed [H, W], 0..1, from its trust against that of the best."""
    told = np.clip(contrast(grey) / BARE, 0, 1)
    return (1 - suspect + suspect * (1 - (1 - np.clip(relative, 0, 1)) * told) ** 3).astype(np.float32)


def contrast(grey: Picture) -> Picture:
    """Mean difference of the pixels about each place from what is around them, of 255."""
    return cv2.blur(_texture(grey), (9, 9))


def _texture(grey: Picture) -> Picture:
    """How much each pixel differs from those around it."""
    return np.abs(grey - cv2.blur(grey, (5, 5)))


def jump(flow: NDArray[np.float32]) -> Picture:
    """How much the flow changes about each pixel, px."""
    window = np.ones((15, 15), np.uint8)
    spread = [cv2.dilate(part, window) - cv2.erode(part, window) for part in (flow[..., 0].copy(), flow[..., 1].copy())]
    return np.hypot(*spread)


def excused(sure: Picture, jumps: Picture) -> Picture:
    """Trust in what flow says of each place. Where flow jumps, one thing hides another and cannot be followed: what is around counts there."""
    width = sure.shape[1]
    low, high = (part * width for part in JUMP)
    closed = cv2.morphologyEx(sure, cv2.MORPH_CLOSE, disc(max(2, width // 32)))
    return (sure + np.clip((jumps - low) / (high - low), 0, 1) * (closed - sure)).astype(np.float32)


def _ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _rim(shape: tuple[int, ...]) -> Mask:
    rim = np.ones(shape, bool)
    width = max(2, shape[0] // 40)
    rim[width:-width, width:-width] = False
    return rim
