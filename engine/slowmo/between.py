"""The slow-motion room, synthesis: the picture between two pictures whose motion is known; OpenCV and numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .look import Flow, Map, inverse, length, look
from .motion import Course, Picture

WINDOW = 9  # px over which two pictures are compared
DOUBT = 6.0  # grey levels of disagreement at which a hypothesis loses its weight
DETAIL = 0.1  # of what motion has to explain may be left unexplained before sampling turns soft
SPARSE = 4  # px between samples of brightness
SAME_LIGHT = 4.0  # grey levels by which the means of two moved pictures may differ under the same light
LANDING = 3.0  # px by which a hypothesis may miss the pixel it claims to reach
REGION = 31  # px over which motion must explain more than blending does
LIMITS = (0.3, 0.7)  # of that comparison, where blending begins and where it is most
UNSTEADY = (0.3, 1.5)  # acceleration by speed, where no path is foretold any more: blending begins, and is most
LOST = 0.4  # of blending there: what stands still for half of the interval and then jerks is at neither end of a smooth path
MOST = 0.5  # of blending: half of each, motion and blending, misses the truth by less than either where neither knows


@dataclass(frozen=True)
class Hypothesis:
    """One idea of where each pixel at time t comes from, and how far to believe it."""

    to_first: Flow  # offset to the place in the first picture
    to_second: Flow
    share: Map  # of the first picture, 0..1; the second has the rest
    weight: Map
    sharp: Map  # 0..1: how exactly both pictures agree, and so how sharply they may be sampled


@dataclass(frozen=True)
class Plan:
    """How a picture in between is put together. `plain` is the share of blending in place, where motion explains nothing or is not steady."""

    t: float
    hypotheses: tuple[Hypothesis, Hypothesis]
    plain: Map


@dataclass(frozen=True)
class Light:
    """Gain and offset [3] between the light of two pictures; `same` where it is not worth telling."""

    gain: NDArray[np.float32]
    offset: NDArray[np.float32]
    same: bool


def plan(first: Picture, second: Picture, course: Course, t: float, overlay: Map | None = None, lit: Light | None = None) -> Plan:
    """Two hypotheses at the time t in (0, 1): the motion seen from the first picture, and from the second.

    Each pixel is taken from the picture that sees it: where the flow of the other one disagrees there, it is hidden, and so it is
    behind an overlay. A hypothesis counts where its pixel really lands here and both pictures agree.
    """
    forward, backward = course.motion.forward, course.motion.backward
    lit = lit or light(first, second, forward)
    second = second if lit.same else second * lit.gain + lit.offset  # for comparing only
    moved_a, moved_b = course.from_first(t), course.from_second(t)
    from_a, from_b = inverse(moved_a), inverse(moved_b)
    onward, back = look(forward, from_a), look(backward, from_b)
    ideas = (
        (from_a, from_a + onward, onward, length(from_a + look(moved_a, from_a))),
        (from_b + back, from_b, -back, length(from_b + look(moved_b, from_b))),
    )
    at_stake = _difference(first, second)
    tolerance = DOUBT + DETAIL * cv2.boxFilter(at_stake, -1, (WINDOW, WINDOW))
    hypotheses, left, weights = [], 0.0, 0.0
    for to_a, to_b, motion, miss in ideas:
        clear_a, clear_b = (1.0, 1.0) if overlay is None else (1 - look(overlay, to_a), 1 - look(overlay, to_b))
        apart = cv2.boxFilter(_difference(look(first, to_a), look(second, to_b)) * (clear_a * clear_b), -1, (WINDOW, WINDOW))
        sees_a = (1 - t) * (np.exp(-0.5 * length(look(forward, to_a) - motion)) * clear_a + 1e-3)
        sees_b = t * (np.exp(-0.5 * length(look(backward, to_b) + motion)) * clear_b + 1e-3)
        weight = np.exp(-apart / DOUBT - (miss / LANDING) ** 2) + 1e-3
        hypotheses.append(Hypothesis(to_a, to_b, sees_a / (sees_a + sees_b), weight, np.exp(-((apart / tolerance) ** 2))))
        left, weights = left + weight * apart, weights + weight
    explained = cv2.blur(left / weights, (REGION, REGION)) / (cv2.blur(at_stake, (REGION, REGION)) + 0.5)
    plain = MOST * _ramp(explained, LIMITS)
    if course.unsteady is not None:
        plain = 1 - (1 - plain) * (1 - LOST * _ramp(look(course.unsteady, from_a), UNSTEADY))
    return Plan(t, (hypotheses[0], hypotheses[1]), plain)


def render(plan: Plan, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the plan makes of two pictures [H, W] or [H, W, C]: frames, mattes, anything that moves with them."""
    total, weight = np.zeros_like(first), np.zeros(first.shape[:2], np.float32)
    for one in plan.hypotheses:
        a = _sharply(first, one.to_first, one.sharp)
        b = _sharply(second, one.to_second, one.sharp)
        total += (b + (a - b) * _like(one.share, a)) * _like(one.weight, a)
        weight += one.weight
    total /= _like(weight, total)
    plain = np.float32(1 - plan.t) * first + np.float32(plan.t) * second
    return total + (plain - total) * _like(plan.plain, total)


def _sharply(picture: NDArray[np.float32], offset: Flow, sharp: Map) -> NDArray[np.float32]:
    """Cubic where the motion is exact, since bilinear sampling blurs; bilinear where it is not."""
    smooth = look(picture, offset)
    return smooth + (look(picture, offset, cv2.INTER_CUBIC) - smooth) * _like(sharp, smooth)


def light(first: Picture, second: Picture, forward: Flow) -> Light:
    """What brings the second picture into the first one's light: a flash or a change of exposure is no sign of wrong motion."""
    high, wide = first.shape[:2]
    y, x = np.mgrid[0:high:SPARSE, 0:wide:SPARSE]
    there = forward[::SPARSE, ::SPARSE]
    column = np.clip(np.rint(x + there[..., 0]), 0, wide - 1).astype(int)
    row = np.clip(np.rint(y + there[..., 1]), 0, high - 1).astype(int)
    a, b = first[::SPARSE, ::SPARSE].reshape(-1, first.shape[2]), second[row, column].reshape(-1, first.shape[2])
    gain = (a.std(0) + 1) / (b.std(0) + 1)
    return Light(gain, a.mean(0) - gain * b.mean(0), bool(np.abs(a.mean(0) - b.mean(0)).max() < SAME_LIGHT))


def _ramp(value: Map, limits: tuple[float, float]) -> Map:
    """0 below the limits, 1 above them."""
    return np.clip((value - limits[0]) / (limits[1] - limits[0]), 0, 1)


def _difference(a: Picture, b: Picture) -> Map:
    return cv2.transform(cv2.absdiff(a, b), np.full((1, a.shape[2]), 1 / a.shape[2], np.float32))


def _like(plane: Map, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return plane if picture.ndim == 2 else plane[..., None]
