"""Dense room: depth edges made sharp — near an edge flow blends two surfaces, and the pictures tell which one each pixel shows.

Each pixel near a jump of inverse depth tries its own value and the nearest and farthest ones about it, and keeps the one under
which the neighbouring pictures show the same colours and gradients (a plane sweep with five planes). What is behind may be hidden in
half of the neighbours; what is in front is seen by all. Torch, no stage.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .agreement import View, sample_spots, seen_at, within

Tensor = torch.Tensor
REACH = 0.02  # of the picture's width: how far flow carries one surface's motion over another
JUMP = 1.06  # ratio of inverse depths about a pixel from which it is taken for an edge
BEND = 0.01  # relative distance of inverse depth from the mean about it, from which there is more than one surface
PATCH = 5  # px over which colours are compared
WINDOW = 0.003  # of the picture's width: half the window over which costs are averaged, up to the picture's edges
SHADE = 0.01  # step of colour that counts as an edge there
DETAIL = 0.1  # difference of colours or gradients beyond which it is all the same how unlike they are
ALIKE = 0.03  # relative difference up to which two depths are the same surface
GRID = 2  # px from one compared pixel to the next: costs are averaged over more anyway
ON_GRID = (..., slice(None, None, GRID), slice(None, None, GRID))
CHUNK = 1 << 14  # pixels worked on at once on the CPU, so that they stay in its cache
LEAST = 0.0015  # difference of colour below which the pictures do not tell


@dataclass(frozen=True)
class Witness:
    """A neighbour's picture [3, H, W], its lens as it sees spots, the pose witness <- frame [4, 4], and what moves in it [1, H, W], 0 or 1."""

    picture: Tensor
    view: View
    relative: Tensor
    moving: Tensor


def sharpen(
    rho: Tensor, weight: Tensor, steep: Tensor, reliable: Tensor, rays: Tensor, picture: Tensor, witnesses: list[Witness],
) -> tuple[Tensor, Tensor]:
    """Inverse depth and its weight [H, W], settled about `steep` pixels; `reliable` [H, W] marks values that may stand for a surface."""
    reach = max(2, round(REACH * rho.shape[1]))
    near, far = nearest_and_farthest(rho, reliable, reach)
    # On a plane, however slanted, the mean of a square is its middle.
    bent = (rho - over_square(rho[None], reach)[0]).abs() > BEND * rho
    edge = (near > JUMP * far) & (greatest((steep | bent).float(), reach) > 0)
    if not witnesses or not bool(edge.any()):
        return rho, weight
    tried = torch.stack([rho, near, far, *nearest_and_farthest(rho, reliable, reach // 2)])
    window = max(1, round(WINDOW * rho.shape[1] / GRID))
    asked = greatest(edge.float(), 2 * GRID * window)[ON_GRID] > 0
    raw = torch.zeros_like(tried[ON_GRID])
    raw[:, asked] = _unlike(picture, rays, tried, asked, reliable, witnesses)
    costs = torch.cat([torch.zeros_like(tried[:1]), guided(raw[1:] - raw[:1], picture, window)])  # beyond those of its own value: one plane less
    best, index = costs.min(0, keepdim=True)
    chosen = tried.gather(0, index)[0]
    # The choice counts for as much as the pictures tell it from another depth, and for what its surface is worth.
    other = torch.where((tried / chosen - 1).abs() > ALIKE, costs, torch.full_like(costs, torch.inf)).amin(0)
    told = ((other - best[0]) / LEAST).clamp(0, 1)
    settled = torch.where(edge, chosen, rho)
    level = weight[reliable].median() if bool(reliable.any()) else weight.median()
    return settled, torch.where(edge, told**2 * torch.where(chosen == rho, torch.minimum(weight, level), 0.5 * level), weight)


def _unlike(picture: Tensor, rays: Tensor, tried: Tensor, asked: Tensor, reliable: Tensor, witnesses: list[Witness]) -> Tensor:
    """Difference [K, N] of the N pixels `asked` [h, w] of the grid from what the witnesses show of each inverse depth tried [K, H, W]."""
    own, rho, towards, reliable = (
        part[ON_GRID][..., asked] for part in (torch.cat([picture, slope(picture)])[:, None], tried, rays.permute(2, 0, 1), reliable)
    )
    shown = [(each, torch.cat([each.picture, slope(each.picture), each.moving])) for each in witnesses]
    step = rho.shape[1] if rho.is_cuda else CHUNK
    parts = zip(own.split(step, 2), towards.T.split(step), rho.split(step, 1))
    best, excess = (torch.cat(part, 1) for part in zip(*(_compared(shown, *part) for part in parts)))
    # A mean of all is higher than that of the better half even where they are right: by as much as on what is surely seen.
    usual = excess[0][reliable].median() if bool(reliable.any()) else 0.0
    front = (rho / rho[2]).log() / (rho[1] / rho[2]).log().clamp(min=1e-3)  # 1 for the nearest, 0 for the farthest
    return best + 0.5 * front.clamp(0, 1) * (excess - usual)


def _compared(shown: list[tuple[Witness, Tensor]], own: Tensor, rays: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
    """Mean difference [K, N] in colour and gradient from the better half of the witnesses, and how much higher that of all is that see something still."""
    unlike, sees = [], []
    for witness, planes in shown:
        spots = seen_spots(witness, rays, rho)
        told = sample_spots(planes, spots)
        apart = told[:5].sub_(own).abs_()
        unlike.append(apart[:3].mean(0).clamp_(max=DETAIL).add_((apart[3] + apart[4]).clamp_(max=DETAIL)).mul_(0.5))
        sees.append((within(spots, planes.shape) & (told[5] < 0.5)).to(rho))
    best, count = better_half(list(unlike)), sum(sees)
    whole = sum(part * seen for part, seen in zip(unlike, sees)) / count.clamp(min=1)
    return best, (whole - best).clamp(min=0)


def slope(picture: Tensor) -> Tensor:
    """Gradient [2, H, W] of the grey of a picture [3, H, W]; 0 at the border."""
    grey = picture.mean(0)
    out = grey.new_zeros(2, *grey.shape)
    out[0, :, 1:-1] = 0.5 * (grey[:, 2:] - grey[:, :-2])
    out[1, 1:-1] = 0.5 * (grey[2:] - grey[:-2])
    return out


def guided(costs: Tensor, picture: Tensor, reach: int) -> Tensor:
    """Costs [K, h, w] of a grid, [K, H, W] of all pixels, averaged over what looks alike (Hosni et al. 2013; He & Sun 2015): each a locally
    linear function of the colours [3, H, W], 0..1, found on the grid."""
    colours = picture[ON_GRID]
    mean, level = over_square(colours, reach), over_square(costs, reach)
    first, second = torch.triu_indices(3, 3)  # of pairs of colours, each once
    spread = over_square(colours[first] * colours[second], reach).addcmul_(mean[first], mean[second], value=-1)
    spread[first == second] += SHADE**2
    shared = [over_square(costs * colour, reach) - level * middle for colour, middle in zip(colours, mean)]
    slopes = torch.stack([(shared[0] * r).addcmul_(shared[1], g).addcmul_(shared[2], b) for r, g, b in inverted(spread)])  # einsum takes thrice as long
    offset = level - (slopes * mean[:, None]).sum(0)
    *slopes, offset = (laid_out(over_square(part, reach), picture.shape) for part in (*slopes, offset))
    return sum((part * colour for part, colour in zip(slopes, picture)), offset)


def laid_out(values: Tensor, shape: torch.Size) -> Tensor:
    """Values [K, h, w] of the grid for all pixels of a picture [..., H, W]."""
    beyond = F.pad(values[None], (0, 1, 0, 1), mode="replicate")
    size = [GRID * length + 1 for length in values.shape[1:]]
    return F.interpolate(beyond, size=size, mode="bilinear", align_corners=True)[0, :, : shape[-2], : shape[-1]]


def inverted(square: Tensor) -> Tensor:
    """Inverse [3, 3, H, W] of symmetric matrices, told by their upper halves [6, H, W], by cofactors."""
    rr, rg, rb, gg, gb, bb = square
    first = torch.stack([gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb])
    second = torch.stack([first[1], rr * bb - rb * rb, rg * rb - rr * gb])
    third = torch.stack([first[2], second[2], rr * gg - rg * rg])
    return torch.stack([first, second, third]) / (rr * first[0] + rg * first[1] + rb * first[2])


def over_square(values: Tensor, reach: int) -> Tensor:
    """Mean over squares of [K, H, W], cut at the border: one axis after the other, by sums of shifted copies, of which a pooling is slower."""
    for axis in (1, 2):
        length = values.shape[axis]
        reached = min(reach, length - 1)
        total = values.clone()
        for shift in range(1, reached + 1):
            total.narrow(axis, 0, length - shift).add_(values.narrow(axis, shift, length - shift))
            total.narrow(axis, shift, length - shift).add_(values.narrow(axis, 0, length - shift))
        place = torch.arange(length, device=values.device)
        count = (place + reached).clamp(max=length - 1) - (place - reached).clamp(min=0) + 1
        values = total.div_(count.to(values).view(-1, *[1] * (2 - axis)))
    return values


def nearest_and_farthest(rho: Tensor, reliable: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The greatest and the least reliable inverse depth within `reach` px of each pixel; its own where there is none."""
    nothing = torch.full_like(rho, -torch.inf)
    near = greatest(torch.where(reliable, rho, nothing), reach)
    far = -greatest(torch.where(reliable, -rho, nothing), reach)
    return torch.where(near.isfinite(), near, rho), torch.where(far.isfinite(), far, rho)


def greatest(values: Tensor, reach: int) -> Tensor:
    """The greatest of [H, W] within a square of `reach` px to each side, one axis after the other."""
    return along(along(values, reach, 0), reach, 1)


def along(values: Tensor, reach: int, axis: int) -> Tensor:
    """The greatest of [H, W] within `reach` rows or columns: spans that double from step to step, where a pooling looks at all of its window."""
    width, span = 2 * reach + 1, 1
    best = F.pad(values, (0, 0, reach, reach) if axis == 0 else (reach, reach), value=-torch.inf)
    while span < width:
        step = min(span, width - span)
        left = best.shape[axis] - step
        best, span = torch.maximum(best.narrow(axis, 0, left), best.narrow(axis, step, left)), span + step
    return best


def seen_spots(witness: Witness, rays: Tensor, rho: Tensor) -> Tensor:
    """Spots [K, N, 2] at which the witness sees still points along rays [N, 3] at inverse depths rho [K, N]."""
    turned, shift = witness.relative[:3, :3] @ rays.T, witness.relative[:3, 3]
    return seen_at(*(torch.addcmul(side, rho, step) for side, step in zip(turned, shift)), witness.view)


def unlike(witness: Witness, own: Tensor, rays: Tensor, rho: Tensor) -> Tensor:
    """Difference of colour [K, N] between pixels [3, 1, N] and what the witness shows of them at inverse depths rho [K, N]."""
    return difference(own, sample_spots(witness.picture, seen_spots(witness, rays, rho)))


def difference(picture: Tensor, seen: Tensor) -> Tensor:
    """Difference of colour [...] of what was seen [3, ...], pixel by pixel."""
    return (seen - picture).abs_().mean(0).clamp_(max=0.2)


def apart(picture: Tensor, seen: Tensor) -> Tensor:
    """The same over a patch, of [3, H, W]."""
    return over_patch(difference(picture, seen)[None])[0]


def over_patch(values: Tensor) -> Tensor:
    """Means of [K, H, W] over a patch."""
    return over_square(values, PATCH // 2)


def better_half(differences: list[Tensor]) -> Tensor:
    """Mean over those of N that differ least: the others may not see the point."""
    left, total, count = list(differences), 0.0, (len(differences) + 1) // 2
    for _ in range(count):  # a sort over so few takes longer
        for k in range(len(left) - 1, 0, -1):
            left[k - 1], left[k] = torch.minimum(left[k - 1], left[k]), torch.maximum(left[k - 1], left[k])
        total = total + left.pop(0)
    return total / count
