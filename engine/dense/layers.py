"""Dense room: the two layers of a frame — the still scene, whole behind what moves, and the movers before it; torch, no stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Iterator

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ..geometry.blobs import disc, nearest
from ..geometry.contact import FRONT, Stand, pieces, stand
from ..geometry.fill import fill
from ..geometry.triangulation import Estimate
from .edges import Witness, along, nearest_and_farthest, over_square, sharpen
from .shot import DOUBTED, Mask, Picture

RIM = 0.006  # of the picture's width: how far a mover's motion is carried over its rim
EDGE = 0.04  # step of colour at which a surface is taken to end
JUMP = 0.06  # step of log depth at which a surface is taken to end
HOLE = 0.03  # of the picture's width: how far about a pixel in doubt one looks for what it should lie before
BEHIND = 0.9  # of the least inverse depth there
UNSEEN = 0.03  # how sure a stand is, against others, where what is about the piece is not measured
STILL = 1.0  # px of disagreement with the still scene up to which a pixel belongs to it
FLATNESS = 0.012  # relative step of inverse depth from pixel to pixel that a surface of one colour may take
HEARD = 4.0  # times the least that counts as measured: what is told of places that were seen elsewhere
BELIEVED = 0.1  # relative error of depth at which confidence is one half


@dataclass(frozen=True)
class Background:
    """The still scene of one frame, complete."""

    rho: Picture  # [H, W] inverse depth, filled
    confidence: Picture  # [H, W] 0..1
    measured: Mask  # [H, W] where parallax has seen it
    information: Picture  # [H, W] of the measurement
    own: Picture  # [H, W] inverse depth that each pixel's own flow tells, were it still
    mover: Mask  # [H, W] what moves

    @cached_property
    def free(self) -> Mask:
        """Where nothing moves [H, W], off the rim of what does."""
        return cv2.dilate(self.mover.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0

    @cached_property
    def beside(self) -> Mask:
        """Where the scene is measured [H, W], off the rim of what moves."""
        return self.measured & self.free


def background(
    found: Estimate, mask: Mask, likely: Picture, sky: Mask, picture: Picture, rays: Picture, witnesses: list[Witness], low: float,
    strength: float, elsewhere: torch.Tensor | None = None,
) -> Background:
    """Fill the still scene behind `mask` and where parallax is blind; `likely` [H, W] says how surely a pixel moves, -1 still, 0 unknown.

    The `sky` [H, W] lies at `low`, and nothing is filled from it. Where nothing is measured between movers it hears of inverse depths `elsewhere`
    [H, W], nan where there are none.
    """
    device = found.rho.device
    guide = torch.from_numpy(picture).to(device).permute(2, 0, 1).contiguous()
    rim = max(2, round(RIM * mask.shape[1]))
    # Flow carries a mover's motion over its rim: what lies there is not measured either.
    masked = torch.from_numpy(cv2.dilate(mask.astype(np.uint8), disc(rim)) > 0).to(device)
    # Flow bleeds over depth edges: in the ramp there, the picture's edge knows better.
    steady = _trust_off_ramps(found.rho, found.information)
    # What a mask missed of a mover that keeps pace with the camera seems to lie behind all about it: that is no still point.
    doubted = torch.from_numpy(likely > DOUBTED).to(device)
    reach = round(HOLE * mask.shape[1])
    far = nearest_and_farthest(found.rho, ~doubted & (found.residual < STILL), reach)[1]
    up, down, left, right = torch.stack(list(_sides(masked.float(), reach))) > 0
    between = up & down | left & right
    masked = masked | (doubted & (found.rho < BEHIND * far)) | _holes(found.rho, masked, reach)
    weight = torch.where(masked, torch.zeros_like(steady), found.information * steady * (found.residual < 3 * STILL))
    nothing = (weight == 0) & ~torch.from_numpy(sky).to(device)
    middle = typical(found.rho, weight)
    least = (BELIEVED * middle) ** -2
    reliable = (steady > 0.5) & (found.residual < STILL) & ~masked & (weight > least)
    measured, weight = sharpen(found.rho, weight, steady < 0.5, reliable, torch.from_numpy(rays.copy()).to(device), guide, witnesses)
    weight = torch.where(masked, torch.zeros_like(weight), weight)
    whole, load = measured, weight
    if elsewhere is not None:
        heard = nothing & between & elsewhere.isfinite()
        whole, load = torch.where(heard, elsewhere, measured), torch.where(heard, HEARD * least, weight)
    edges = _edges(whole.clamp(min=low).log(), load > least, reach)
    rho = fill(whole, load, torch.cat([guide, edges[None]]), strength / (FLATNESS * middle) ** 2, EDGE).clamp(min=low)
    rho = torch.where(torch.from_numpy(sky).to(device), torch.full_like(rho, low), rho)
    error = weight.clamp(min=1e-12).rsqrt() / rho
    confidence = 1 / (1 + (error / BELIEVED) ** 2 + ((measured - rho) / (BELIEVED * rho)) ** 2)
    confidence = torch.where(masked, torch.zeros_like(confidence), confidence)
    arrays = (part.cpu().numpy() for part in (rho, confidence, weight > least, weight, measured))
    return Background(*arrays, mask)


def _holes(rho: torch.Tensor, masked: torch.Tensor, reach: int) -> torch.Tensor:
    """Where a surface beside what is masked seems to be pierced [H, W]: a paw that goes with the camera.

    To all four sides something nearer begins within twice the reach, a mover or, to two of them at least, what is still.
    """
    if not bool(masked.any()):
        return masked
    still = torch.stack(list(_sides(torch.where(masked, torch.full_like(rho, -torch.inf), rho), reach))) * BEHIND > rho
    movers = torch.stack(list(_sides(masked.float(), reach))) > 0
    return movers.any(0) & (still | movers).all(0) & (still.sum(0) > 1) & ~masked


def _sides(values: torch.Tensor, reach: int) -> Iterator[torch.Tensor]:
    """The greatest of [H, W] within twice the reach to each of the four sides, nothing beyond the border."""
    for axis in (0, 1):
        both = F.pad(values, (0, 0, 2 * reach, 2 * reach) if axis == 0 else (2 * reach, 2 * reach), value=-torch.inf)
        most = along(both, reach, axis)
        yield from (most.narrow(axis, start, values.shape[axis]) for start in (reach, 3 * reach))


def _edges(depth: torch.Tensor, known: torch.Tensor, reach: int) -> torch.Tensor:
    """What tears the membrane beside colours [H, W], from log depth [H, W]: one step of JUMP tears as one of EDGE in colour.

    Surfaces end half-way between what is known; but far from all that is, nothing says where.
    """
    whole = _nearest(depth, known)
    apart = cv2.distanceTransform((~known).cpu().numpy().astype(np.uint8), cv2.DIST_L2, 3)
    share = (torch.from_numpy(apart).to(depth.device) / reach).clamp(max=1)
    return (whole + share * (over_square(whole[None], reach)[0] - whole)) * (EDGE / JUMP)


def _nearest(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Values [H, W], each unknown one replaced by the nearest known."""
    if bool(known.all()) or not bool(known.any()):
        return values
    return values.flatten()[torch.from_numpy(nearest(known.cpu().numpy(), cv2.DIST_MASK_3)).to(values.device)]


def typical(rho: torch.Tensor, weight: torch.Tensor) -> float:
    """The inverse depth in the middle of what is known best."""
    sure = weight > weight.median()
    some = rho[sure] if bool(sure.any()) else rho
    return max(float(some.median()), 1e-9)


def _trust_off_ramps(rho: torch.Tensor, information: torch.Tensor) -> torch.Tensor:
    """Low [H, W] where inverse depth rises steeply and significantly between neighbours: the flow's blend of two surfaces."""
    across = torch.zeros_like(rho)
    across[:, 1:-1] = (rho[:, 2:] - rho[:, :-2]).abs()
    across[1:-1] = torch.maximum(across[1:-1], (rho[2:] - rho[:-2]).abs())
    step = across / (0.08 * rho.abs() + 4 * information.clamp(min=1e-12).rsqrt())
    return 1 / (1 + step**4)


def stands(scene: Background, rays: Picture, up: np.ndarray, height: float) -> tuple[list[Stand], np.ndarray]:
    """Where each moving piece of a frame stands, and the pieces' labels [H, W] (0 = still); see `contact.stand`."""
    count, labels = pieces(scene.mover)
    told = [stand(labels == k + 1, scene.beside, scene.own, scene.information, rays, up, height) for k in range(count)]
    free = scene.free & (scene.information > 0)  # of a sky nothing is known, and it hides nothing
    for k in [k for k, one in enumerate(told) if one.sure < FRONT]:  # nothing about it is measured: what was filled in tells more than nothing
        guess = stand(labels == k + 1, free, scene.rho, scene.confidence, rays, up, height)
        told[k] = replace(guess, sure=UNSEEN * guess.sure)
    return told, labels


def compose(
    rho: Picture, confidence: Picture, labels: np.ndarray, stands: np.ndarray, sure: np.ndarray,
) -> tuple[Picture, Picture]:
    """Inverse depth and confidence [H, W]: the background, and before it piece k (labels [H, W] = k + 1) at stands[k]."""
    heights, trust = np.concatenate([[0.0], stands]), np.concatenate([[0.0], 0.5 * sure])
    moving = labels > 0
    return (
        np.where(moving, heights[labels], rho).astype(np.float32),
        np.where(moving, trust[labels], confidence).astype(np.float32),
    )
