"""The nets room, the recurrent decoder of Robust Video Matting (Lin et al. 2021, section 3.2); no stage, no files.

Time is an axis of every tensor: [B, T, C, H, W]. What a block remembers goes into forward and comes out of it again.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = Tensor | None  # [B, C, H, W]; None before the first frame


def each_frame(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer for pictures [N, C, H, W] applied to [B, T, C, H, W]."""
    return layer(pictures(x)).unflatten(0, x.shape[:2])


def pictures(x: Tensor) -> Tensor:
    """[B, T, C, H, W] as [B T, C, H, W]. What has its channels last in memory is seen to: axes of length 1 may hide it from torch's layers."""
    flat = x.flatten(0, 1)
    lasts = flat.permute(0, 2, 3, 1)
    return lasts.reshape(-1).view(lasts.shape).permute(0, 3, 1, 2) if lasts.is_contiguous() and not flat.is_contiguous() else flat


class ConvGRU(nn.Module):
    """Gated recurrent unit of 3x3 convolutions; [B, T, C, H, W] and its state in, the same and the last state out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.ih = nn.Sequential(nn.Conv2d(channels * 2, channels * 2, 3, padding=1), nn.Sigmoid())
        self.hh = nn.Sequential(nn.Conv2d(channels * 2, channels, 3, padding=1), nn.Tanh())

    def step(self, x: Tensor, h: Tensor) -> Tensor:
        """The state after one frame x [B, C, H, W]."""
        r, z = self.ih(joined(x, h)).chunk(2, 1)
        fresh = self.hh(joined(x, r * h))
        return (1 - z) * h + z * fresh

    def forward(self, x: Tensor, h: State) -> tuple[Tensor, Tensor]:
        h = torch.zeros_like(x[:, 0]) if h is None else h
        seen = []
        for frame in x.unbind(1):
            h = self.step(frame, h)
            seen.append(h)
        return _in_time(seen), h


def beside(*parts: Tensor) -> Tensor:
    """[B, T, C, H, W] put together along C."""
    return joined(*map(pictures, parts)).unflatten(0, parts[0].shape[:2])


def joined(*parts: Tensor) -> Tensor:
    """[N, C, H, W] put together along C, in memory as the first of them lies there: mixed layouts cost more than the convolution after them."""
    if parts[0].stride(1) == 1:
        return torch.cat([part.permute(0, 2, 3, 1) for part in parts], -1).permute(0, 3, 1, 2)
    return torch.cat(parts, 1)


def _in_time(frames: list[Tensor]) -> Tensor:
    """Frames [B, C, H, W] as [B, T, C, H, W], in memory as they lie there."""
    if frames[0].stride(1) == 1:
        return torch.stack([frame.permute(0, 2, 3, 1) for frame in frames], 1).permute(0, 1, 4, 2, 3)
    return torch.stack(frames, 1)


def _remember(gru: ConvGRU, x: Tensor, h: State) -> tuple[Tensor, Tensor]:
    """Half of the channels pass by, half go through the recurrent unit."""
    by, through = x.chunk(2, 2)
    through, h = gru(through, h)
    return beside(by, through), h


class _Bottleneck(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru = ConvGRU(channels // 2)

    def forward(self, x: Tensor, h: State) -> tuple[Tensor, Tensor]:
        return _remember(self.gru, x, h)


class _Upsampling(nn.Module):
    def __init__(self, inside: int, skip: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(inside + skip + 3, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(True))
        self.gru = ConvGRU(outside // 2)

    def forward(self, x: Tensor, f: Tensor, s: Tensor, h: State) -> tuple[Tensor, Tensor]:
        return _remember(self.gru, each_frame(self.conv, beside(double(x, s), f, s)), h)


class _Output(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(inside + 3, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(True),
            nn.Conv2d(outside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(True),
        )

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        return each_frame(self.conv, beside(double(x, s), s))


def double(x: Tensor, like: Tensor) -> Tensor:
    """x [B, T, C, h, w] at twice the size, cropped to the size of `like`."""
    x = F.interpolate(pictures(x), scale_factor=2, mode="bilinear", align_corners=False).unflatten(0, x.shape[:2])
    return x[..., : like.shape[-2], : like.shape[-1]]


def halves(x: Tensor, count: int) -> list[Tensor]:
    """x [B, T, C, H, W] averaged down to 1/2, 1/4, …; odd sizes are rounded up."""
    sizes = []
    flat = pictures(x)
    for _ in range(count):
        flat = F.avg_pool2d(flat, 2, 2, count_include_pad=False, ceil_mode=True)
        sizes.append(flat.unflatten(0, x.shape[:2]))
    return sizes


class RecurrentDecoder(nn.Module):
    """Pyramid and picture in, hidden features [B, T, 16, H, W] and the four states r1 (1/2) … r4 (1/16) out."""

    def __init__(self, features: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        self.decode4 = _Bottleneck(features[3])
        self.decode3 = _Upsampling(features[3], features[2], widths[0])
        self.decode2 = _Upsampling(widths[0], features[1], widths[1])
        self.decode1 = _Upsampling(widths[1], features[0], widths[2])
        self.decode0 = _Output(widths[2], widths[3])

    def forward(self, s0: Tensor, f: list[Tensor], r: tuple[State, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        s1, s2, s3 = halves(s0, 3)
        x4, r4 = self.decode4(f[3], r[3])
        x3, r3 = self.decode3(x4, f[2], s3, r[2])
        x2, r2 = self.decode2(x3, f[1], s2, r[1])
        x1, r1 = self.decode1(x2, f[0], s1, r[0])
        return self.decode0(x1, s0), (r1, r2, r3, r4)
