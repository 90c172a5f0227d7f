"""Geometry of depth from flow: inverse depth of still points in closed form, under known cameras; torch, nothing of the engine.

With ray d (z = 1) in camera i and the relative pose (R, t) = j <- i, the point at inverse depth rho stands in camera j along
A + rho t, A = R d. Seen there at normalised (u, v), it gives two equations linear in rho:
    rho (t_x - u t_z) = u A_z - A_x        rho (t_y - v t_z) = v A_z - A_y
Divided by the depth in j and times the focal length, their residual is in pixels. Its square is a parabola in rho,
so three numbers per neighbour and pixel hold all that the rounds of re-weighting need.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

Tensor = torch.Tensor
TILE = 1 << 16  # pixels times neighbours worked on at once on the CPU, so that they stay in its cache


@dataclass(frozen=True)
class Sightings:
    """What N neighbours see of the pixels of one frame: squared residual = square rho^2 - 2 cross rho + rest, times scale^2."""

    square: Tensor  # [N, H, W]
    cross: Tensor  # [N, H, W]
    rest: Tensor  # [N, H, W]
    turned: Tensor  # [N, H, W]: A_z, the depth in j of a ray at infinity
    weight: Tensor  # [N, H, W]: 0 where the flow is known to be wrong
    forward: Tensor  # [N]: t_z
    focal: Tensor  # [N] px

    def rows(self, first: int, last: int) -> Sightings:
        """The same for a band of rows."""
        band = (getattr(self, name)[:, first:last] for name in ("square", "cross", "rest", "turned", "weight"))
        return Sightings(*band, self.forward, self.focal)

    def scale(self, rho: Tensor) -> Tensor:
        """Squared pixels per squared normalised unit in each neighbour [N, H, W]; 0 where the point would lie behind it."""
        depth = torch.addcmul(self.turned, rho[None], self.forward[:, None, None])
        return (self.focal[:, None, None] / depth.clamp(min=1e-2)).square_().mul_(depth > 1e-2)

    def miss(self, rho: Tensor, scale: Tensor) -> Tensor:
        """Squared distance [N, H, W] in px^2 between where the point at rho [H, W] is expected and where it was seen; `scale` is scale(rho)."""
        return torch.addcmul(-2 * self.cross, self.square, rho[None]).mul_(rho).add_(self.rest).clamp_(min=0).mul_(scale)


def sight(rays: Tensor, seen: Tensor, relative: Tensor, focal: Tensor, weight: Tensor) -> Sightings:
    """Equations from rays [H, W, 3], undistorted sightings [N, H, W, 2], poses j <- i [N, 4, 4], focal [N] px, weight [N, H, W]."""
    parts = []
    planes = rays.permute(2, 0, 1).flatten(1).contiguous()  # each coordinate in one piece: twice as quick
    for there, pose in zip(seen, relative):
        ax, ay, az = (pose[:3, :3] @ planes).unflatten(1, rays.shape[:2])
        u, v = (side.contiguous() for side in there.unbind(-1))
        slope_x, slope_y = pose[0, 3] - u * pose[2, 3], pose[1, 3] - v * pose[2, 3]
        level_x, level_y = (u * az).sub_(ax), (v * az).sub_(ay)
        cross = (slope_x * level_x).addcmul_(slope_y, level_y)
        square, rest = (x.square_().addcmul_(y, y) for x, y in ((slope_x, slope_y), (level_x, level_y)))
        parts.append((square, cross, rest, az))
    return Sightings(*(torch.stack(part) for part in zip(*parts)), weight, relative[:, 2, 3].clone(), focal)


@dataclass(frozen=True)
class Estimate:
    """Inverse depth of every pixel and what is known of its error, all [H, W]."""

    rho: Tensor  # 1 / scene units
    information: Tensor  # 1 / variance of rho
    residual: Tensor  # px, root mean square over all valid neighbours: high on what moves

    def changed(self, where: Tensor, rho: Tensor | float, information: float) -> Estimate:
        """The same, but at the pixels `where` [H, W] another inverse depth, with which all neighbours agree."""
        parts = ((rho, self.rho), (information, self.information), (0.0, self.residual))
        return Estimate(*(torch.where(where, fresh, old) for fresh, old in parts))


def inverse_depth(sightings: Sightings, noise: float, low: float, high: float, rounds: int = 4) -> Estimate:
    """Robust least squares over all neighbours: Cauchy weights of scale `noise` px, re-weighted `rounds` times.

    The variance takes the larger of `noise` / 2 and the residual found, and counts every second sighting, for the flows
    from one frame to its neighbours err alike.
    """
    count, height, width = sightings.turned.shape
    step = height if sightings.turned.is_cuda else max(1, TILE // (count * width))
    bands = [_solve(sightings.rows(y, y + step), noise, low, high, rounds) for y in range(0, height, step)]
    return Estimate(*(torch.cat([getattr(band, part.name) for band in bands]) for part in fields(Estimate)))


def _solve(held: Sightings, noise: float, low: float, high: float, rounds: int) -> Estimate:
    rho = torch.full_like(held.turned[0], low)
    weight, scale = held.weight, held.scale(rho)
    for step in range(rounds):
        strength = weight * scale
        rho = (strength * held.cross).sum(0).div_((strength * held.square).sum(0).add_(1e-12)).clamp_(low, high)
        scale = held.scale(rho)
        miss = held.miss(rho, scale)
        # The first round forgives more, so that a few bad flows cannot hold the start.
        loose = noise * (3.0 if step == 0 else 1.0)
        weight = held.weight / (1 + miss / loose**2)
    inlying = (weight * miss).sum(0).div_(weight.sum(0).clamp_(min=1e-6))
    information = (weight * scale).mul_(held.square).sum(0) / (2 * inlying.clamp_(min=(noise / 2) ** 2))
    # Over all valid sightings: a mover must not hide behind the weights that it has itself lowered.
    spread = (held.weight * miss.clamp_(max=400.0)).sum(0).div_(held.weight.sum(0).clamp(min=1e-6)).sqrt_()
    return Estimate(rho, information, spread)
