"""The nets room, MobileNetV3-Large (Howard et al. 2019, table 1) as a feature pyramid of strides 2, 4, 8, 16; no stage, no files.

Keys are those of the usual classifier (`features.0` … `features.16`), so that its pretrained weights and those of matting nets fit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# inside, kernel, expanded, outside, squeeze-and-excitation, hard swish, stride, dilation: the last stage is dilated, not strided
BLOCKS = (
    (16, 3, 16, 16, False, False, 1, 1),
    (16, 3, 64, 24, False, False, 2, 1),
    (24, 3, 72, 24, False, False, 1, 1),
    (24, 5, 72, 40, True, False, 2, 1),
    (40, 5, 120, 40, True, False, 1, 1),
    (40, 5, 120, 40, True, False, 1, 1),
    (40, 3, 240, 80, False, True, 2, 1),
    (80, 3, 200, 80, False, True, 1, 1),
    (80, 3, 184, 80, False, True, 1, 1),
    (80, 3, 184, 80, False, True, 1, 1),
    (80, 3, 480, 112, True, True, 1, 1),
    (112, 3, 672, 112, True, True, 1, 1),
    (112, 5, 672, 160, True, True, 1, 2),
    (160, 5, 960, 160, True, True, 1, 2),
    (160, 5, 960, 160, True, True, 1, 2),
)
TAPS = (1, 3, 6, 16)  # features whose outputs are the pyramid
CHANNELS = (16, 24, 40, 960)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB


def _conv(inside: int, outside: int, kernel: int, act: type[nn.Module] | None, stride: int = 1, dilation: int = 1, groups: int = 1) -> nn.Sequential:
    layers = [
        nn.Conv2d(inside, outside, kernel, stride, (kernel - 1) // 2 * dilation, dilation, groups, bias=False),
        nn.BatchNorm2d(outside, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, *([act(inplace=True)] if act else []))


class _Excite(nn.Module):
    """Squeeze and excitation: each channel scaled by what the whole picture says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = _divisible(channels / 4)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))))


def _divisible(value: float) -> int:
    """The nearest multiple of 8, never less than nine tenths of the value."""
    near = max(8, int(value + 4) // 8 * 8)
    return near + 8 if near < 0.9 * value else near


class _Block(nn.Module):
    """Inverted residual: widen, filter depth-wise, excite, narrow."""

    def __init__(self, inside: int, kernel: int, wide: int, outside: int, excite: bool, swish: bool, stride: int, dilation: int) -> None:
        super().__init__()
        act = nn.Hardswish if swish else nn.ReLU
        layers: list[nn.Module] = [_conv(inside, wide, 1, act)] if wide != inside else []
        layers.append(_conv(wide, wide, kernel, act, stride, dilation, groups=wide))
        layers += [_Excite(wide)] if excite else []
        self.block = nn.Sequential(*layers, _conv(wide, outside, 1, None))
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


class MobileNetV3(nn.Module):
    """[N, 3, H, W] RGB 0..1 -> f1 [N, 16, H/2, W/2], f2 [N, 24, H/4, ..], f3 [N, 40, H/8, ..], f4 [N, 960, H/16, ..]; sizes rounded up."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(_conv(3, 16, 3, nn.Hardswish, 2), *(_Block(*row) for row in BLOCKS), _conv(160, 960, 1, nn.Hardswish))

    def forward(self, x: Tensor) -> list[Tensor]:
        mean, deviation = (torch.tensor(v, dtype=x.dtype, device=x.device)[:, None, None] for v in (MEAN, DEVIATION))
        x = (x - mean) / deviation
        pyramid = []
        for at, layer in enumerate(self.features):
            x = layer(x)
            if at in TAPS:
                pyramid.append(x)
        return pyramid
