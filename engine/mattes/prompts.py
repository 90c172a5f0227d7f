"""The mattes room, boxes and points in place of a drawn mask: what lies there by its own motion and its colours; numpy and OpenCV only.

A prompt is written as 'FRAME box LEFT,TOP,RIGHT,BOTTOM', 'FRAME in X,Y' or 'FRAME out X,Y', several separated by ';', in parts of the
picture from its top left. 'FRAME#2' is of a second subject.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ..failures import RequestFailure
from ..geometry.blobs import Box, disc, framed
from .own_motion import CALM, scenery

Picture = NDArray[np.float32]  # [H, W] 0..1

NUMBERS = {"box": 4, "in": 2, "out": 2}
REACH = 0.12  # of the longer side: how far from a point without a box the subject is looked for first
DOT = 0.008  # of the longer side: radius round a point that is surely what it says
ROUNDS = 5
SAME = 8  # of 255: difference of colour up to which what hangs together with a point is what the point says
RING = 0.3  # of a box's shorter side: what lies so near around it tells its scenery's colours
APART = 1.0  # noises of the flow: what moves within a box must move so much more than the rest of it, or motion is not asked
MIDDLE = 0.4  # of half the width of what moves within a box: further in, it is surely the subject
_PART = re.compile(r"\s*(\d+)(?:#(\d+))?\s+(box|in|out)\s+([-\d.,\s]+)\s*")


@dataclass
class Prompt:
    """What was said of one subject on one frame, in parts of the picture."""

    box: list[tuple[float, ...]] = field(default_factory=list)
    inside: list[tuple[float, ...]] = field(default_factory=list)
    outside: list[tuple[float, ...]] = field(default_factory=list)


def read(text: str) -> dict[int, dict[int, Prompt]]:
    """Subject (from 1) -> frame -> prompt."""
    found: dict[int, dict[int, Prompt]] = {}
    for part in filter(str.strip, text.split(";")):
        match = _PART.fullmatch(part)
        values = tuple(float(value) for value in match[4].split(",") if _is_number(value)) if match else ()
        if match is None or len(values) != NUMBERS[match[3]]:
            raise RequestFailure(
                "wrong-option", "A box or a point cannot be read.", f"'{part.strip()}' is none.",
                "Write '12 box 0.2,0.1,0.5,0.9' or '12 in 0.3,0.4', in parts of the picture.",
            )
        prompt = found.setdefault(int(match[2] or 1), {}).setdefault(int(match[1]), Prompt())
        {"box": prompt.box, "in": prompt.inside, "out": prompt.outside}[match[3]].append(values)
    return found


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?(\d+\.?\d*|\.\d+)\s*", text) is not None


def seed(picture: NDArray[np.uint8], prompt: Prompt, drawn: Picture | None = None, moves: Picture | None = None) -> Picture:
    """The mask [H, W] of what is meant in an RGB picture [H, W, 3], by GrabCut (Rother 2004).

    `drawn` [H, W] is a mask that the points correct; `moves` [H, W] is own motion in units of the flow's noise, which boxes are looked through by first.
    """
    states = _start(picture, prompt, drawn, moves)
    part = _about(states) if prompt.box and drawn is None else (slice(None), slice(None))
    found = np.zeros_like(states)
    found[part] = _cut(np.ascontiguousarray(picture[part]), np.ascontiguousarray(states[part]))
    return _meant(found, prompt).astype(np.float32)


def _about(states: NDArray[np.uint8]) -> Box:
    """A box and a little around it: what lies further off may well have the subject's colours."""
    inside = states != cv2.GC_BGD
    box = framed(inside, 0)
    if box is None:
        return slice(None), slice(None)
    rows, columns = box
    return framed(inside, round(RING * min(rows.stop - rows.start, columns.stop - columns.start))) or box


def _cut(picture: NDArray[np.uint8], states: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 on what GrabCut finds, what is sure left as it is."""
    said, sure = states.copy(), np.isin(states, (cv2.GC_BGD, cv2.GC_FGD))
    cv2.setRNGSeed(1)  # its colour clusters start at random
    if (states % 2 == 1).any() and (states % 2 == 0).any():
        cv2.grabCut(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), states, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.where(sure, said, states) % 2


def _start(picture: NDArray[np.uint8], prompt: Prompt, drawn: Picture | None, moves: Picture | None) -> NDArray[np.uint8]:
    """GrabCut's four states: what is sure and what is likely."""
    height, width = picture.shape[:2]
    longest = max(height, width)
    states = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    if drawn is not None:
        kernel = disc(round(REACH * longest / 6))
        mask = (drawn > 0.5).astype(np.uint8)
        states[mask > 0] = cv2.GC_PR_FGD
        states[cv2.dilate(mask, kernel) == 0] = cv2.GC_BGD
        states[cv2.erode(mask, kernel) > 0] = cv2.GC_FGD
    elif prompt.box:
        states[:] = cv2.GC_BGD
        for left, top, right, bottom in prompt.box:
            rows, columns = slice(max(0, round(top * height)), max(0, round(bottom * height))), slice(max(0, round(left * width)), max(0, round(right * width)))
            states[rows, columns] = cv2.GC_PR_FGD
        if moves is not None:
            _by_motion(states, moves)
    else:
        for x, y in prompt.inside:
            cv2.circle(states, (round(x * width), round(y * height)), round(REACH * longest), cv2.GC_PR_FGD, -1)
    said = ((prompt.inside, cv2.GC_FGD), (prompt.outside, cv2.GC_BGD))
    for points, state in said:
        for point in points:
            states[_alike(picture, point) & (states != cv2.GC_BGD)] = state
    for points, state in said:
        for x, y in points:
            cv2.circle(states, (round(x * width), round(y * height)), max(1, round(DOT * longest)), state, -1)
    return states


def _by_motion(states: NDArray[np.uint8], moves: Picture) -> None:
    """Within a box what moves is likely the subject and the rest is not, where the two are apart; its middle surely, where the scenery is calm."""
    inside = states == cv2.GC_PR_FGD
    if not inside.any():
        return
    level, _ = cv2.threshold(np.clip(51 * moves[inside], 0, 255).astype(np.uint8).reshape(1, -1), 0, 255, cv2.THRESH_OTSU)
    moving = inside & (51 * moves > level)
    still = inside & ~moving
    if not moving.any() or not still.any() or moves[moving].mean() - moves[still].mean() < APART:
        return
    states[still] = cv2.GC_PR_BGD
    if scenery(moves, inside) < CALM[0]:
        depth = cv2.distanceTransform(moving.astype(np.uint8), cv2.DIST_L2, 5)
        states[depth > MIDDLE * depth.max()] = cv2.GC_FGD


def _alike(picture: NDArray[np.uint8], point: tuple[float, ...]) -> NDArray[np.bool_]:
    """What hangs together with a point, has its colour, and is not far from it."""
    height, width = picture.shape[:2]
    x, y = (min(length - 1, max(0, round(part * length))) for part, length in zip(point, (width, height)))
    same, near = np.zeros((height + 2, width + 2), np.uint8), np.zeros((height, width), np.uint8)
    cv2.floodFill(cv2.blur(picture, (3, 3)), same, (x, y), 0, (SAME,) * 3, (SAME,) * 3, 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | 1 << 8)
    cv2.circle(near, (x, y), round(REACH * max(height, width)), 1, -1)
    return (same[1:-1, 1:-1] & near) > 0


def _meant(found: NDArray[np.uint8], prompt: Prompt) -> NDArray[np.uint8]:
    """Of the blobs found, those under a point, and within a box or without points the larger ones as well; without pinholes."""
    height, width = found.shape
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, label, about, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    if count < 2:
        return found
    areas = about[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    large = areas > 0.1 * areas.max() if prompt.box or not prompt.inside else np.zeros(count, bool)
    for x, y in prompt.inside:
        large[label[min(height - 1, round(y * height)), min(width - 1, round(x * width))]] = True
    large[0] = False
    return large[label].astype(np.uint8)
