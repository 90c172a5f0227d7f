"""The mattes room, soft edges in closed form: the alpha that is a linear function of colour in every window at once; numpy and OpenCV only.

Levin, Lischinski & Weiss 2008, over the large windows of He, Sun & Tang 2010: their matrix is never built, since what it makes of an alpha is
the alpha less its guided filter. Conjugate gradients from the guided filter's answer.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from . import edge

Alpha = NDArray[np.float32]  # [H, W] 0..1
Colour = NDArray[np.float32]  # [H, W, 3] 0..1
Mask = NDArray[np.bool_]
Values = NDArray[np.float64]  # [H, W] or [H, W, channels]

RADIUS = 8  # px of the windows
EPS = 1e-6  # of squared colour
ROUNDS = 30  # of conjugate gradients; more follow noise
SETTLED = 1e-9  # of the sum of squares that are left over


def within(picture: Colour, sure: Mask, maybe: Mask, guess: Alpha, width: float) -> Alpha:
    """Alpha between what is surely inside and what is not even maybe; as `edge.within`, of which it starts."""
    unknown = maybe & ~sure
    first = edge.within(picture, sure, maybe, guess, width)
    if not unknown.any():
        return first
    alpha = first.astype(np.float64)
    apart = _Apart(picture)
    left = -apart(alpha) * unknown
    way, size = left.copy(), _dot(left, left)
    for _ in range(ROUNDS):
        bent = apart(way) * unknown
        steep = _dot(way, bent)
        if size < SETTLED or steep <= 0:
            break
        step = size / steep
        alpha, left = alpha + step * way, left - step * bent
        before, size = size, _dot(left, left)
        way = left + size / before * way
    return np.where(unknown, np.clip(alpha, 0, 1), sure).astype(np.float32)


class _Apart:
    """How far an alpha [H, W] is from the linear functions of a picture's colour [H, W, 3] that fit it best in the windows about each pixel."""

    def __init__(self, picture: Colour) -> None:
        self._picture = picture.astype(np.float64)  # variances of flat places are lost in fewer digits
        self._share = _box(np.ones_like(picture[..., 0]))  # of each window within the picture
        self._mean = self._within(self._picture)
        pairs = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
        rr, rg, rb, gg, gb, bb = (
            self._within(self._picture[..., i] * self._picture[..., j]) - self._mean[..., i] * self._mean[..., j] for i, j in pairs
        )
        rr, gg, bb = (part + EPS for part in (rr, gg, bb))
        cofactors = edge.cofactors(rr, rg, rb, gg, gb, bb)
        whole = np.maximum(rr * cofactors[0] + rg * cofactors[1] + rb * cofactors[2], 1e-30)
        self._inverse = [part / whole for part in cofactors]

    def __call__(self, alpha: Values) -> Values:
        mean = self._within(alpha)
        r, g, b = cv2.split(self._within(self._picture * alpha[..., None]) - self._mean * mean[..., None])
        rr, rg, rb, gg, gb, bb = self._inverse
        slope = np.dstack([rr * r + rg * g + rb * b, rg * r + gg * g + gb * b, rb * r + gb * g + bb * b])
        around = _box(np.dstack([slope, mean - (slope * self._mean).sum(-1)]))
        return self._share * alpha - (around[..., :3] * self._picture).sum(-1) - around[..., 3]

    def _within(self, values: Values) -> Values:
        """Means over the part of each window that lies in the picture."""
        return _box(values) / (self._share if values.ndim == 2 else self._share[..., None])


def _box(values: Values) -> Values:
    """Sums over windows, divided by their pixels; nothing lies outside the picture, or what follows would not be symmetric."""
    return cv2.boxFilter(values, cv2.CV_64F, (2 * RADIUS + 1, 2 * RADIUS + 1), borderType=cv2.BORDER_CONSTANT)


def _dot(a: Values, b: Values) -> float:
    return float(np.vdot(a, b))
