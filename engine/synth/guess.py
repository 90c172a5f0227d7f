"""Synth room: what a depth network might guess of a made shot: near the truth, but bent, blurred, and at a scale of its own; OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def guessed(truth: NDArray[np.floating], frame: int, nodes: NDArray[np.float32], blur: float, random: np.random.Generator) -> NDArray[np.floating]:
    """Nearness [H, W] in units of its own, of a true depth [H, W] in metres: bent smoothly over picture and time by `nodes` [2, 4, 5]
    of two fields of its logarithm, blurred by `blur` px, with a scale and an offset of each frame."""
    rho = (1 / np.clip(truth, 0.05, 80)).astype(np.float32)
    field = cv2.resize(nodes[0] * np.cos(frame / 24) + nodes[1] * np.sin(frame / 24), rho.shape[::-1], interpolation=cv2.INTER_CUBIC)
    bent = cv2.GaussianBlur(rho * np.exp(field), (0, 0), blur)
    return np.maximum(37 * np.exp(random.normal(0, 0.06)) * bent + 2 + 0.2 * random.normal(), 0)
