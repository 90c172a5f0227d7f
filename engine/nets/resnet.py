"""The nets room, ResNet-50 (He et al. 2015, table 1) as a feature pyramid of strides 2, 4, 8, 16; no stage, no files.

Keys are those of the usual classifier. The last stage is dilated instead of strided. It takes RGB 0..1 as it is, not normalised.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (64, 256, 512, 2048)


class _Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around a shortcut."""

    def __init__(self, inside: int, middle: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        outside = 4 * middle
        self.conv1 = nn.Conv2d(inside, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        if inside != outside or stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


def _layer(inside: int, middle: int, count: int, stride: int = 1, first: int = 1, rest: int = 1) -> nn.Sequential:
    more = (_Bottleneck(4 * middle, middle, dilation=rest) for _ in range(count - 1))
    return nn.Sequential(_Bottleneck(inside, middle, stride, first), *more)


class ResNet50(nn.Module):
    """[N, 3, H, W] RGB 0..1 -> f1 [N, 64, H/2, W/2], f2 [N, 256, H/4, ..], f3 [N, 512, H/8, ..], f4 [N, 2048, H/16, ..]; sizes rounded up."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _layer(64, 64, 3)
        self.layer2 = _layer(256, 128, 4, stride=2)
        self.layer3 = _layer(512, 256, 6, stride=2)
        # The block that would have halved the size keeps its own dilation at 1; those after it see twice as far.
        self.layer4 = _layer(1024, 512, 3, rest=2)

    def forward(self, x: Tensor) -> list[Tensor]:
        f1 = F.relu(self.bn1(self.conv1(x)))
        f2 = self.layer1(F.max_pool2d(f1, 3, 2, 1))
        f3 = self.layer2(f2)
        return [f1, f2, f3, self.layer4(self.layer3(f3))]
