"""Nets room: the motion network of "Unsupervised Monocular Depth Learning in Dynamic Scenes" (Li et al. 2020); torch alone.

From two pictures with their depths: the camera's turn and way, the way of what moves by itself at every pixel, and the lens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .same import Convolution

Tensor = torch.Tensor
LAYERS = (16, 32, 64, 128, 256, 512, 1024)
LEAST_SCALE = 1e-3


@dataclass(frozen=True)
class Motion:
    """From the first to the second picture, for B pairs."""

    rotation: Tensor  # [B, 3] angles
    background: Tensor  # [B, 3, 1, 1] translation of the still scene
    residual: Tensor  # [B, 3, H, W] translation of what moves by itself, on top
    focal: Tensor  # [B, 2] px
    centre: Tensor  # [B, 2] px


class _Refine(nn.Module):
    """A field at twice the size, corrected by the features there."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = max(4, channels)
        self.Conv, self.Conv_1 = Convolution(3 + channels, wide, 3), Convolution(3 + channels, wide, 3)
        self.Conv_2, self.Conv_3 = Convolution(wide, wide, 3), Convolution(2 * wide, 3, 1, bias=False)

    def forward(self, field: Tensor, layer: Tensor) -> Tensor:
        field = F.interpolate(field, layer.shape[-2:], mode="bilinear", align_corners=True)
        x = torch.cat([field, layer], 1)
        towers = [F.relu(self.Conv(x)), F.relu(self.Conv_2(F.relu(self.Conv_1(x))))]
        return field + self.Conv_3(torch.cat(towers, 1))


class _Scales(nn.Module):
    """How large a turn and a translation of one are; learned."""

    def __init__(self) -> None:
        super().__init__()
        self.rotation, self.translation = nn.Parameter(torch.tensor(0.01)), nn.Parameter(torch.tensor(0.01))


class _Lens(nn.Module):
    """Focal length and centre from the narrowest features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.foci, self.offsets = Convolution(channels, 2, 1), Convolution(channels, 2, 1, bias=False)

    def forward(self, features: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        scale = features.new_tensor(size)
        return F.softplus(self.foci(features)).flatten(1) * scale, (self.offsets(features).flatten(1) + 0.5) * scale


class MotionNet(nn.Module):
    """Pairs [B, 8, H, W] — picture 0..1, depth, the other picture, its depth — to Motion. `width` thins every layer."""

    def __init__(self, width: float = 1.0, auto_mask: bool = True) -> None:
        super().__init__()
        self.auto_mask = auto_mask
        counts = [max(4, round(width * count)) for count in LAYERS]
        below = 8
        for level, count in enumerate(counts, 1):
            self.add_module(f"Conv{level}", Convolution(below, count, 3, 2))
            self.add_module(f"Refine{level}", _Refine(count))
            below = count
        self.RefineImages = _Refine(8)
        self.background_motion = Convolution(below, 6, 1, bias=False)
        self.unrefined_residual_translation = Convolution(6, 3, 1)
        self.Scales, self.CameraIntrinsics = _Scales(), _Lens(below)

    def forward(self, pairs: Tensor) -> Motion:
        layers = [pairs]
        for level in range(1, 8):
            layers.append(F.relu(getattr(self, f"Conv{level}")(layers[-1])))
        narrow = layers[-1].mean((2, 3), keepdim=True)
        background = self.background_motion(narrow)
        residual = self.unrefined_residual_translation(background)
        for level in range(7, 0, -1):
            residual = getattr(self, f"Refine{level}")(residual, layers[level])
        residual = self.RefineImages(residual, pairs)
        turn, way = (part.clamp(min=LEAST_SCALE) for part in (self.Scales.rotation, self.Scales.translation))
        residual = residual * way
        if self.auto_mask:  # what moves less than the mean is still
            length = (residual**2).sum(1, keepdim=True).sqrt()
            residual = residual * (length > length.mean())
        focal, centre = self.CameraIntrinsics(narrow, (pairs.shape[-1], pairs.shape[-2]))
        return Motion(background[:, :3, 0, 0] * turn, background[:, 3:] * way, residual, focal, centre)
