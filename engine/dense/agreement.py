"""Dense room: what the frames around say of a frame's depth — still points by the cameras, movers along flow; torch, no stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F

from .shot import Shot

Tensor = torch.Tensor
TILE = 1 << 17  # values worked on at once on a CPU, so that they stay in its cache
SPREAD = 0.03  # relative difference of depth up to which two frames speak of the same surface


@dataclass(frozen=True)
class View:
    """A camera as tensors on the working device."""

    focal: Tensor  # [2] px
    centre: Tensor  # [2] px
    distortion: Tensor  # [4]
    world_from_camera: Tensor  # [4, 4] float64

    def spread(self, size: tuple[int, int]) -> View:
        """The same for a picture of (W, H) whose borders lie at -1 and 1: it sees at spots, where it saw at pixel indices."""
        half = 0.5 * torch.tensor(size, dtype=self.focal.dtype, device=self.focal.device)
        return replace(self, focal=self.focal / half, centre=self.centre / half - 0.5)

    @cached_property
    def told(self) -> tuple[list[float], list[float], list[float]]:
        """Focal length and centre of pixel indices, px, and distortion, as plain numbers: fetched once, not for each tile."""
        return self.focal.cpu().tolist(), (self.centre - 0.5).cpu().tolist(), self.distortion.cpu().tolist()


@dataclass(frozen=True)
class Seen:
    """One frame's depth as its neighbours need it."""

    depth: Tensor  # [H, W] scene units, 0 = unknown
    confidence: Tensor  # [H, W]
    rays: Tensor  # [H, W, 3]
    moving: Tensor  # [H, W] 1 on what moves by itself
    view: View

    @cached_property
    def planes(self) -> Tensor:
        """The rays [3, H W], each coordinate in one piece: twice as quick."""
        return self.rays.permute(2, 0, 1).flatten(1).contiguous()


def view(shot: Shot, row: int, device: torch.device) -> View:
    """The camera of a row."""
    camera = shot.camera
    parts = (torch.from_numpy(part[row]).float().to(device) for part in (camera.focal, camera.centre, camera.distortion))
    return View(*parts, torch.from_numpy(camera.world_from_camera[row]).to(device))


def pixels(points: Tensor, view: View) -> Tensor:
    """Points [..., 3] in the view's camera axes -> pixel indices [..., 2] (centres at whole numbers), lens included."""
    return seen_at(*points.unbind(-1), view)


def seen_at(x: Tensor, y: Tensor, z: Tensor, view: View) -> Tensor:
    """The same from their coordinates, each [...]: twice as quick, for each lies in one piece. No gradients."""
    focal, centre, (k1, k2, p1, p2) = view.told
    nearness = z.clamp(min=1e-6).reciprocal_()
    x, y = x * nearness, y * nearness
    if k1 or k2 or p1 or p2:
        r2 = (x * x).addcmul_(y, y)
        radial = (r2 * k2).add_(k1).mul_(r2).add_(1) if k2 else (r2 * k1).add_(1)
        across, down = x * radial, y * radial
        if p1 or p2:
            both = 2 * x * y
            across, down = across + p1 * both + p2 * (r2 + 2 * x * x), down + p1 * (r2 + 2 * y * y) + p2 * both
        x, y = across, down
    seen = x.new_empty(*x.shape, 2)
    for k, side in enumerate((x, y)):
        torch.mul(side, focal[k], out=seen[..., k]).add_(centre[k])
    return seen


def sample(plane: Tensor, place: Tensor, mode: str = "bilinear") -> Tensor:
    """Values of [C, H, W] at pixel indices [H, W, 2]; the border is held."""
    return sample_spots(plane, spots(place, plane.shape), mode)


def spots(place: Tensor, shape: torch.Size) -> Tensor:
    """Pixel indices [..., N, 2] of planes [..., H, W] as spots, -1..1 from border to border: rows in one piece, which is five times as quick."""
    step = 2 / torch.tensor(shape[:-3:-1], dtype=place.dtype, device=place.device)
    count = place.shape[-2]
    return torch.addcmul((0.5 * step - 1).repeat(count), place.flatten(-2), step.repeat(count)).view(place.shape)


def sample_spots(plane: Tensor, spots: Tensor, mode: str = "bilinear") -> Tensor:
    """The same at spots [H, W, 2], -1..1 from border to border."""
    return F.grid_sample(plane[None], spots[None], mode=mode, padding_mode="border", align_corners=False)[0]


def inside(place: Tensor, shape: torch.Size) -> Tensor:
    """Where pixel indices [H, W, 2] lie in a picture of shape (H, W)."""
    x, y = place.unbind(-1)
    return (x >= 0) & (y >= 0) & (x <= shape[1] - 1) & (y <= shape[0] - 1)


def within(spots: Tensor, shape: torch.Size) -> Tensor:
    """The same of spots [..., 2], -1..1 from border to border: where they lie no farther out than the centres of the outermost pixels."""
    x, y = (side.abs() <= 1 - 1 / length for side, length in zip(spots.unbind(-1), reversed(shape[-2:])))
    return x & y


def leading(here: View, there: View) -> Tensor:
    """[4, 4] from one camera's axes to another's."""
    return torch.linalg.solve(there.world_from_camera, here.world_from_camera).float()


def carried(here: Seen, there: Seen) -> tuple[Tensor, Tensor]:
    """Depth [H, W] in `here` of what `there` has measured of the same still points, and its weight (0 where hidden or outside)."""
    relative = leading(here.view, there.view)
    shape = here.depth.shape
    points = torch.addcmul(relative[:3, 3, None, None], (relative[:3, :3] @ here.planes).unflatten(1, shape), here.depth)
    spot = seen_at(*points, there.view.spread(shape[::-1]))
    back = torch.linalg.inv(relative)[2]
    there_seen = torch.addcmul(back[3], (back[:3] @ there.planes).view(shape), there.depth)  # how far off what is there would be here
    depth, sure = sample_spots(torch.stack([there_seen, there.confidence]), spot)
    # Bilinear samples across a depth edge are no surface at all: the nearest pixel must agree with them.
    nearest, barred = sample_spots(torch.stack([there_seen, torch.maximum(there.moving, (there.depth <= 0).float())]), spot, "nearest")
    solid = ((nearest - depth).abs() < SPREAD * nearest) & (barred < 0.5) & (depth > 0) & (points[2] > 0)
    return depth, sure * solid * within(spot, shape)


def robust_mean(values: Tensor, weights: Tensor, rounds: int = 3) -> tuple[Tensor, Tensor]:
    """Of log depths [K, H, W] with weights: the weighted median, then Cauchy rounds about it; and the share that agrees, both [H, W]."""
    step = values.shape[1] if values.is_cuda else max(1, TILE // values[:, 0].numel())
    parts = zip(values.split(step, 1), weights.split(step, 1))
    mean, share = (torch.cat(part) for part in zip(*(_robust_mean(*part, rounds) for part in parts)))
    return mean, share


def _robust_mean(values: Tensor, weights: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    ranked, order = values.sort(0)
    load = weights.gather(0, order)
    total = load.sum(0)
    middle = (load.cumsum_(0) < 0.5 * total).sum(0, keepdim=True).clamp(max=len(values) - 1)
    mean, share = ranked.gather(0, middle)[0], weights
    for _ in range(rounds):
        share = weights / (values - mean).div_(SPREAD).square_().add_(1)
        mean = (share * values).sum(0) / share.sum(0).clamp_(min=1e-9)
    return mean, share.sum(0) / total.clamp_(min=1e-9)
