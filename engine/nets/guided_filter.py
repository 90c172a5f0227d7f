"""The nets room, guided filters that carry a small foreground and alpha up to the full picture; no stage, no files.

Deep: Wu et al. 2018, as in Robust Video Matting. Fast: He & Sun 2015. Both take and give pictures [N, C, H, W].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIP = 32  # rows worked on at once on a CPU, so that they stay in its cache
EPS = 1e-5  # keeps the fast filter from following noise; in squared steps of 0..1


def _guide(src: Tensor) -> Tensor:
    """RGB and its mean, [N, 4, H, W]: the first three guide the foreground, the last the alpha."""
    return torch.cat([src, src.mean(1, keepdim=True)], 1)


def _apply(a: Tensor, b: Tensor, src: Tensor) -> tuple[Tensor, Tensor]:
    """The linear model a, b [N, 4, h, w] on the full picture; foreground [N, 3, H, W] and alpha [N, 1, H, W], both 0..1."""
    if torch.is_grad_enabled():
        a, b = (F.interpolate(x, src.shape[-2:], mode="bilinear", align_corners=False) for x in (a, b))
        fgr, pha = (a * _guide(src) + b).split([3, 1], 1)
        return (fgr + src).clamp(0, 1), pha.clamp(0, 1)
    height, width = src.shape[-2:]
    model = torch.cat([a, b], 1).contiguous()
    fgr, pha = torch.empty_like(src), torch.empty_like(src[:, :1])
    above, below, share = _rows(a.shape[-2], height, src)
    strip = height if src.is_cuda else STRIP
    for top in range(0, height, strip):
        part = slice(top, min(top + strip, height))
        tall = torch.lerp(model[:, :, above[part]], model[:, :, below[part]], share[part])
        wide = F.interpolate(tall, (tall.shape[2], width), mode="bilinear", align_corners=False)
        picture = src[:, :, part]
        fgr[:, :, part] = torch.addcmul(wide[:, 4:7], wide[:, :3], picture).add_(picture).clamp_(0, 1)
        pha[:, :, part] = torch.addcmul(wide[:, 7:], wide[:, 3:4], picture.mean(1, keepdim=True)).clamp_(0, 1)
    return fgr, pha


def _rows(few: int, many: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each of `many` rows the two of `few` that it lies between, and how far on the way [many, 1]; as bilinear interpolation has it."""
    at = ((torch.arange(many, device=like.device, dtype=torch.float32) + 0.5) * (few / many) - 0.5).clamp(min=0)
    above = at.long()
    return above, (above + 1).clamp(max=few - 1), (at - above)[:, None].to(like.dtype)


class DeepGuidedFilter(nn.Module):
    """The slope of the linear model comes from a small network on covariance, variance and the decoder's features."""

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.box_filter = nn.Conv2d(4, 4, 3, padding=1, bias=False, groups=4)
        nn.init.constant_(self.box_filter.weight, 1 / 9)
        self.conv = nn.Sequential(
            nn.Conv2d(4 + 4 + hidden, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(True),
            nn.Conv2d(hidden, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(True),
            nn.Conv2d(hidden, 4, 1),
        )

    def forward(self, src: Tensor, src_sm: Tensor, fgr_sm: Tensor, pha_sm: Tensor, hid: Tensor) -> tuple[Tensor, Tensor]:
        x, y = _guide(src_sm), torch.cat([fgr_sm, pha_sm], 1)
        mean_x, mean_y = self.box_filter(x), self.box_filter(y)
        cov = self.box_filter(x * y) - mean_x * mean_y
        var = self.box_filter(x * x) - mean_x * mean_x
        a = self.conv(torch.cat([cov, var, hid], 1))
        return _apply(a, mean_y - a * mean_x, src)


class FastGuidedFilter(nn.Module):
    """The slope is covariance over variance in a 3x3 window; nothing is learned."""

    def forward(self, src: Tensor, src_sm: Tensor, fgr_sm: Tensor, pha_sm: Tensor, hid: Tensor) -> tuple[Tensor, Tensor]:
        x, y = _guide(src_sm), torch.cat([fgr_sm, pha_sm], 1)
        mean_x, mean_y = _box(x), _box(y)
        a = (_box(x * y) - mean_x * mean_y) / (_box(x * x) - mean_x * mean_x + EPS)
        return _apply(a, mean_y - a * mean_x, src)


def _box(x: Tensor) -> Tensor:
    """Mean of 3x3, zeros outside: one direction after the other as published, for the slope divides by tiny variances."""
    third = x.new_full((x.shape[1], 1, 1, 3), 1 / 3)
    x = F.conv2d(x, third, padding=(0, 1), groups=x.shape[1])
    return F.conv2d(x, third.transpose(2, 3), padding=(1, 0), groups=x.shape[1])
