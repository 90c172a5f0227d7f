"""Training room: geometry and losses of "Consistent Depth of Moving Objects in Video" (Zhang et al. 2021, section 3); torch alone.

A pair of frames i and j = i + gap: the points of i, moved by the scene-flow field, must be seen in j where the optical flow
says, and at the depth that j has there. Row vectors; pixel indices 0..W-1 with K to match, as published.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..nets.scene_flow import DIVISOR, SceneFlowField

Tensor = torch.Tensor
NEAREST = 1e-3  # depth below which nothing is projected
FARTHEST = 100.0  # depth, in the published units, beyond which a pixel does not count


@dataclass(frozen=True)
class Side:
    """One frame of a pair."""

    depth: Tensor  # [B, 1, H, W]
    intrinsics: Tensor  # [3, 3]
    rotation: Tensor  # [3, 3] camera to world
    place: Tensor  # [3]

    def rays(self) -> Tensor:
        """[H, W, 3], z = 1, through pixel indices."""
        height, width = self.depth.shape[-2:]
        y, x = torch.meshgrid(*(torch.arange(n, dtype=self.depth.dtype, device=self.depth.device) for n in (height, width)), indexing="ij")
        return turn(torch.stack([x, y, torch.ones_like(x)], -1), torch.linalg.inv(self.intrinsics).T)

    def world(self) -> Tensor:
        """Points [B, H, W, 3] in the world."""
        return turn(self.depth[:, 0, :, :, None] * self.rays(), self.rotation.T) + self.place

    def inward(self, points: Tensor) -> Tensor:
        """World points [B, H, W, 3] in this camera's axes."""
        return turn(points - self.place, self.rotation)


def turn(rows: Tensor, matrix: Tensor) -> Tensor:
    """Rows [..., 3] times a matrix [3, 3], term by term: the published sums to the last bit, which a matrix product does not give."""
    return (rows[..., :, None] * matrix).sum(-2)


@dataclass(frozen=True)
class Pair:
    """What the losses compare, all at the pixels of frame i."""

    flow: Tensor  # [B, H, W, 2] px: where the moved points are seen in j
    depth: Tensor  # [B, 1, H, W] of the moved points in camera j
    warped: Tensor  # [B, 1, H, W] depth that j itself has there, fetched along the optical flow
    points: Tensor  # [B, 3, H, W] world points of i
    motion: Tensor  # [B, 3, H, W] scene flow from i to j, world units
    by_depth: Tensor  # [B, H, W, 3] scene flow that the two depths and the optical flow alone would make


def relate(field: SceneFlowField, first: Side, second: Side, flow: Tensor, time: Tensor, step: float, gap: int) -> Pair:
    """Both frames and the field, brought together; `flow` [B, H, W, 2] px i -> j, `time` [B, 1, H, W] of i, `step` of one frame."""
    points = first.world()
    motion = field.unroll(points.permute(0, 3, 1, 2), time, step, gap)
    local = second.inward(points + motion.permute(0, 2, 3, 1))
    fetched = warp((second.depth[:, 0, :, :, None] * second.rays()).permute(0, 3, 1, 2), flow).permute(0, 2, 3, 1)
    there = turn(fetched, second.rotation.T) + second.place
    return Pair(
        _displacement(local, second.intrinsics), local[..., 2][:, None], fetched[..., 2][:, None],
        points.permute(0, 3, 1, 2), motion, there - points,
    )


def _displacement(local: Tensor, intrinsics: Tensor) -> Tensor:
    """Points [B, H, W, 3] in camera axes -> how far [B, H, W, 2] px from the pixel that they belong to; 0 behind the camera."""
    seen = turn(local, intrinsics.T)
    place = seen[..., :2] / (seen[..., 2:] + 1e-8)
    y, x = torch.meshgrid(*(torch.arange(n, dtype=local.dtype, device=local.device) for n in local.shape[1:3]), indexing="ij")
    own = torch.stack([x, y], -1)
    return torch.where(local[..., 2:] < NEAREST, own, place) - own


def warp(values: Tensor, flow: Tensor) -> Tensor:
    """[B, C, H, W] fetched along flow [B, H, W, 2] px: bilinear, border held."""
    height, width = values.shape[-2:]
    y, x = torch.meshgrid(*(torch.arange(n, dtype=flow.dtype, device=flow.device) for n in (height, width)), indexing="ij")
    place = torch.stack([x, y], -1) + flow
    scale = torch.tensor([width - 1, height - 1], dtype=flow.dtype, device=flow.device)
    return F.grid_sample(values, 2 * place / scale - 1, padding_mode="border", align_corners=True)


def losses(pair: Pair, first: Side, flow: Tensor, trusted: Tensor, warming: bool) -> dict[str, Tensor]:
    """flow (px, squared while the field warms up), disparity and their sum; `trusted` [B, 1, H, W] by the flow's consistency."""
    mask = trusted * (first.depth < FARTHEST) * (pair.warped < FARTHEST)
    count = mask.sum() + 1e-8
    miss = (pair.flow - flow).abs()
    miss = (miss**2 if warming else miss).sum(-1)[:, None]
    disparity = 100 * (1 / pair.depth.clamp(min=NEAREST) - 1 / pair.warped.clamp(min=NEAREST)).abs()
    parts = {"flow": (miss * mask).sum() / count, "disparity": (disparity * mask).sum() / count}
    return {**parts, "total": parts["flow"] + parts["disparity"]}


def acceleration(field: SceneFlowField, points: Tensor, time: Tensor, step: float) -> Tensor:
    """Mean change of the motion from one frame to the next along its own path; points [B, 3, H, W], time [B, 1, H, W]."""
    motion = field(points, time) / DIVISOR
    return (field(points + motion, time + step) / DIVISOR - motion).abs().mean()


def occluded(forward: Tensor, backward: Tensor, limit: float = 1.0) -> Tensor:
    """Where [H, W] of the first frame flow [H, W, 2] px there and back again misses by more than `limit` px, or leaves the picture."""
    height, width = forward.shape[:2]
    back = warp(backward.permute(2, 0, 1)[None], forward[None])[0].permute(1, 2, 0)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([x, y], -1).to(forward) + forward
    outside = (place < 0).any(-1) | (place[..., 0] > width - 1) | (place[..., 1] > height - 1)
    return (torch.linalg.vector_norm(forward + back, dim=-1) > limit) | outside
