"""Nets room: a correction of log depth for every frame, the sum of grids from coarse to fine; torch alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

Tensor = torch.Tensor
STRIDES = (8, 16, 32, 64)


class ScaleField(nn.Module):
    """Grids [T, 1, h, w] of several strides, whose bilinear values add up, and one level for every moving thing over the whole shot."""

    levels: Tensor

    def __init__(self, frames: int, size: tuple[int, int], things: int, strides: tuple[int, ...] = STRIDES) -> None:
        super().__init__()
        self.register_buffer("levels", torch.zeros(things))
        self.size, self.strides = size, strides
        self.grids = nn.ParameterList(
            nn.Parameter(torch.zeros(frames, 1, -(-size[1] // stride) + 1, -(-size[0] // stride) + 1)) for stride in strides
        )

    def forward(self, frame: Tensor, place: Tensor, thing: Tensor) -> Tensor:
        """Corrections [N] at pixels [N, 2] of frames [N], which belong to things [N]."""
        parts = [_look(grid[:, 0], frame, place / stride) for grid, stride in zip(self.grids, self.strides)]
        return torch.stack(parts).sum(0) + self.levels[thing]

    def plane(self, frame: int, size: tuple[int, int] | None = None) -> Tensor:
        """The correction [H, W] by the grids of a whole frame, without levels; at the training's size or any other."""
        width, height = size or self.size
        parts = []
        for grid, stride in zip(self.grids, self.strides):
            x = ((torch.arange(width, device=grid.device) + 0.5) * self.size[0] / width - 0.5) / stride
            y = ((torch.arange(height, device=grid.device) + 0.5) * self.size[1] / height - 0.5) / stride
            last = grid.new_tensor([grid.shape[-1] - 1, grid.shape[-2] - 1])
            where = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1) / last * 2 - 1
            parts.append(F.grid_sample(grid[frame][None], where[None].float(), padding_mode="border", align_corners=True)[0, 0])
        return torch.stack(parts).sum(0)

    def roughness(self) -> Tensor:
        """Mean squared step between neighbouring nodes, summed over the grids."""
        return torch.stack([grid.diff(dim=axis).square().mean() for grid in self.grids for axis in (2, 3)]).sum()


def _look(grids: Tensor, frame: Tensor, at: Tensor) -> Tensor:
    """Bilinear values [N] of grids [T, h, w] at node coordinates [N, 2]."""
    x, y = at[:, 0].clamp(0, grids.shape[2] - 1.001), at[:, 1].clamp(0, grids.shape[1] - 1.001)
    left, top = x.long(), y.long()
    right, low = x - left, y - top
    flat, width = grids.flatten(1), grids.shape[2]
    first = frame * flat.shape[1] + top * width + left
    values = flat.flatten()
    upper = values[first] * (1 - right) + values[first + 1] * right
    lower = values[first + width] * (1 - right) + values[first + width + 1] * right
    return upper * (1 - low) + lower * low
