"""The mattes room, one subject's layer: soft alpha, steady over time, and foreground colour, at the size of the frames; never imports torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..geometry.blobs import Box, framed
from ..media.flow import Flow
from ..media.frames import Frames, read_png
from . import edge, foreground, thin
from .keys import read_key

Alpha = NDArray[np.float32]  # [H, W] 0..1
Mask = NDArray[np.bool_]
Within = Callable[[NDArray[np.float32], Mask, Mask, Alpha, float], Alpha]  # picture, surely inside, anything of it, guess, half width -> alpha

LIKE = 0.06  # difference of colour (0..1) at which a neighbouring frame's word counts 0.6
NEIGHBOUR = 0.7  # weight of a neighbouring frame at most
MIDDLE = 0.6  # of the half width of a thin part: what is as far from its edges is surely inside


class Layer:
    """What stands in `labels` (PNG of ids at the flow's size) for any of `ids`, as a matte with an edge of `width` working px.

    On the frames of `given` it is the artist's own alpha (a picture's path), as it is.
    """

    def __init__(
        self, frames: Frames, flow: Flow, labels: Path, ids: set[int], width: float, within: Within = edge.within, given: dict[int, Path] | None = None,
    ) -> None:
        self.frames, self.flow, self.labels, self.ids, self._within, self.given = frames, flow, labels, sorted(ids), within, given or {}
        self.width = width * frames.size[0] / flow.size[0]
        self._raw = lru_cache(4)(self._soften)
        self._picture = lru_cache(4)(self._read)

    def alpha(self, frame: int, neighbours: list[int]) -> Alpha:
        """The matte of a frame, averaged with those of its neighbours along flow where the colours agree."""
        alpha, box = self._raw(frame)
        if box is None or not neighbours or frame in self.given:
            return alpha
        picture = self._picture(frame)[box]
        total, weight = alpha[box].copy(), np.ones(alpha[box].shape, np.float32)
        for other in neighbours:
            field = self.flow.get(frame, other)
            if field is None:
                continue
            there, trust = self._way(field, box)
            theirs = _at(np.dstack([self._picture(other), self._raw(other)[0]]), there)
            apart = np.square(theirs[..., :3] - picture).sum(-1)
            vote = trust * NEIGHBOUR * np.exp(apart * np.float32(-0.5 / LIKE**2))
            total += vote * theirs[..., 3]
            weight += vote
        steady = alpha.copy()
        steady[box] = total / weight
        return steady

    def colour(self, frame: int, alpha: Alpha) -> NDArray[np.generic]:
        """Straight foreground colour [H, W, 3], at the frame's bits; black where nothing of the subject is near."""
        peak = 65535 if self.frames.bits > 8 else 255
        out = np.zeros((*alpha.shape, 3), np.uint16 if peak > 255 else np.uint8)
        box = framed(alpha > 0, 2 * round(self.width) + 8)
        if box is not None:
            out[box] = np.round(foreground.unmix(self._picture(frame)[box], alpha[box]) * peak)
        return out

    def _read(self, frame: int) -> NDArray[np.float32]:
        picture = self.frames.rgb(frame)
        return picture.astype(np.float32) * np.float32(1 / (65535 if picture.dtype == np.uint16 else 255))

    def made_of(self, frame: int) -> bytes:
        """What the matte of one frame by itself follows from, beside the picture."""
        return (self.given[frame] if frame in self.given else self.labels / f"{FRAME % frame}.png").read_bytes()

    def _soften(self, frame: int) -> tuple[Alpha, Box | None]:
        """The matte of one frame by itself, and the part of the picture outside of which it is 0."""
        if frame in self.given:
            alpha = read_key(self.frames, self.given[frame], self.frames.size)
            return alpha, framed(alpha > 0, 0)
        mask = np.isin(read_png(self.labels / f"{FRAME % frame}.png"), self.ids)
        width, height = self.frames.size
        lines = thin.parts(mask)
        soft = cv2.resize(np.maximum(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8), lines), (width, height), interpolation=cv2.INTER_LINEAR)
        alpha = np.zeros((height, width), np.float32)
        box = framed(soft > 0.02, 3 * round(self.width) + 4)
        if box is not None:
            sure, maybe = edge.band(soft[box], self.width)
            if lines.any():
                sure |= _middle(cv2.resize(lines, (width, height), interpolation=cv2.INTER_LINEAR)[box] > 0.5, self.width)
            alpha[box] = self._within(self._picture(frame)[box], sure, maybe, soft[box], self.width) if self.width else soft[box]
        return alpha, box

    def _way(self, field: Any, box: Box) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where each pixel of the box lies in the other frame, in full-size px, and how far to trust it."""
        width, height = self.frames.size
        scale = np.array([width / self.flow.size[0], height / self.flow.size[1]], np.float32)
        flow = cv2.resize(field[0], (width, height), interpolation=cv2.INTER_LINEAR)[box] * scale
        trust = cv2.resize(field[1].astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)[box]
        y, x = (np.arange(part.start, part.stop, dtype=np.float32) for part in box)
        return flow + np.stack(np.meshgrid(x, y), -1), trust


def _middle(thin: Mask, reach: float) -> Mask:
    """The middle of thin parts: no part of them is as far from their edges as a band of `reach` px is wide."""
    inside = cv2.distanceTransform(thin.astype(np.uint8), cv2.DIST_L2, 5)
    side = 2 * max(1, round(reach)) + 1
    return thin & (inside >= MIDDLE * cv2.dilate(inside, np.ones((side, side), np.uint8)))


def _at(values: NDArray[np.float32], there: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.remap(values, there[..., 0], there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
