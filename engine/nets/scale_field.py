"""Nets room: a correction of log depth for every moving thing in every frame; torch alone."""

from __future__ import annotations

import torch
from torch import nn

Tensor = torch.Tensor


class ScaleField(nn.Module):
    """One number for each thing and frame: what motion can tell. Finer, the fit follows the noise of the flow."""

    def __init__(self, frames: int, things: int) -> None:
        super().__init__()
        self.levels = nn.Parameter(torch.zeros(things, frames))

    def forward(self, frame: Tensor, thing: Tensor) -> Tensor:
        """Corrections [N] of things [N] in frames [N]."""
        return self.levels[thing, frame]

    def roughness(self) -> Tensor:
        """Mean squared change of the correction's slope from frame to frame."""
        return self.levels.diff(n=2, dim=1).square().mean() if self.levels.shape[1] > 2 else self.levels.sum() * 0
