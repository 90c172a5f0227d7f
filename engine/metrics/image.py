"""The metrics room, pictures: how far an image is from its truth; numpy and OpenCV, no torch, no stage.

All take pictures [H, W, 3] or [H, W] of one range (`peak` 255 for 8 bit, 65535 for 16 bit, 1 for floats).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.generic]


def psnr(image: Image, truth: Image, peak: float = 255.0) -> float:
    """Peak signal to noise ratio in dB over all pixels and channels; 100 where both are equal."""
    error = np.mean((image.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return float(10 * np.log10(peak**2 / error)) if error > peak**2 * 1e-10 else 100.0


def ssim(image: Image, truth: Image, peak: float = 255.0) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window 11 x 11, sigma 1.5, mean over valid pixels and channels."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2

    def mean(x: Image) -> Image:
        return cv2.GaussianBlur(x, (11, 11), 1.5)[5:-5, 5:-5]

    x, y = image.astype(np.float64), truth.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))


def interpolation_error(image: Image, truth: Image, peak: float = 255.0) -> float:
    """Root mean square of the colour difference's length, in 8-bit steps (Middlebury's IE, Baker et al. 2011, section 4.1)."""
    difference = (image.astype(np.float64) - truth.astype(np.float64)) * (255.0 / peak)
    squared = difference**2 if difference.ndim == 2 else np.sum(difference**2, axis=-1)
    return float(np.sqrt(np.mean(squared)))
