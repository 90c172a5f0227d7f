"""Camera room: the motion between two frames that the still scene shares, and what does not share it; no torch, no pycolmap."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.reprojection import sampson, transfer

Array = NDArray[np.float64]
SIGMA = 0.5  # px of flow error that the choice of a model assumes


@dataclass(frozen=True)
class Motion:
    """How the still scene moved from one frame to another, told twice: as if it had no depth, and with depth."""

    homography: Array  # [3, 3]
    fundamental: Array | None  # [3, 3]; None where the samples carry none
    parallax: float  # 0..1, how much better the epipolar geometry explains the samples (Torr's GRIC)
    allowance: float  # px by which still points may leave the homography through parallax

    def residual(self, a: Array, b: Array, parallax: float) -> Array:
        """Distance in px [...] of moved pixels a -> b [..., 2] from the still scene.

        Off the epipolar line is motion for sure. Along it, only what exceeds the parallax that still points show is;
        `parallax` 0..1 says how far there is any.
        """
        flat = length(transfer(self.homography, a) - b)
        if self.fundamental is None:
            return flat
        return sampson(self.fundamental, a, b) + np.maximum(flat - parallax * self.allowance, 0)


def fit(a: Array, b: Array, tolerance: float = 1.0) -> Motion | None:
    """The dominant motion of samples a -> b [N, 2] px; None where there is none to be found."""
    if len(a) < 24:
        return None
    homography = find_homography(a, b, tolerance)
    if homography is None:
        return None
    flat = length(transfer(homography, a) - b)
    fundamental = find_fundamental(a, b, tolerance)
    if fundamental is None:
        return Motion(homography, None, 0.0, 0.0)
    lined = sampson(fundamental, a, b)
    gain = (gric(flat, 2, 8) - gric(lined, 3, 7)) / len(a)
    parallax = float(np.clip(0.5 + gain, 0, 1))
    still = flat[lined < 2 * tolerance]
    allowance = float(np.quantile(still, 0.95)) if len(still) else 0.0
    return Motion(homography, fundamental, parallax, allowance)


def find_homography(a: Array, b: Array, tolerance: float) -> Array | None:
    """The homography that most samples a -> b [N, 2] follow."""
    try:
        return cv2.findHomography(a, b, cv2.USAC_MAGSAC, tolerance, maxIters=1000, confidence=0.999)[0]
    except cv2.error:  # USAC stumbles over samples that all lie in one point or on one line
        return None


def find_fundamental(a: Array, b: Array, tolerance: float) -> Array | None:
    """The epipolar geometry that most samples a -> b [N, 2] follow."""
    try:
        found = cv2.findFundamentalMat(a, b, cv2.USAC_MAGSAC, tolerance, 0.999, 1000)[0]
    except cv2.error:
        return None
    return found if found is not None and found.shape == (3, 3) else None


def gric(error: Array, dimension: int, unknowns: int, sigma: float = SIGMA) -> float:
    """What a model costs: its errors [N] px, capped, and its freedom (Torr 1998, Geometric motion segmentation, equation 19).

    `dimension` is 2 for a homography and 3 for epipolar geometry, `unknowns` 8 and 7.
    """
    count = len(error)
    cost = np.minimum((error / sigma) ** 2, 2.0 * (4 - dimension)).sum()
    return float(cost + np.log(4) * dimension * count + np.log(4 * count) * unknowns)


def length(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of vectors [..., 2]; over so short an axis NumPy's norm takes ten times as long."""
    return np.sqrt(vectors[..., 0] ** 2 + vectors[..., 1] ** 2)
