"""Camera room: how much each pixel moves by itself, from optical flow over several gaps; no torch, no pycolmap."""

from __future__ import annotations

from typing import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..media.flow import Flow, grid
from . import epipolar

Picture = NDArray[np.float32]  # [H, W]
CAP = 5.0  # evidence of one pair counts no more than this
DOUBT = 0.2  # weight of the belief that nothing moves
FLAT = 0.012  # gradient of a grey picture (0..1 per px) at which flow is believed half
STRIDE = 2  # evidence is gathered on every second pixel, then carried to all along the picture's edges


def gather(flow: Flow, frame: int, grey: Picture) -> tuple[Picture, Picture]:
    """Mean residual in units of flow noise and how much of it was seen [h, w], over all flows that leave `frame`.

    `grey` [H, W] 0..1 is the frame at the size of the flow.
    """
    detail = texture(grey)[::STRIDE, ::STRIDE]
    fields = (flow.get(frame, frame + way * gap) for way in (1, -1) for gap in flow.gaps)
    pairs = [pair for pair in (_Pair(*field, detail) for field in fields if field) if pair.motion is not None]
    if not pairs:
        return np.zeros_like(detail), np.zeros_like(detail)
    # Parallax grows with the gap; where one pair shows it clearly, the others have it too.
    parallax = max(pair.motion.parallax for pair in pairs)
    seen = np.sum([pair.weight for pair in pairs], axis=0)
    total = np.sum([pair.evidence(parallax) * pair.weight for pair in pairs], axis=0)
    return total / np.maximum(seen, 1e-3), seen


class _Pair:
    """One flow field, thinned, and the motion of the still scene in it."""

    def __init__(self, flow: NDArray[np.float32], valid: NDArray[np.bool_], detail: Picture) -> None:
        # Where most of the picture could not be followed, what could be is doubtful too.
        followed = float((valid[::STRIDE, ::STRIDE] * detail).sum() / max(float(detail.sum()), 1e-6))
        self.flow, self.weight = flow[::STRIDE, ::STRIDE], valid[::STRIDE, ::STRIDE] * detail * np.float32(min(1.0, 2 * followed) ** 2)
        y, x = np.mgrid[: self.flow.shape[0], : self.flow.shape[1]].astype(np.float32) * STRIDE + np.float32(0.5)
        self.a = np.stack([x, y], -1)
        self.b = self.a + self.flow
        sparse = (slice(2, None, 3), slice(2, None, 3))
        sure = (valid[::STRIDE, ::STRIDE] * detail)[sparse] > 0.5
        self.motion = epipolar.fit(self.a[sparse][sure].astype(np.float64), self.b[sparse][sure].astype(np.float64))

    def evidence(self, parallax: float) -> Picture:
        noise = 0.5 + 0.02 * epipolar.length(self.flow)
        return np.minimum(self.motion.residual(self.a, self.b, parallax) / noise, CAP).astype(np.float32)


def texture(grey: Picture, half: float = FLAT) -> Picture:
    """How well flow can be believed [H, W], 0..1, half at a gradient of `half`: flat places borrow their flow from their neighbours."""
    return believed(energy(grey), half)


def energy(grey: Picture) -> Picture:
    """Mean square [H, W] of the gradients about each place."""
    across, down = cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=1 / 32), cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=1 / 32)
    return cv2.boxFilter(across * across + down * down, -1, (9, 9))


def believed(energy: Picture, half: float = FLAT) -> Picture:
    """`texture` of what `energy` has told."""
    return energy / (energy + np.float32(half**2))


def spread(evidence: Picture, weight: Picture, guide: Picture, radius: int, smooth: float) -> Picture:
    """Weighted guided filter (He 2010, with weights): evidence flows to where it is missing, up to the guide's edges."""

    def mean(values: Picture) -> Picture:
        return cv2.boxFilter(values, -1, (2 * radius + 1, 2 * radius + 1))

    total = mean(weight) + np.float32(1e-6)
    guide_mean, value_mean = mean(guide * weight) / total, mean(evidence * weight) / total
    slope = (mean(guide * evidence * weight) / total - guide_mean * value_mean) / (
        mean(guide * guide * weight) / total - guide_mean**2 + np.float32(smooth)
    )
    offset = value_mean - slope * guide_mean
    return mean(slope * weight) / total * guide + mean(offset * weight) / total


def complete(evidence: Picture, seen: Picture, grey: Picture) -> Picture:
    """Evidence [h, w] at the size of the picture `grey` [H, W] (0..1), filled and sharpened along its edges.

    Where nothing was seen far and wide, nothing moves.
    """
    height, width = grey.shape
    small = cv2.resize(grey, (evidence.shape[1], evidence.shape[0]), interpolation=cv2.INTER_AREA)
    weight = np.minimum(seen, 4)
    filled = evidence
    for radius in (24, 6):
        around = cv2.boxFilter(weight, -1, (2 * radius + 1, 2 * radius + 1))
        wide = spread(filled, weight + np.float32(1e-3), small, radius, 4e-3) * (around / (around + DOUBT))
        filled = (weight * evidence + wide) / (weight + 1)
    large = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(spread(large, np.ones_like(large), grey, 4, 1e-3), 0, CAP)


def warp(values: Picture, flow: NDArray[np.float32]) -> Picture:
    """Values of another frame [H, W] fetched along the flow to it [H, W, 2]."""
    return cv2.remap(values, grid(values.shape[1::-1]) + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def heard(own: Picture, told: Iterable[tuple[Picture, NDArray[np.float32], Picture]]) -> Picture:
    """A frame's values [H, W] averaged with those of other frames, each (values, flow to it [H, W, 2], weight [H, W]); its own weigh 1."""
    total, weight = own.copy(), np.ones_like(own)
    for theirs, flow, trust in told:
        total += trust * warp(theirs, flow)
        weight += trust
    return total / weight
