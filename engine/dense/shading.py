"""Dense room: still things under another light — a shadow wanders over the ground, but what shows in it is the ground's; torch and OpenCV, no stage.

Texture is compared by its correlation, which does not ask how bright a place is. Bare places, which show nothing in a shadow, tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..geometry.blobs import framed
from .agreement import sample, sample_spots
from .edges import GRID, Witness, better_half, laid_out, over_square, seen_spots

Tensor = torch.Tensor
FINE = 7  # px: what is coarser than a window of this size is light, not texture
WINDOW = 4  # px to each side, over which textures are compared
BARE = 0.015  # contrast of a texture that is half noise
ALIKE = (0.5, 0.8)  # correlation from which a place may be still, and from which it is
SLACK = 0.05  # by which the flow may be better


@dataclass(frozen=True)
class Sighted:
    """A neighbour, where the flow leads there, pixel indices [H, W, 2], and its texture [H, W]."""

    witness: Witness
    place: Tensor
    texture: Tensor


def detail(grey: np.ndarray) -> np.ndarray:
    """Texture [H, W] of a picture [H, W] 8 bit, free of light and the edges of shadows: how far its logarithm lies off the median around."""
    level = np.log(grey.astype(np.float32) + 8)
    coarse = cv2.medianBlur(np.round(level * 40).astype(np.uint8), FINE).astype(np.float32) / 40
    return cv2.GaussianBlur(level - coarse, (0, 0), 0.7)


def shaded(own: Tensor, tried: Tensor, rays: Tensor, sighted: list[Sighted], asked: Tensor) -> tuple[Tensor, Tensor]:
    """How surely [H, W], 0..1, a place shows the texture of the still point at the first of the inverse depths `tried` [K, H, W], and not
    better what the flow leads to; and the correlations [K, H, W] with all of them.

    `own` [H, W] is the frame's texture, `rays` [H, W, 3]; only pixels `asked` [H, W] are told.
    """
    sure, alike = torch.zeros_like(own), torch.zeros_like(tried)
    box = framed(asked.cpu().numpy(), WINDOW)
    if box is None or not sighted:
        return sure, alike
    grid = tuple(slice(side.start, side.stop, GRID) for side in box)
    own, tried, towards = own[grid], tried[(..., *grid)], rays[grid].flatten(0, 1)
    contrast = _contrast(own[None])
    told = []
    for each in sighted:
        shown = sample_spots(each.texture[None], seen_spots(each.witness, towards, tried.flatten(1)))[0].view_as(tried)
        seen = torch.cat([shown, sample(each.texture[None], each.place[grid])])
        told.append(1 - over_square(own * seen, WINDOW // GRID) / (contrast * _contrast(seen)).sqrt())
    correlation = laid_out(1 - better_half(told), asked[box].shape)
    best = correlation[0]
    sure[box] = ((best - ALIKE[0]) / (ALIKE[1] - ALIKE[0])).clamp(0, 1) * (best > correlation[-1] - SLACK) * asked[box]
    alike[(..., *box)] = correlation[:-1]
    return sure, alike


def _contrast(textures: Tensor) -> Tensor:
    """Mean squares of [K, H, W] over windows, and noise: correlation is 0 where a place is bare."""
    return over_square(textures.square(), WINDOW // GRID) + BARE**2
