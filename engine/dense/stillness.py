"""Dense room: what moves in the solved scene — pixels whose colours no still point explains as well as the flow does; torch, no stage.

Where the flow agrees with one still point in all neighbours, the pixel is still. Where it does not, either something moves or the
flow is wrong, as it often is along the rims of near things: then it counts whether it does not all over a thing, and what the
neighbours' pictures say. If some depth that the scene shows about the pixel brings up the same colours there as the flow does, the
pixel is still; if only the flow does, it moves.
"""

from __future__ import annotations

from typing import Iterator

import torch

from ..geometry.fill import fill
from ..geometry.triangulation import Estimate
from .agreement import sample
from .edges import PATCH, apart, better_half, greatest, nearest_and_farthest, over_patch, unlike
from .layers import BELIEVED, typical
from .shading import Sighted, shaded
from .shot import Mask, Picture

Tensor = torch.Tensor
SUSPECT = 1.0  # px of disagreement from which the flow alone does not prove a pixel still
ODD = 0.4  # px of disagreement that nothing still has all over
USUAL = 4.0  # times what is usual in the frame, if that is more: a lens or a rolling shutter that is not quite known
THICK = 0.008  # of the picture's width: half the thickness of what is more than a rim
NEAR, WIDE = 0.02, 0.06  # of the picture's width: how far off depths are borrowed
FLATNESS = 0.004  # relative step of inverse depth from pixel to pixel that a surface of one colour may take
BEHIND = 0.95  # of the scene's inverse depth: what seems to lie farther, and hides it all the same, keeps pace with the camera
SURELY = 2.0  # errors of its depth by which it must seem to, where flow alone does not speak against it: seen by few frames, still things are unsure
NOISE = 0.004  # difference of colour that pictures have at least
MARGIN = 0.55  # times the noise by which the flow must be better
SHARE = 0.1  # and this part of its own difference
CLEAR, PROOF = 0.7, 0.2  # weight of a suspect pixel whose colours a still point explains, and from which excess it does
LIT = 1.0  # weight of one that shows the texture of a still point under another light
BETTER, MENDED = 0.1, 0.05  # by how much its texture is more alike at the depth of the scene about it, which then is off by so much
BAND = 32  # rows worked on at once on a CPU, so that they stay in its cache
SPREAD = 12.0  # how far a verdict reaches over one colour


def judge(
    found: Estimate, sighted: list[Sighted], picture: Picture, shown: Picture, fine: Tensor, rays: Picture, guessed: Mask, sky: Mask,
    sensitivity: float,
) -> tuple[Picture, Estimate]:
    """How surely each pixel moves by itself [H, W]: -1 still, 1 moving; and what was found, mended where the flow was a mover's.

    `picture` [H, W, 3] 0..1, whose texture is `shown` [H, W], 0..1, and `fine` [H, W] as shading tells it, `rays` [H, W, 3]; `guessed`
    marks what a search without the camera took for movers, `sky` what is none whatever flow says of it.
    """
    device = found.rho.device
    colours = torch.from_numpy(picture).to(device).permute(2, 0, 1).contiguous()
    believed = torch.from_numpy(shown).to(device)
    suspect = found.residual > SUSPECT
    far = torch.from_numpy(sky).to(device)
    doubted = (_grown(suspect, 7) | torch.from_numpy(guessed).to(device)) & ~far
    weight = torch.where(doubted, torch.zeros_like(found.rho), found.information)
    middle = typical(found.rho, weight)
    behind = fill(found.rho, weight, colours, 1 / (FLATNESS * middle) ** 2, rounds=6)
    farther = (BEHIND * behind - found.rho) * found.information.sqrt()
    paced = doubted & (farther > 0) & ((farther > SURELY) | (found.residual > SUSPECT))
    towards = torch.from_numpy(rays.copy()).to(device)
    excess = _excess(found.rho, behind, doubted, ~paced, far | (weight > (BELIEVED * middle) ** -2), colours, towards, sighted)
    lit, alike = shaded(fine, torch.stack([behind, found.rho]), towards, sighted, doubted)
    off = torch.where(paced, torch.ones_like(found.residual), (found.residual - 0.5).clamp(0, 1))
    # Flow errs along the rims of near things, but not all over a thing: what disagrees through and through moves.
    odd = max(ODD, USUAL * float(found.residual.median()))
    through = -greatest(-found.residual, round(THICK * shown.shape[1]))
    whole = believed * (through / odd - 1).clamp(0, 1) * (1 + 2 * excess).clamp(0, 1)
    # Shading, vignettes and compression also set colours apart that nothing else tells apart.
    moving = (1 - lit) * (1.5 * off * (excess - MARGIN / sensitivity).clamp(0, 3) + whole)
    clear = CLEAR * believed * found.residual.clamp(0, 1) * (PROOF - excess).clamp(0, 2) + LIT * lit
    agreed = 2 * torch.maximum(believed, far.to(believed)) * torch.exp(-((found.residual / odd) ** 2)) * ~paced
    load = moving + clear + agreed
    verdict = fill((moving - clear - agreed) / load.clamp(min=1e-6), load + 1e-3, colours, SPREAD, rounds=8).cpu().numpy()
    return verdict, found.changed((lit > 0.5) & (alike[0] > alike[1] + BETTER), behind, (MENDED * middle) ** -2)


def _grown(mask: Tensor, size: int) -> Tensor:
    return greatest(mask.float(), size // 2) > 0


def _excess(
    own: Tensor, behind: Tensor, doubted: Tensor, usable: Tensor, reliable: Tensor, picture: Tensor, rays: Tensor, sighted: list[Sighted],
) -> Tensor:
    """How much worse the best still point explains a doubted pixel's colours than the flow does [H, W], in units of the pictures' noise."""
    if not sighted:
        return torch.zeros_like(own)
    width = own.shape[1]
    near, far = nearest_and_farthest(own, reliable, max(2, round(NEAR * width)))
    wide, _ = nearest_and_farthest(own, reliable, max(2, round(WIDE * width)))
    tried = torch.stack([own, behind, near, far, wide, (near * wide).sqrt()])
    flowed = better_half([apart(picture, sample(each.witness.picture, each.place))[None] for each in sighted])[0]
    still = flowed.clone()
    for inner, outer, within in _bands(doubted):
        asked = _grown(doubted[outer], PATCH)
        part = picture[:, outer][:, None, asked], rays[outer][asked], tried[:, outer][:, asked]
        costs, wanted = torch.zeros_like(tried[:, outer]), doubted[inner]
        unlikes = []
        for each in sighted:
            costs[:, asked] = unlike(each.witness, *part)
            unlikes.append(over_patch(costs)[:, within][:, wanted])
        best = better_half(unlikes)
        best[0] = torch.where(usable[inner][wanted], best[0], torch.full_like(best[0], 0.2))
        still[inner][wanted] = best.amin(0)
    noise = max(float(flowed.median()), NOISE)
    return (still - (1 + SHARE) * flowed) / noise


def _bands(doubted: Tensor) -> Iterator[tuple[slice, slice, slice]]:
    """The rows that hold what is in doubt, some at a time: each band, the same with a margin for patches, and where it lies in that."""
    height, margin = len(doubted), PATCH // 2
    step = height if doubted.is_cuda else BAND
    for y in range(0, height, step):
        inner = slice(y, min(y + step, height))
        if bool(doubted[inner].any()):
            outer = slice(max(0, y - margin), inner.stop + margin)
            yield inner, outer, slice(y - outer.start, inner.stop - outer.start)
