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
JUMP = 1.12  # ratio of inverse depths about a pixel from which it is taken for an edge
PATCH = 5  # px over which colours are compared
LEAST = 0.01  # difference of colour below which the pictures do not tell


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
    edge = (near > JUMP * far) & (F.max_pool2d(steep[None].float(), reach + 1 | 1, 1, (reach + 1 | 1) // 2)[0] > 0)
    if not witnesses or not bool(edge.any()):
        return rho, weight
    tried = torch.stack([rho, near, far])
    costs = better_half([apart(picture, still_points(each, rays, tried)) for each in witnesses])
    costs[0] -= 0.3 * LEAST  # its own value needs no proof
    best, second = costs.topk(2, dim=0, largest=False).values
    chosen = tried.gather(0, costs.argmin(0, keepdim=True))[0]
    # The choice counts for as much as the pictures tell it apart, and for what its surface is worth.
    told = ((second - best) / LEAST).clamp(0, 1)
    like = ((tried / chosen - 1).abs() < 0.02).sum(0) > 1  # two of the three are the same: nothing to tell
    told = torch.where(like, torch.ones_like(told), told)
    settled = torch.where(edge, chosen, rho)
    level = weight[reliable].median() if bool(reliable.any()) else weight.median()
    return settled, torch.where(edge, told**2 * torch.where(chosen == rho, torch.minimum(weight, level), 0.5 * level), weight)


def nearest_and_farthest(rho: Tensor, reliable: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The greatest and the least reliable inverse depth within `reach` px of each pixel; its own where there is none."""
    nothing = torch.full_like(rho, -torch.inf)
    near = _greatest(torch.where(reliable, rho, nothing), reach)
    far = -_greatest(torch.where(reliable, -rho, nothing), reach)
    return torch.where(near.isfinite(), near, rho), torch.where(far.isfinite(), far, rho)


def _greatest(values: Tensor, reach: int) -> Tensor:
    """The greatest of [H, W] within a square of `reach` px to each side, one axis after the other."""
    rows = F.max_pool2d(values[None], (2 * reach + 1, 1), 1, (reach, 0))
    return F.max_pool2d(rows, (1, 2 * reach + 1), 1, (0, reach))[0]


def still_points(witness: Witness, rays: Tensor, rho: Tensor) -> Tensor:
    """What the witness shows of still points at inverse depths rho [K, H, W]: [K, 3, H, W]."""
    count, height, width = rho.shape
    points = rays @ witness.relative[:3, :3].T + rho[..., None] * witness.relative[:3, 3]
    seen = sample(witness.picture, pixels(points.reshape(count * height, width, 3), witness.view))
    return seen.reshape(3, count, height, width).transpose(0, 1)


def apart(picture: Tensor, seen: Tensor) -> Tensor:
    """Difference of colour [K, H, W] of what was seen [K, 3, H, W], over a patch."""
    difference = (seen - picture).abs().mean(-3).clamp(max=0.2)
    return F.avg_pool2d(difference[None], PATCH, 1, PATCH // 2, count_include_pad=False)[0]


def better_half(differences: list[Tensor]) -> Tensor:
    """Mean over those of N that differ least: the others may not see the point."""
    return torch.stack(differences).sort(0).values[: (len(differences) + 1) // 2].mean(0)
