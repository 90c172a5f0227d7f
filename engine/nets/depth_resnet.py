"""Nets room: the depth network of "Unsupervised Monocular Depth Learning in Dynamic Scenes" (Li et al. 2020); torch alone.

ResNet-18 with randomised layer normalisation, a decoder with skips, softplus depth. Module names are those of the published
variables, see `same.published`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .same import Convolution, Doubling, same

Tensor = torch.Tensor
STRIDE = 32  # height and width must be multiples of it
ENCODER = (64, 64, 128, 256, 512)
DECODER = (16, 32, 64, 128, 256)


def fitting(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(W, H) scaled so that the longer side is near `longest`, both multiples of STRIDE."""
    width, height = (max(STRIDE, STRIDE * round(side * longest / max(size) / STRIDE)) for side in size)
    return width, height


class LayerNorm(nn.Module):
    """Normalises each picture and channel over space; in training by moments that are off by chance, `noise` being the deviation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.noise = 0.0

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
        if self.training and self.noise > 0:
            mean, variance = (part * (1 + _truncated(part, self.noise)) for part in (mean, variance))
        return (x - mean) * (variance + 1e-3).rsqrt() * self.gamma[:, None, None] + self.beta[:, None, None]


def _truncated(like: Tensor, deviation: float) -> Tensor:
    """Normal noise, never beyond two deviations."""
    return nn.init.trunc_normal_(torch.empty_like(like), 0.0, deviation, -2 * deviation, 2 * deviation)


class _Convolution(Convolution):
    """Without bias, started as ResNet-18 was published: the deviation counts the outgoing weights."""

    def __init__(self, inward: int, outward: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inward, outward, kernel, stride, bias=False)
        nn.init.normal_(self.weight, 0, (2 / (kernel * kernel * outward)) ** 0.5)


class _Stem(nn.Module):
    def __init__(self, outward: int) -> None:
        super().__init__()
        self.conv, self.bn = _Convolution(3, outward, 7, 2), LayerNorm(outward)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Block(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        stride = 1 if inward == outward else 2
        if stride > 1:
            self.shortcut = _Convolution(inward, outward, 1, stride)
        self.conv_1, self.bn_1 = _Convolution(inward, outward, 3, stride), LayerNorm(outward)
        self.conv_2, self.bn_2 = _Convolution(outward, outward, 3), LayerNorm(outward)

    def forward(self, x: Tensor) -> Tensor:
        aside = self.shortcut(x) if hasattr(self, "shortcut") else x
        return F.relu(self.bn_2(self.conv_2(F.relu(self.bn_1(self.conv_1(x))))) + aside)


class DepthNet(nn.Module):
    """RGB [B, 3, H, W] in 0..1 -> depth [B, 1, H, W] > 0 in a unit of its own. `width` thins every layer."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        encoder = [max(4, round(width * count)) for count in ENCODER]
        decoder = [max(4, round(width * count)) for count in DECODER]
        self.conv1 = _Stem(encoder[0])
        for level, (inward, outward) in enumerate(zip(encoder, encoder[1:]), 2):
            self.add_module(f"conv{level}_1", _Block(inward, outward))
            self.add_module(f"conv{level}_2", _Block(outward, outward))
        below = encoder[4]
        for level in range(5, 0, -1):
            outward = decoder[level - 1]
            aside = encoder[level - 2] if level > 1 else 0
            self.add_module(f"upconv{level}", Doubling(below, outward))
            self.add_module(f"iconv{level}", Convolution(outward + aside, outward, 3))
            below = outward
        self.disp1 = Convolution(below, 1, 3)

    def forward(self, rgb: Tensor) -> Tensor:
        x = self.conv1(2 * rgb - 1)
        skips = [x]
        x = F.max_pool2d(same(x, 3, 2, -torch.inf), 3, 2)
        for level in range(2, 6):
            x = getattr(self, f"conv{level}_2")(getattr(self, f"conv{level}_1")(x))
            skips.append(x)
        x = skips.pop()
        for level in range(5, 0, -1):
            x = F.relu(getattr(self, f"upconv{level}")(x))
            if skips:
                x = torch.cat([x, skips.pop()], 1)
            x = F.relu(getattr(self, f"iconv{level}")(x))
        return F.softplus(self.disp1(x))

    def disturb(self, noise: float) -> None:
        """Set the deviation of the normalisation's moments in training."""
        for part in self.modules():
            if isinstance(part, LayerNorm):
                part.noise = noise
