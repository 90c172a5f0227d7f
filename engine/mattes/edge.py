"""The mattes room, soft edges: alpha in a band around a mask, from the colours of the full frame; numpy and OpenCV only.

A weighted colour guided filter (He, Sun & Tang 2013, section 3.4): in each window alpha is a linear function of colour, fitted to what
is surely inside or outside, and hardly to the band itself.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.blobs import framed

Alpha = NDArray[np.float32]  # [H, W] 0..1
Colour = NDArray[np.float32]  # [H, W, 3] 0..1
Plane = NDArray[np.floating]  # [H, W]

EPS = 2e-5  # of squared colour, keeps flat windows from following noise
DOUBT = 0.02  # weight of the band's own guess in the fit
CLEAR = 0.03  # more weight for what the first of two fits calls 0 or 1
NEAR = 20  # px: radius of the windows of a second fit
ALL = np.ones((1, 3), np.float32)  # sums three channels, much faster than numpy
HAZE = 0.1  # alpha below which the fit only follows noise, and above 1 less which it should be whole


def band(mask: Alpha, width: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(surely inside, anything of it) for a soft mask: the level 0.5 moved by `width` px inwards and outwards."""
    inside = (mask >= 0.5).astype(np.uint8)
    sure = cv2.distanceTransform(np.pad(inside, 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1] > width
    maybe = cv2.distanceTransform(np.pad(1 - inside, 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1] <= width
    return sure, maybe


def within(picture: Colour, sure: NDArray[np.bool_], maybe: NDArray[np.bool_], guess: Alpha, width: float) -> Alpha:
    """Alpha between what is surely inside and what is not even maybe: a band of half width `width` px, in which `guess` counts a little.

    A wide band is fitted twice: its windows hold many colours, but once parts of it are clear, smaller ones will do.
    """
    first = once(picture, sure, maybe, guess, width)
    if 2 * width <= NEAR:
        return first
    return _fitted(picture, first, DOUBT + CLEAR * np.abs(2 * first - 1) ** 4, sure, maybe & ~sure, NEAR)


def once(picture: Colour, sure: NDArray[np.bool_], maybe: NDArray[np.bool_], guess: Alpha, width: float) -> Alpha:
    """The first fit alone, from what is surely inside or outside."""
    return _fitted(picture, guess, np.full_like(guess, DOUBT), sure, maybe & ~sure, max(1, round(2 * width)))


def _fitted(picture: Colour, guess: Alpha, weight: Alpha, sure: NDArray[np.bool_], unknown: NDArray[np.bool_], radius: int) -> Alpha:
    out, box = sure.astype(np.float32), framed(unknown, 2 * radius + 1)  # what lies farther off has no say
    if box is None:
        return out
    asked = unknown[box]
    target = np.where(asked, guess[box], out[box])
    alpha = guide(picture[box], target, np.where(asked, weight[box], np.float32(1)).astype(np.float32), radius, EPS)
    out[box] = np.where(asked, np.clip((alpha - HAZE) / (1 - 2 * HAZE), 0, 1), out[box])
    return out


def guide(picture: Colour, target: Alpha, weight: Alpha, radius: int, eps: float) -> Alpha:
    """target [H, W] as a locally linear function of picture, least squares with `weight` in windows of 2 radius + 1."""
    return Guide(picture, weight, radius, eps)(target)


class Guide:
    """`guide` for several targets: what does not depend on them is worked out once."""

    def __init__(self, picture: Colour, weight: Alpha, radius: int, eps: float) -> None:
        self._picture, self._weight, self._radius = picture, weight, radius
        self._norm = 1 / self._box(weight)
        self._mean = self._box(picture * weight[..., None]) * self._norm[..., None]
        pairs = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
        rr, rg, rb, gg, gb, bb = (
            self._box(picture[..., i] * picture[..., j] * weight) * self._norm - self._mean[..., i] * self._mean[..., j] for i, j in pairs
        )
        rr, gg, bb = (part + np.float32(eps) for part in (rr, gg, bb))
        self._cofactors = cofactors(rr, rg, rb, gg, gb, bb)
        self._det = np.maximum(rr * self._cofactors[0] + rg * self._cofactors[1] + rb * self._cofactors[2], np.float32(1e-12))

    def __call__(self, target: Alpha) -> Alpha:
        mean = self._box(target * self._weight) * self._norm
        cov = self._box(self._picture * (target * self._weight)[..., None]) * self._norm[..., None] - self._mean * mean[..., None]
        cr, cg, cb = (cov[..., channel] for channel in range(3))
        c00, c01, c02, c11, c12, c22 = self._cofactors
        slope = np.stack([c00 * cr + c01 * cg + c02 * cb, c01 * cr + c11 * cg + c12 * cb, c02 * cr + c12 * cg + c22 * cb], -1) / self._det[..., None]
        return cv2.transform(self._box(slope) * self._picture, ALL) + self._box(mean - cv2.transform(slope * self._mean, ALL))

    def _box(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        side = 2 * self._radius + 1
        return cv2.boxFilter(values, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REFLECT)


def cofactors(rr: Plane, rg: Plane, rb: Plane, gg: Plane, gb: Plane, bb: Plane) -> tuple[Plane, ...]:
    """Of symmetric 3x3 matrices, entry by entry as the matrices are given; divided by the determinant they are the inverse."""
    return gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb, rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
