"""Geometry of filling: a complete, edge-aware map from a measured one with known weights; torch, nothing of the engine.

Weighted least squares (after Lischinski 2006, Farbman 2008) on a membrane that tears at colour edges:
    sum weight (x - measured)^2 + smoothness sum tear (x_p - x_q)^2,
solved from coarse to fine, each level by damped Jacobi steps that start from the level above.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

Tensor = torch.Tensor


def fill(measured: Tensor, weight: Tensor, guide: Tensor, smoothness: float, edge: float = 0.06, rounds: int = 16) -> Tensor:
    """The map [H, W] that follows `measured` [H, W] where `weight` [H, W] is high and its neighbours of like colour elsewhere.

    `guide` [C, H, W] is the picture in 0..1, and whatever else shows where a surface ends; `edge` the colour step at which the
    membrane tears; `smoothness` is in units of weight.
    """
    levels = [(weight * measured, weight, guide)]
    while min(levels[-1][1].shape) > 4:
        levels.append(tuple(_halve(part) for part in levels[-1]))
    levels = [(moment * 4**k, load * 4**k, picture) for k, (moment, load, picture) in enumerate(levels)]
    moment, load, _ = levels[-1]
    x = torch.full_like(load, float(moment.sum() / load.sum().clamp(min=1e-30)))
    for moment, load, picture in reversed(levels):
        x = F.interpolate(x[None, None], size=load.shape, mode="bilinear", align_corners=False)[0, 0]
        x = _relax(x, moment, load, _tears(picture, edge), smoothness, rounds)
    return x


def _halve(part: Tensor) -> Tensor:
    """Mean over 2x2 blocks of [..., H, W]; an odd last row or column stands for itself."""
    batch = part if part.ndim == 3 else part[None]
    small = F.avg_pool2d(batch[None], 2, ceil_mode=True, count_include_pad=False)[0]
    return small if part.ndim == 3 else small[0]


def _tears(guide: Tensor, edge: float) -> tuple[Tensor, Tensor]:
    """Conductance between vertical [H-1, W] and horizontal [H, W-1] neighbours: 1 in flat colour, near 0 across an edge."""
    down = (guide[:, 1:] - guide[:, :-1]).pow(2).sum(0)
    right = (guide[:, :, 1:] - guide[:, :, :-1]).pow(2).sum(0)
    return tuple(1 / (1 + (step / edge**2) ** 2) + 1e-4 for step in (down, right))


def _relax(x: Tensor, moment: Tensor, load: Tensor, tears: tuple[Tensor, Tensor], smoothness: float, rounds: int) -> Tensor:
    down, right = (smoothness * tear for tear in tears)
    total = load + F.pad(down, (0, 0, 0, 1)) + F.pad(down, (0, 0, 1, 0)) + F.pad(right, (0, 1)) + F.pad(right, (1, 0))
    share = 0.9 / total.clamp(min=1e-30)
    for _ in range(rounds):
        pull = moment - total * x
        pull[:-1] += down * x[1:]
        pull[1:] += down * x[:-1]
        pull[:, :-1] += right * x[:, 1:]
        pull[:, 1:] += right * x[:, :-1]
        x = x + share * pull
    return x
