"""Dense room: depth edges made sharp — near an edge flow blends two surfaces, and the pictures tell which one each pixel shows.

Each pixel near a jump of inverse depth tries its own, the nearest and the farthest value about it, and keeps the one under
which the neighbouring pictures show the same colour (a plane sweep with three planes). Torch, no stage.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .agreement import View, pixels, sample

Tensor = torch.Tensor
REACH = 0.014  # of the picture's width: how far flow carries one surface's motion over another
JUMP = 1.06  # ratio of inverse depths about a pixel from which it is taken for an edge
BEND = 0.01  # relative distance of inverse depth from the mean about it, from which there is more than one surface
PATCH = 5  # px over which colours are compared
WINDOW = 0.003  # of the picture's width: half the window over which costs are averaged, up to the picture's edges
SHADE = 0.03  # step of grey that counts as an edge there
ALIKE = 0.03  # relative difference up to which two depths are the same surface
LEAST = 0.0015  # difference of colour below which the pictures do not tell


@dataclass(frozen=True)
class Witness:
    """A neighbour's picture [3, H, W], its lens, and the pose witness <- frame [4, 4]."""

    picture: Tensor
    view: View
    relative: Tensor


def sharpen(
    rho: Tensor, weight: Tensor, steep: Tensor, reliable: Tensor, rays: Tensor, picture: Tensor, witnesses: list[Witness],
) -> tuple[Tensor, Tensor]:
    """Inverse depth and its weight [H, W], settled about `steep` pixels; `reliable` [H, W] marks values that may stand for a surface."""
    reach = max(2, round(REACH * rho.shape[1]))
    near, far = nearest_and_farthest(rho, reliable, reach)
    # On a plane, however slanted, the mean of a square is its middle.
    bent = (rho - _box(rho[None], reach)[0]).abs() > BEND * rho
    edge = (near > JUMP * far) & (_greatest((steep | bent).float(), reach) > 0)
    if not witnesses or not bool(edge.any()):
        return rho, weight
    tried = torch.stack([rho, near, far])
    raw = better_half([difference(picture, still_points(each, rays, tried)) for each in witnesses])
    costs = guided(raw, picture.mean(0), max(2, round(WINDOW * rho.shape[1])))
    best, index = costs.min(0, keepdim=True)
    chosen = tried.gather(0, index)[0]
    # The choice counts for as much as the pictures tell it from another depth, and for what its surface is worth.
    other = torch.where((tried / chosen - 1).abs() > ALIKE, costs, torch.full_like(costs, torch.inf)).amin(0)
    told = ((other - best[0]) / LEAST).clamp(0, 1)
    settled = torch.where(edge, chosen, rho)
    level = weight[reliable].median() if bool(reliable.any()) else weight.median()
    return settled, torch.where(edge, told**2 * torch.where(chosen == rho, torch.minimum(weight, level), 0.5 * level), weight)


def guided(costs: Tensor, grey: Tensor, reach: int) -> Tensor:
    """Costs [K, H, W] averaged over what looks alike (Hosni et al. 2013): each a locally linear function of `grey` [H, W], 0..1."""
    mean = _box(grey[None], reach)
    spread = _box(grey[None] ** 2, reach) - mean**2
    level = _box(costs, reach)
    slope = (_box(costs * grey, reach) - level * mean) / (spread.clamp(min=0) + SHADE**2)
    return _box(slope, reach) * grey + _box(level - slope * mean, reach)


def _box(values: Tensor, reach: int) -> Tensor:
    """Mean over squares of [K, H, W], one axis after the other."""
    rows = F.avg_pool2d(values[None], (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)[0]


def nearest_and_farthest(rho: Tensor, reliable: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The greatest and the least reliable inverse depth within `reach` px of each pixel; its own where there is none."""
    nothing = torch.full_like(rho, -torch.inf)
    near = _greatest(torch.where(reliable, rho, nothing), reach)
    far = -_greatest(torch.where(reliable, -rho, nothing), reach)
    return torch.where(near.isfinite(), near, rho), torch.where(far.isfinite(), far, rho)


def _greatest(values: Tensor, reach: int) -> Tensor:
    """The greatest of [H, W] within a square of `reach` px to each side, one axis after the other."""
    return _along(_along(values, reach).T, reach).T


def _along(values: Tensor, reach: int) -> Tensor:
    """The greatest of [H, W] within `reach` rows: spans that double from step to step, where a pooling looks at every row of its window."""
    width, span = 2 * reach + 1, 1
    best = F.pad(values, (0, 0, reach, reach), value=-torch.inf)
    while span < width:
        step = min(span, width - span)
        best, span = torch.maximum(best[:-step], best[step:]), span + step
    return best


def still_points(witness: Witness, rays: Tensor, rho: Tensor) -> Tensor:
    """What the witness shows of still points at inverse depths rho [K, H, W]: [K, 3, H, W]."""
    count, height, width = rho.shape
    points = rays @ witness.relative[:3, :3].T + rho[..., None] * witness.relative[:3, 3]
    seen = sample(witness.picture, pixels(points.reshape(count * height, width, 3), witness.view))
    return seen.reshape(3, count, height, width).transpose(0, 1)


def difference(picture: Tensor, seen: Tensor) -> Tensor:
    """Difference of colour [K, H, W] of what was seen [K, 3, H, W], pixel by pixel."""
    return (seen - picture).abs().mean(-3).clamp(max=0.2)


def apart(picture: Tensor, seen: Tensor) -> Tensor:
    """The same over a patch."""
    return F.avg_pool2d(difference(picture, seen)[None], PATCH, 1, PATCH // 2, count_include_pad=False)[0]


def better_half(differences: list[Tensor]) -> Tensor:
    """Mean over those of N that differ least: the others may not see the point."""
    left, total, count = list(differences), 0.0, (len(differences) + 1) // 2
    for _ in range(count):  # a sort over so few takes longer
        for k in range(len(left) - 1, 0, -1):
            left[k - 1], left[k] = torch.minimum(left[k - 1], left[k]), torch.maximum(left[k - 1], left[k])
        total = total + left.pop(0)
    return total / count
