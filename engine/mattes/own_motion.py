"""The mattes room, own motion as a mark of a drawn subject: how it moves against its surroundings, learned as its colours are.

Where the scenery moves as well (water, crowds, a solve that follows the subject), own motion says nothing and is not asked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # [H, W]

STEPS = 16  # levels of motion that are told apart
USUAL = 8  # the level that the subject itself reaches
LEAST = 0.5  # noises: below, nothing moves
CALM = (0.26, 0.36)  # mean evidence far from the subject between which scenery is suspected to move
RESTLESS = 9.0
FURTHEST = 2.0  # log odds at most
NEAR = 8  # the surroundings reach a part of the picture's width this fine
FAR = 0.35  # part of the picture that must be far from the subject to judge scenery by


class OwnMotion:
    """`evidence(frame)` [H, W] is own motion in units of the flow's noise, 0..5; `belief(frame)` what was found there."""

    def __init__(self, evidence: Callable[[int], Picture], belief: Callable[[int], Picture]) -> None:
        self.evidence, self._belief = evidence, belief
        self._learned = lru_cache(64)(self._learn)
        self._scenery = lru_cache(16)(self._far)

    def calm(self, frame: int, run: list[int]) -> float:
        """How far own motion tells the subject from scenery in this frame, 0..1; `run` holds the frames before it, the key first."""
        before = [(frame, run[-1]), *zip(run[:0:-1], run[-2::-1])][:5]
        felt = [self._scenery(here, where) for here, where in before]
        low, high = CALM
        return float(np.clip((high - max(felt[0], float(np.median(felt)))) / (high - low), 0, 1))

    def odds(self, frame: int, run: list[int], carried: Picture) -> Picture | float:
        """Log odds [H, W] by how strongly each pixel moves, from the key and the frames since."""
        learned = [(8.0, self._learned(run[0])), *((0.5, self._learned(other)) for other in run[-8:])]
        known = [(share, told) for share, told in learned if told]
        usual = [told[2] for _, told in known[-7:]]
        if not usual:
            return 0.0
        front, back = (sum(share * told[side] for share, told in known) for side in (0, 1))
        front, back = (cv2.GaussianBlur((h / h.sum()).reshape(1, -1).astype(np.float32), (0, 0), 1)[0] + 0.01 for h in (front, back))
        odds = np.maximum.accumulate(np.clip(np.log(front / back), -FURTHEST, FURTHEST))  # more motion is never less likely to be it
        evidence, inside = self.evidence(frame), carried > 0.5
        now = float(np.percentile(evidence[inside], 70)) if np.count_nonzero(inside) > 20 else 0.0
        return odds[_levels(evidence, max(LEAST, now, 0.5 * float(np.median(usual))))]

    def _learn(self, frame: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float] | None:
        """How often each level is seen on the subject and around it, and what the subject itself reaches."""
        belief, evidence = self._belief(frame), self.evidence(frame)
        inside = belief > 0.5
        if np.count_nonzero(inside) <= 20:
            return None
        usual = max(LEAST, float(np.percentile(evidence[inside], 70)))
        near = cv2.GaussianBlur(belief, (0, 0), belief.shape[1] / 27)
        levels = _levels(evidence, usual).ravel()
        front, back = (np.bincount(levels, part.ravel(), STEPS) for part in (belief, (1 - belief) * (0.1 + near)))
        return front / max(front.sum(), 1e-6), back / max(back.sum(), 1e-6), usual

    def _far(self, frame: int, where: int) -> float:
        return scenery(self.evidence(frame), self._belief(where) > 0.3)


def scenery(evidence: Picture, subject: NDArray[np.bool_]) -> float:
    """Mean evidence of own motion [H, W] far from the subject [H, W]; RESTLESS where too little of the picture is far."""
    near = np.ones((subject.shape[1] // NEAR | 1,) * 2, np.uint8)
    far = cv2.dilate(subject.astype(np.uint8), near) == 0
    return float(evidence[far].mean()) if far.mean() > FAR else RESTLESS


def _levels(evidence: Picture, usual: float) -> NDArray[np.int64]:
    return np.clip(evidence * (USUAL / usual), 0, STEPS - 1).astype(np.int64)
