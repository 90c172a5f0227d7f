"""Training room: the losses of the scene-flow method at followed pixels, calibrated so that one is a pixel; torch alone.

The published ones (flow, disparity, acceleration; Zhang et al. 2021) with two of ours: expansion, since what comes nearer grows in the
picture; and the vote of the depth that training started from. The published ones alone do not tell how far off a mover is: all depths
of it times a number, with a motion times that number, fit as well, and a disparity is the smaller the farther it is. So the disparity is
taken here relative to the depth, and the vote decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..nets.scale_field import ScaleField
from ..nets.scene_flow import SceneFlowField
from .followed import Cameras, Stops, Table

Tensor = torch.Tensor
NEAREST = 0.02  # depth, in units, below which nothing is projected
DISPARITY = 10.0  # a tenth of relative error counts as much as a pixel
BELIEVED = 0.1  # relative error of depth at which confidence is one half


@dataclass(frozen=True)
class Points:
    """Stops in space."""

    depth: Tensor  # [N]
    world: Tensor  # [N, 3]


def lift(stops: Stops, scale: ScaleField, cameras: Cameras) -> Points:
    """The stops at their corrected depths."""
    depth = (stops.start + scale(stops.frame, stops.thing)).exp()
    world = (cameras.turn[stops.frame] @ (stops.ray * depth[:, None])[..., None])[..., 0] + cameras.eye[stops.frame]
    return Points(depth, world)


def expansion(table: Table, scale: ScaleField, cameras: Cameras) -> Tensor:
    """What is seen larger is nearer, by as much: mean difference of the two logs, calibrated as the disparity is."""
    now, later = lift(table.here, scale, cameras), lift(table.there, scale, cameras)
    miss = ((later.depth / now.depth).log() + table.growth).abs()
    return DISPARITY * (miss.clamp(max=1.0) * table.grown).sum() / table.grown.sum().clamp(min=1)


def vote(table: Table, scale: ScaleField) -> Tensor:
    """Mean distance to the depth of the start, in units of its own error, outliers held back.

    Not divided by how sure the votes are: where nobody knows, nobody holds what moves where it began.
    """
    stops = (table.here, table.there)  # both, or the last frames of the shot would have less of a voice
    sure = torch.cat([part.sure for part in stops]).clamp(0.01, 0.99)
    miss = torch.cat([scale(part.frame, part.thing) for part in stops]) ** 2 / (BELIEVED**2 * (1 / sure - 1))
    return (sure * torch.log1p(miss)).mean()


def roughness(scale: ScaleField) -> Tensor:
    """How unsteady the correction itself is, calibrated as the disparity is."""
    return DISPARITY**2 * scale.roughness()


def published(table: Table, scale: ScaleField, field: SceneFlowField, cameras: Cameras, frozen: bool) -> dict[str, Tensor]:
    """flow and acceleration in px, disparity calibrated; `frozen` depth, and squared flow while the field warms up."""
    with torch.set_grad_enabled(not frozen and torch.is_grad_enabled()):
        now, later = lift(table.here, scale, cameras), lift(table.there, scale, cameras)
    moved, first, second = _carried(field, now.world, table, cameras)
    local = (cameras.turn[table.there.frame].transpose(1, 2) @ (moved - cameras.eye[table.there.frame])[..., None])[..., 0]
    depth = local[:, 2].clamp(min=NEAREST)
    miss = (local[:, :2] / depth[:, None] - table.there.ray[:, :2]) * cameras.focal
    flow = miss.clamp(-50, 50).square().sum(1) if frozen else miss.abs().sum(1)
    return {
        "flow": flow.mean(), "disparity": DISPARITY * ((1 / depth - 1 / later.depth).abs() * later.depth.detach()).mean(),
        "acceleration": ((second - first).abs().sum(1) * cameras.focal / now.depth.detach()).mean(),
    }


def _carried(field: SceneFlowField, world: Tensor, table: Table, cameras: Cameras) -> tuple[Tensor, Tensor, Tensor]:
    """World points [N, 3] after `gap` frames along the field, and the first two steps of each."""
    frames = float(cameras.time[-1]) + 1
    order = table.gap.argsort(descending=True)
    count = [int((table.gap > k).sum()) for k in range(int(table.gap.max()))]
    place, time = world[order], cameras.time[table.here.frame[order]] / frames
    steps: list[Tensor] = []
    for k in range(max(2, len(count))):
        here = count[k] if k < len(count) else 0
        going = len(order) if k < 2 else here  # the second step is taken of all, for the acceleration
        step = field.step(place[:going], time[:going] + k / frames)
        steps.append(step)
        place = torch.cat([place[:here] + step[:here], place[here:]])
    home = torch.empty_like(order)
    home[order] = torch.arange(len(order), device=order.device)
    return place[home], steps[0][home], steps[1][home]
