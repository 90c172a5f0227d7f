"""Metrics room: how far an alpha is from the true one, with the figures of the matting literature; numpy and OpenCV only.

All take alpha 0..1. MAD, MSE, Grad, Conn: Rhemann et al. 2009, scaled as in Robust Video Matting; dtSSD: Erofeev et al. 2015.
J and F: region and contour measures of DAVIS (Perazzi et al. 2016).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Alpha = NDArray[np.floating]  # [H, W], 0..1
Mask = NDArray[np.bool_]  # [H, W]

SIGMA = 1.4  # px, of the gradient filter
STEP, LEAST = 0.1, 0.15  # connectivity: threshold step, and the distance from the connected level that counts


def mad(pred: Alpha, true: Alpha) -> float:
    """Mean absolute difference, times 1000."""
    return float(np.abs(pred - true).mean() * 1e3)


def mse(pred: Alpha, true: Alpha) -> float:
    """Mean squared error, times 1000."""
    return float(((pred - true) ** 2).mean() * 1e3)


def grad(pred: Alpha, true: Alpha, normalise: bool = True) -> float:
    """Squared difference of gradient magnitudes, summed, over 1000; `normalise` stretches each alpha to 0..1 first."""
    return float(((_slope(pred, normalise) - _slope(true, normalise)) ** 2).sum() / 1e3)


def conn(pred: Alpha, true: Alpha) -> float:
    """Difference in how far each pixel stands out of the largest part that both alphas share, summed, over 1000."""
    pred, true = pred.astype(np.float32), true.astype(np.float32)  # as published: at the levels themselves rounding decides
    levels = np.arange(0, 1 + STEP, STEP)
    connected = np.full(true.shape, -1.0)  # the highest level at which a pixel still belongs to that part
    for below, level in zip(levels, levels[1:]):
        connected[(connected == -1) & ~_largest((true >= level) & (pred >= level))] = below
    connected[connected == -1] = 1
    return float(np.abs(_attached(pred, connected) - _attached(true, connected)).sum() / 1e3)


def dtssd(pred: Alpha, pred_before: Alpha, true: Alpha, true_before: Alpha) -> float:
    """Flicker: root mean square of the difference between the alphas' changes over one frame, times 100."""
    change = (pred - pred_before) - (true - true_before)
    return float(np.sqrt((change**2).mean()) * 1e2)


def region(pred: Mask, true: Mask) -> float:
    """J: intersection over union; two empty masks agree."""
    union = np.count_nonzero(pred | true)
    return np.count_nonzero(pred & true) / union if union else 1.0


def boundary(pred: Mask, true: Mask, tolerance: float = 0.008) -> float:
    """F: harmonic mean of precision and recall of the outline, within `tolerance` of the picture's diagonal."""
    reach = int(np.ceil(tolerance * np.hypot(*true.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    ours, theirs = _outline(pred), _outline(true)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    precision = (ours & (cv2.dilate(theirs.view(np.uint8), disk) > 0)).sum() / ours.sum()
    recall = (theirs & (cv2.dilate(ours.view(np.uint8), disk) > 0)).sum() / theirs.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _slope(alpha: Alpha, normalise: bool) -> Alpha:
    if normalise:
        spread = alpha.max() - alpha.min()
        alpha = (alpha - alpha.min()) / spread if spread else np.zeros_like(alpha)
    across = _gauss_derivative()
    x = cv2.filter2D(alpha, -1, across, borderType=cv2.BORDER_REPLICATE)
    y = cv2.filter2D(alpha, -1, across.T, borderType=cv2.BORDER_REPLICATE)
    return np.hypot(x, y)


def _gauss_derivative() -> NDArray[np.float64]:
    half = int(np.ceil(SIGMA * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * SIGMA * 0.01))))
    at = np.arange(-half, half + 1)
    bell = np.exp(-(at**2) / (2 * SIGMA**2)) / (SIGMA * np.sqrt(2 * np.pi))
    kernel = bell[:, None] * (-at * bell / SIGMA**2)[None, :]
    return kernel / np.sqrt((kernel**2).sum())


def _largest(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax() if count > 1 else np.zeros_like(mask)


def _attached(alpha: Alpha, connected: Alpha) -> Alpha:
    beyond = alpha - connected
    return 1 - beyond * (beyond >= LEAST)


def _outline(mask: Mask) -> Mask:
    grown = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return (mask != grown[1:, :-1]) | (mask != grown[:-1, 1:]) | (mask != grown[1:, 1:])
