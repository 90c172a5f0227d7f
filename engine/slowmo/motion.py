"""The slow-motion room, motion: dense flow both ways between two pictures, and how it speeds up or slows; OpenCV and numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .look import Flow, Map, length, look

Picture = NDArray[np.float32]  # [H, W, 3] RGB, 0..255 whatever the depth of its file
SMALLEST = 48  # px that DIS needs on the short side
STRIDE = 2  # px between patches; the preset's 3 is a quarter faster and 0.1 dB worse
OTHER_LIGHT = 8.0  # grey levels between the means of two pictures: a flash or another exposure, no motion
REGION = (31, 31)  # px over which acceleration is held against speed
STILL = 1.0  # px per interval below which speed counts as this
UNEVEN = 3.0  # neighbours further off in time than this, in intervals, say nothing about acceleration


@dataclass(frozen=True)
class Motion:
    """Where each pixel of one picture is in the other."""

    forward: Flow
    backward: Flow


@dataclass(frozen=True)
class Bend:
    """Second differences of the path of each pixel [H, W, 2], px per interval squared, at its own end and at the other."""

    own: Flow
    other: Flow


@dataclass(frozen=True)
class Course:
    """All that is known of how things move between two pictures; without neighbours the paths are straight."""

    motion: Motion
    first: Bend | None = None  # on the first picture's grid, along the motion
    second: Bend | None = None  # on the second picture's grid, against it
    unsteady: Map | None = None  # on the first picture's grid: acceleration by speed; near 1 things stop or turn round on the way

    def from_first(self, t: float) -> Flow:
        """How far each pixel of the first picture has come at time t."""
        return _along(self.motion.forward, self.first, t)

    def from_second(self, t: float) -> Flow:
        """How far each pixel of the second picture is from its place at time t."""
        return _along(self.motion.backward, self.second, 1 - t)


def _along(flow: Flow, bend: Bend | None, t: float) -> Flow:
    """The cubic through four equidistant places (Lagrange): straight part minus t (1-t) / 6 ((2-t) own + (1+t) other)."""
    if bend is None:
        return np.float32(t) * flow
    half = np.float32(t * (1 - t) / 6)
    return np.float32(t) * flow - half * (np.float32(2 - t) * bend.own + np.float32(1 + t) * bend.other)


def course(motion: Motion, before: Flow | None = None, after: Flow | None = None, gaps: tuple[float, float] = (1.0, 1.0)) -> Course:
    """The course between two pictures from their motion and the flows to the pictures around them.

    `before`: from the first to the one before it; `after`: from the second to the one after it; `gaps`: how long those intervals
    are, in intervals of the pair. Handheld cameras and limbs speed up and slow down from frame to frame: on real clips the
    acceleration is worth more than any finer flow.
    """
    a = _bend(motion.forward, before, gaps[0])
    b = _bend(motion.backward, after, gaps[1])
    if a is None and b is None:
        return Course(motion)
    a_there = None if a is None else look(a, motion.backward)
    b_there = None if b is None else look(b, motion.forward)
    first = Bend(a if a is not None else b_there, b_there if b_there is not None else a)
    second = Bend(b if b is not None else a_there, a_there if a_there is not None else b)
    return Course(motion, first, second, _unsteady(motion.forward, first))


def _unsteady(flow: Flow, bend: Bend) -> Map:
    change = cv2.blur((length(bend.own) + length(bend.other)) / 2, REGION)
    return change / (cv2.blur(length(flow), REGION) + np.float32(STILL))


def _bend(onward: Flow, back: Flow | None, gap: float) -> Flow | None:
    if back is None or not 1 / UNEVEN <= gap <= UNEVEN:
        return None
    return (back + np.float32(gap) * onward) * np.float32(2 / (gap * (1 + gap)))


def find(first: Picture, second: Picture, size: int = 0) -> Motion:
    """DIS flow (Kroeger et al. 2016) both ways, searched at `size` px on the long side at most (0: the pictures' own)."""
    high, wide = first.shape[:2]
    scale = min(1.0, size / max(high, wide)) if size else 1.0
    scale = max(scale, SMALLEST / min(high, wide)) if min(high, wide) * scale < SMALLEST else scale
    small = (max(1, round(wide * scale)), max(1, round(high * scale)))
    a, b = _lit_alike(*(_grey(picture, small) for picture in (first, second)))
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setPatchStride(STRIDE)
    return Motion(_sized(search.calc(a, b, None), wide, high), _sized(search.calc(b, a, None), wide, high))


def _lit_alike(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The darker of two grey pictures in the light of the brighter, so that both clip alike: its histogram is made the other's."""
    if abs(float(a.mean()) - float(b.mean())) < OTHER_LIGHT:
        return a, b
    reach = [np.cumsum(np.bincount(grey.ravel(), minlength=256)) for grey in (a, b)]
    dark, bright = (0, 1) if a.mean() < b.mean() else (1, 0)
    curve = np.rint(np.interp(reach[dark], reach[bright], np.arange(256))).astype(np.uint8)
    return (cv2.LUT(a, curve), b) if dark == 0 else (a, cv2.LUT(b, curve))


def _grey(picture: Picture, size: tuple[int, int]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if grey.shape[::-1] != size:
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if size[0] < grey.shape[1] else cv2.INTER_LINEAR)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _sized(flow: Flow, wide: int, high: int) -> Flow:
    if flow.shape[:2] == (high, wide):
        return flow
    scale = np.float32([wide / flow.shape[1], high / flow.shape[0]])
    return cv2.resize(flow, (wide, high), interpolation=cv2.INTER_LINEAR) * scale
