"""The mattes room, soft edges: alpha in a band around a mask, from the colours of the full frame; numpy and OpenCV only.

A weighted colour guided filter (He, Sun & Tang 2013, section 3.4): in each window alpha is a linear function of colour, fitted to what
is surely inside or outside, and hardly to the band itself.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Alpha = NDArray[np.float32]  # [H, W] 0..1
Colour = NDArray[np.float32]  # [H, W, 3] 0..1
Plane = NDArray[np.floating]  # [H, W]

EPS = 2e-5  # of squared colour, keeps flat windows from following noise
DOUBT = 0.02  # weight of the band's own guess in the fit
CLEAR = 0.03  # more weight for what the first of two fits calls 0 or 1
NEAR = 20  # px: radius of the windows of a second fit
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
    target = np.where(unknown, guess, sure).astype(np.float32)
    alpha = guide(picture, target, np.where(unknown, weight, np.float32(1)).astype(np.float32), radius, EPS)
    clear = np.clip((alpha - HAZE) / (1 - 2 * HAZE), 0, 1)
    return np.where(unknown, clear, sure).astype(np.float32)


def guide(picture: Colour, target: Alpha, weight: Alpha, radius: int, eps: float) -> Alpha:
    """target [H, W] as a locally linear function of picture, least squares with `weight` in windows of 2 radius + 1."""
    def box(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.boxFilter(x, cv2.CV_32F, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    norm = 1 / box(weight)
    mean = box(picture * weight[..., None]) * norm[..., None]
    mean_t = box(target * weight) * norm
    cov = box(picture * (target * weight)[..., None]) * norm[..., None] - mean * mean_t[..., None]
    r, g, b = (picture[..., c] for c in range(3))
    second = {pair: box(x * y * weight) * norm for pair, x, y in (("rr", r, r), ("rg", r, g), ("rb", r, b), ("gg", g, g), ("gb", g, b), ("bb", b, b))}
    slope = _solve(second, mean, cov, eps)
    offset = mean_t - (slope * mean).sum(-1)
    return (box(slope) * picture).sum(-1) + box(offset)


def _solve(second: dict[str, NDArray[np.float32]], mean: Colour, cov: Colour, eps: float) -> Colour:
    """(covariance of the picture + eps) slope = cov, for each pixel, by cofactors."""
    mr, mg, mb = (mean[..., c] for c in range(3))
    rr, gg, bb = second["rr"] - mr * mr + eps, second["gg"] - mg * mg + eps, second["bb"] - mb * mb + eps
    rg, rb, gb = second["rg"] - mr * mg, second["rb"] - mr * mb, second["gb"] - mg * mb
    c00, c01, c02, c11, c12, c22 = cofactors(rr, rg, rb, gg, gb, bb)
    det = np.maximum(rr * c00 + rg * c01 + rb * c02, np.float32(1e-12))
    cr, cg, cb = (cov[..., c] for c in range(3))
    return np.stack([(c00 * cr + c01 * cg + c02 * cb) / det, (c01 * cr + c11 * cg + c12 * cb) / det, (c02 * cr + c12 * cg + c22 * cb) / det], -1)


def cofactors(rr: Plane, rg: Plane, rb: Plane, gg: Plane, gb: Plane, bb: Plane) -> tuple[Plane, ...]:
    """Of symmetric 3x3 matrices, entry by entry as the matrices are given; divided by the determinant they are the inverse."""
    return gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb, rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
