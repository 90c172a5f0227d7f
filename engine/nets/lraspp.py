"""The nets room, Lite R-ASPP (Howard et al. 2019, section 6.4): features gated by what the whole picture says; no stage, no files."""

from __future__ import annotations

from torch import Tensor, nn


class LRASPP(nn.Module):
    """[N, inside, h, w] -> [N, outside, h, w]."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.aspp1 = nn.Sequential(nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(True))
        self.aspp2 = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(inside, outside, 1, bias=False), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.aspp1(x) * self.aspp2(x)
