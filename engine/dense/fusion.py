"""Dense room: a guess of depth brought to the solve's scale by what parallax has measured, and both fused by information; numpy, no stage.

Where parallax is sure the guess is fitted to it and judged by it; where parallax says nothing, and on what moves, the guess speaks, as
surely as it has proven to be nearby.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable

import cv2
import numpy as np

from ..geometry import scale_grid
from ..geometry.scale_grid import Samples
from .guess import Guess
from .layers import BELIEVED
from .shot import Array, Picture, Shot

SAMPLES = 4000  # pixels of a frame that the fit looks at
OWN, AROUND = 0.75, 3.0  # frames over which the affine map and the grid are averaged: networks change scale from frame to frame
FINEST = 0.01  # relative error that parallax is never believed to fall below, and twice that of the guess
# Neighbouring pixels of one surface were averaged: on made shots the error found is that of six pixels, not of one.
POOLED = 6.0
CLASH = 3.0  # deviations of both beyond which parallax is doubted, as at rims that the flow has blurred
EVEN = 0.5  # of the middle inverse depth: guesses of nearness err evenly in it, so that far things are known the less the farther
SHAPE, LEVEL = 0.05, 0.15  # relative errors of a moving thing's shape, and of its distance, which nothing still confirms


@dataclass(frozen=True)
class Part:
    """What the first pass of the stage depth knows of a frame, all [H, W]."""

    rho: Picture
    information: Picture  # 1 / variance of rho; 0 where not measured
    confidence: Picture
    labels: np.ndarray  # moving pieces, from 1


class Fusion:
    """The guess of a shot at the solve's scale."""

    def __init__(self, shot: Shot, guess: Guess, numbers: list[int], part: Callable[[int], Part | None], low: float, trust: float) -> None:
        self.shot, self.guess, self.low, self.trust = shot, guess, low, trust
        samples = [self._samples(number, part(number)) for number in numbers]
        together = np.array([[shot.together(a, b) for b in numbers] for a in numbers], float)
        frames = [number // shot.step for number in numbers]
        measured = [held.rho for held in samples if len(held.rho)]
        self._even = EVEN * float(np.median(np.concatenate(measured))) if measured and guess.kind == "relative" else 0.0
        samples = [replace(held, weight=held.weight / self._spread(held.rho)) for held in samples]
        own, around = (scale_grid.in_time(frames, reach) * together for reach in (OWN, AROUND))
        lines, bends = scale_grid.fit(samples, shot.size, own, around, guess.kind == "relative", low)
        self.lines, self.bends = dict(zip(numbers, lines)), dict(zip(numbers, bends))

    def _samples(self, number: int, part: Part | None) -> Samples:
        """Sure still pixels on a regular lattice."""
        if part is None:
            return Samples(np.zeros((0, 2)), *(np.zeros(0) for _ in range(3)))
        step = max(1, round(float(np.sqrt(part.rho.size / SAMPLES))))
        moving = cv2.dilate((part.labels > 0).astype(np.uint8), np.ones((2 * step + 1,) * 2, np.uint8)) > 0
        guess = self.guess.frame(number, self.shot.size)
        y, x = (side.ravel() for side in np.mgrid[step // 2 : part.rho.shape[0] : step, step // 2 : part.rho.shape[1] : step])
        kept = (part.confidence[y, x] > 0.5) & ~moving[y, x] & (guess[y, x] > 0)
        y, x = y[kept], x[kept]
        values = (plane[y, x].astype(np.float64) for plane in (guess, part.rho, part.confidence))
        return Samples(np.stack([x, y], 1).astype(np.float64), *values)

    def _spread(self, rho: Array) -> Array:
        """How much larger the guess's relative variance is at these inverse depths than in the middle."""
        return ((rho + self._even) / (rho * (1 + (EVEN if self._even else 0.0)))) ** 2

    def brought(self, number: int) -> tuple[Picture, Picture]:
        """The guess of a frame at the solve's scale: inverse depth and its relative variance [H, W]; variance is huge where it is unknown."""
        guess, held = self.guess.frame(number, self.shot.size), self.bends[number]
        scale, offset = self.lines[number]
        rho = np.maximum(scale * guess + offset, self.low) * np.exp(scale_grid.plane(held.nodes, self.shot.size))
        doubt = (scale_grid.plane(held.doubt, self.shot.size) * self._spread(rho) + (2 * FINEST) ** 2) / max(self.trust, 1e-6)
        return rho.astype(np.float32), np.where(guess > 0, doubt, 1e6).astype(np.float32)

    def frame(self, number: int, part: Part | None, stands: Array, sure: Array) -> tuple[Picture, Picture, float]:
        """Inverse depth and confidence [H, W] of both, and the guess's mean share. `stands` and `sure` are those of the moving pieces."""
        brought, doubt = self.brought(number)
        if part is None:
            return brought, believed(doubt), 1.0
        measured = 1 / np.maximum(POOLED * part.information * part.rho**2, 1e-12) + FINEST**2  # relative variance
        clash = np.log(part.rho / brought) ** 2 / (measured + doubt)
        measured = measured * (1 + clash / CLASH**2)
        share = measured / (measured + doubt)
        rho, variance = part.rho * (1 - share) + brought * share, 1 / (1 / measured + 1 / doubt)
        for k in range(len(stands)):
            self._place(part.labels == k + 1, float(stands[k]), float(sure[k]), brought, doubt, rho, variance)
        return rho.astype(np.float32), believed(variance), float(share.mean())

    def _place(self, piece: np.ndarray, stand: float, sure: float, brought: Picture, doubt: Picture, rho: Picture, variance: Picture) -> None:
        """A moving piece: its shape by the guess, its distance between the guess's and where it stands, whichever is surer."""
        if not piece.any() or stand <= 0:
            return
        level, own = float(np.median(np.log(brought[piece]))), float(np.mean(doubt[piece])) + LEVEL**2
        off = BELIEVED**2 * (1 / max(0.5 * sure, 1e-3) - 1)  # the variance that the stand's confidence stands for
        moved = (np.log(stand) - level) * own / (own + off)
        rho[piece] = brought[piece] * np.exp(moved)
        variance[piece] = own * off / (own + off) + SHAPE**2


def believed(variance: Picture) -> Picture:
    """Confidence of a relative variance, on the scale of parallax."""
    return (1 / (1 + variance / BELIEVED**2)).astype(np.float32)
