"""Training room: warps and losses of "Unsupervised Monocular Depth Learning in Dynamic Scenes" (Li et al. 2020); torch alone.

Pairs of frames in both orders, stacked: the first half leads from frame 1 to 2, the second from 2 to 1, and `other` swaps them.
Pixel indices 0..W-1, as published.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

Tensor = torch.Tensor
CONTRAST = 9e-6  # c2 of the structural similarity; its c1 is infinite, so that brightness does not count
WEIGHTS = {
    "rgb_consistency": 1.0, "ssim": 3.0, "depth_consistency": 0.0, "depth_smoothing": 1e-3, "rotation_cycle_consistency": 1e-3,
    "translation_cycle_consistency": 5e-2, "depth_variance": 0.0, "motion_smoothing": 1.0, "motion_drift": 0.2,
}


@dataclass(frozen=True)
class Scene:
    """What the networks say of N = 2 B ordered pairs."""

    rgb: Tensor  # [N, 3, H, W] 0..1 of the first frame of each
    depth: Tensor  # [N, 1, H, W] of the first frame
    rotation: Tensor  # [N, 3]
    background: Tensor  # [N, 3, 1, 1]
    residual: Tensor  # [N, 3, H, W]
    intrinsics: Tensor  # [N, 3, 3]


@dataclass(frozen=True)
class Moved:
    """The pixels of the first frame as the second camera sees them."""

    place: Tensor  # [N, H, W, 2] px, held inside the picture
    depth: Tensor  # [N, H, W]
    inside: Tensor  # [N, H, W] bool


def other(values: Tensor) -> Tensor:
    """The same for the other frame of each pair."""
    first, second = values.chunk(2)
    return torch.cat([second, first])


def rotations(angles: Tensor) -> Tensor:
    """Angles [N, 3] about x, y, z -> matrices [N, 3, 3] X Y Z: the turn about z comes first."""
    (a, b, c), (sa, sb, sc) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    one, nil = torch.ones_like(a), torch.zeros_like(a)
    about_x = torch.stack([one, nil, nil, nil, a, -sa, nil, sa, a], -1).view(-1, 3, 3)
    about_y = torch.stack([b, nil, sb, nil, one, nil, -sb, nil, b], -1).view(-1, 3, 3)
    about_z = torch.stack([c, -sc, nil, sc, c, nil, nil, nil, one], -1).view(-1, 3, 3)
    return about_x @ about_y @ about_z


def move(depth: Tensor, intrinsics: Tensor, rotation: Tensor, translation: Tensor) -> Moved:
    """Depth [N, 1, H, W] unprojected, turned [N, 3, 3], shifted by translation [N, 3, H, W] and projected again."""
    height, width = depth.shape[-2:]
    y, x = torch.meshgrid(*(torch.arange(n, dtype=depth.dtype, device=depth.device) for n in (height, width)), indexing="ij")
    rays = torch.linalg.inv(intrinsics) @ torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    points = intrinsics @ (rotation @ (rays * depth.flatten(2)) + translation.flatten(2))
    z = points[:, 2].view(-1, height, width)
    px, py = (points[:, k].view(-1, height, width) / z for k in (0, 1))
    within = (px >= 0) & (py >= 0) & (px < width - 1) & (py < height - 1) & (z > 0)
    place = torch.stack([px.nan_to_num().clamp(0, width - 1), py.nan_to_num().clamp(0, height - 1)], -1)
    return Moved(place, z, within)


def fetch(values: Tensor, place: Tensor) -> Tensor:
    """[N, C, H, W] at pixel indices [N, H, W, 2], bilinear."""
    scale = place.new_tensor([values.shape[-1] - 1, values.shape[-2] - 1])
    return F.grid_sample(values, 2 * place / scale - 1, padding_mode="border", align_corners=True)


def losses(scene: Scene, drift_stops_at_borders: bool = True, seen_flow: Tensor | None = None) -> dict[str, Tensor]:
    """Every loss, not yet weighted; also `proximity` [N, H, W], how well the two depths agree at each pixel.

    With `seen_flow` [N, H, W, 3] (px, and 1 where it holds) also `flow`, which is not published.
    """
    turn, total = rotations(scene.rotation), scene.background + scene.residual
    moved = move(scene.depth, scene.intrinsics, turn, total)
    there = fetch(other(scene.depth).detach(), moved.place)[:, 0]
    seen = fetch(other(scene.rgb), moved.place)
    nearer = (moved.inside & (moved.depth < there)).to(there)
    proximity = _proximity(there - moved.depth, nearer, moved.inside)
    unlike, weight = weighted_ssim(seen, scene.rgb, proximity)
    disparity = 1 / scene.depth
    steady = normalised(scene.residual, total)
    turned, shifted = _cycle(turn, total, moved.place, nearer)
    found = {} if seen_flow is None else {"flow": flow_distance(moved, seen_flow)}
    return found | {
        "rgb_consistency": 2 * ((seen - scene.rgb).abs() * nearer[:, None]).mean(),
        "ssim": (unlike * weight).mean(),
        "depth_consistency": 2 * ((there - moved.depth).abs() * nearer).mean(),
        "depth_smoothing": 2 * edge_aware(disparity / disparity.mean((1, 2, 3), keepdim=True), scene.rgb),
        "rotation_cycle_consistency": 2 * turned, "translation_cycle_consistency": 2 * shifted,
        "depth_variance": 2 / ((scene.depth / scene.depth.mean() - 1) ** 2).mean(),
        "motion_smoothing": 2 * group_smoothness(steady, wrap=not drift_stops_at_borders),
        "motion_drift": 2 * sparsity(steady), "proximity": proximity,
    }


def flow_distance(moved: Moved, flow: Tensor) -> Tensor:
    """Mean distance of where pixels move from where optical flow [N, H, W, 3] sees them, in units of the flow's mean length.

    Colours alone do not tell a beginner which way to go: a shift by half a pixel either way blurs, and so lowers every difference.
    """
    y, x = torch.meshgrid(*(torch.arange(n, dtype=flow.dtype, device=flow.device) for n in flow.shape[1:3]), indexing="ij")
    apart = (moved.place - torch.stack([x, y], -1) - flow[..., :2]).norm(dim=-1)
    return (apart * flow[..., 2]).mean() / ((flow[..., :2].norm(dim=-1) * flow[..., 2]).mean() + 0.5)


def weigh(parts: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Their sum, by `weights`."""
    return torch.stack([weight * parts[name] for name, weight in weights.items() if weight]).sum()


def _proximity(apart: Tensor, nearer: Tensor, inside: Tensor) -> Tensor:
    """One where two depths agree better than on average, falling off beyond; a weight, so nothing is learned through it."""
    apart = apart.detach() ** 2
    moment = (apart * nearer).sum((1, 2), keepdim=True) / (nearer.sum((1, 2), keepdim=True) + 1) + 1e-4
    return moment / (apart + moment) * inside


def weighted_ssim(x: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Unlikeness [N, 3, H-2, W-2] in 0..1 of structure over weighted 3x3 windows, and the windows' mean weight [N, 1, H-2, W-2]."""
    least = 0.01
    weight = weight[:, None]
    pooled = F.avg_pool2d(weight, 3, 1)

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values * (weight + least), 3, 1) / (pooled + least)

    mx, my = mean(x), mean(y)
    like = (2 * (mean(x * y) - mx * my) + CONTRAST) / (mean(x**2) - mx**2 + mean(y**2) - my**2 + CONTRAST)
    return ((1 - like) / 2).clamp(0, 1), pooled


def edge_aware(values: Tensor, rgb: Tensor) -> Tensor:
    """Mean step of values [N, 1, H, W] between neighbours, forgiven where the picture steps too."""
    total = values.new_zeros(())
    for axis in (2, 3):
        step, edge = (part.diff(dim=axis).abs() for part in (values, rgb))
        total = total + (step * torch.exp(-edge.mean(1, keepdim=True))).mean()
    return total


def normalised(residual: Tensor, total: Tensor) -> Tensor:
    """The residual field in units of the whole motion's length."""
    return residual / (3 * (total**2).mean((1, 2, 3), keepdim=True) + 1e-12).sqrt()


def group_smoothness(field: Tensor, wrap: bool) -> Tensor:
    """Mean length of the field's gradient: it may jump at few places."""
    down, across = field - field.roll(1, 2), field - field.roll(1, 3)
    if not wrap:
        down, across = down[:, :, 1:, 1:], across[:, :, 1:, 1:]
    return (1e-24 + down**2 + across**2).sqrt().mean()


def sparsity(field: Tensor) -> Tensor:
    """Like the mean length where the field is small, like its root where it is large: few pixels shall move, those may move far."""
    length = field.abs()
    mean = length.mean((2, 3), keepdim=True).detach()
    return (2 * mean * (length / (mean + 1e-24) + 1).sqrt()).mean()


def _cycle(turn: Tensor, total: Tensor, place: Tensor, nearer: Tensor) -> tuple[Tensor, Tensor]:
    """There and back again: what is left of the turn and of the way, each relative to its own size."""
    back, eye = other(turn), torch.eye(3, dtype=turn.dtype, device=turn.device)
    home = ((turn @ back - eye) ** 2).mean((1, 2))
    size = sum(((part - eye) ** 2).mean((1, 2)) for part in (turn, back))
    returned = fetch(other(total), place.detach())
    rest = (turn @ returned.flatten(2)).view_as(total) + total
    lengths = (total**2).sum(1) + (returned**2).sum(1)
    return (home / (1e-24 + size)).mean(), (nearer * (rest**2).sum(1) / (1e-24 + lengths)).mean()
