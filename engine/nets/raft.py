"""The nets room, RAFT (Teed and Deng, ECCV 2020): optical flow from all pairs of places, mended round by round; no stage, no files but weights.

The state dict takes the public checkpoints of the full model key for key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..failures import SetupFailure

STEP = 8  # the networks see one place for so many pixels along each side
FEATURES, HIDDEN, CONTEXT = 256, 128, 128  # channels
LEVELS, REACH = 4, 4  # of the pyramid of likeness; places looked up on each side
NEAR = 2 * REACH + 1
MOST = 1 << 30  # bytes of likeness held at once; larger pictures have theirs made anew for each round, a band of places at a time


class _Residual(nn.Module):
    """Two convolutions beside a way around them."""

    def __init__(self, inside: int, outside: int, norm: type[nn.Module], stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1)
        self.norm1, self.norm2 = norm(outside), norm(outside)
        if stride > 1:
            self.norm3 = norm(outside)  # named twice in the public checkpoints
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class _Encoder(nn.Module):
    """[B, 3, H, W] -> [B, outside, H / 8, W / 8]."""

    def __init__(self, outside: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3)
        self.norm1 = norm(64)
        self.layer1 = nn.Sequential(_Residual(64, 64, norm), _Residual(64, 64, norm))
        self.layer2 = nn.Sequential(_Residual(64, 96, norm, 2), _Residual(96, 96, norm))
        self.layer3 = nn.Sequential(_Residual(96, 128, norm, 2), _Residual(128, 128, norm))
        self.conv2 = nn.Conv2d(128, outside, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class _MotionEncoder(nn.Module):
    """What likeness [B, 324, h, w] and flow [B, 2, h, w] say together: [B, 128, h, w], the last two channels the flow itself."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(LEVELS * NEAR**2, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(256, 126, 3, padding=1)

    def forward(self, likeness: Tensor, flow: Tensor) -> Tensor:
        told = F.relu(self.convc2(F.relu(self.convc1(likeness))))
        gone = F.relu(self.convf2(F.relu(self.convf1(flow))))
        return torch.cat([F.relu(self.conv(torch.cat([told, gone], 1))), flow], 1)


class _SeparableGru(nn.Module):
    """A gated recurrent unit along rows, then one along columns."""

    def __init__(self) -> None:
        super().__init__()
        for turn, kernel in ((1, (1, 5)), (2, (5, 1))):
            for gate in "zrq":
                padding = (kernel[0] // 2, kernel[1] // 2)
                setattr(self, f"conv{gate}{turn}", nn.Conv2d(HIDDEN + CONTEXT + 128, HIDDEN, kernel, padding=padding))

    def forward(self, hidden: Tensor, given: Tensor) -> Tensor:
        for turn in (1, 2):
            update, reset, fresh = (getattr(self, f"conv{gate}{turn}") for gate in "zrq")
            both = torch.cat([hidden, given], 1)
            z, r = torch.sigmoid(update(both)), torch.sigmoid(reset(both))
            hidden = (1 - z) * hidden + z * torch.tanh(fresh(torch.cat([r * hidden, given], 1)))
        return hidden


class _FlowHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(HIDDEN, 256, 3, padding=1)
        self.conv2 = nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.conv2(F.relu(self.conv1(hidden)))


class _Update(nn.Module):
    """One round (section 3.3), and the weights by which each pixel takes its flow from the nine places around (section 3.3, upsampling)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.gru, self.flow_head = _MotionEncoder(), _SeparableGru(), _FlowHead()
        self.mask = nn.Sequential(nn.Conv2d(HIDDEN, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 9 * STEP**2, 1))

    def forward(self, hidden: Tensor, context: Tensor, likeness: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.gru(hidden, torch.cat([context, self.encoder(likeness, flow)], 1))
        return hidden, self.flow_head(hidden)


@dataclass(frozen=True)
class Seen:
    """What the networks make of one picture, whatever it is compared with: each [1, C, H / 8, W / 8]."""

    features: Tensor
    hidden: Tensor
    context: Tensor


class Raft(nn.Module):
    """The full model of the paper."""

    def __init__(self) -> None:
        super().__init__()
        self.fnet = _Encoder(FEATURES, nn.InstanceNorm2d)
        self.cnet = _Encoder(HIDDEN + CONTEXT, nn.BatchNorm2d)
        self.update_block = _Update()

    def see(self, picture: Tensor) -> Seen:
        """Of a picture [1, 3, H, W] RGB 0..255; H and W multiples of 8."""
        x = 2 * picture / 255 - 1
        hidden, context = self.cnet(x).split((HIDDEN, CONTEXT), 1)
        return Seen(self.fnet(x).float(), torch.tanh(hidden), F.relu(context))

    def flow(self, a: Seen, b: Seen, rounds: int = 12, most: int = MOST) -> Tensor:
        """From picture a to picture b: [1, 2, H, W] px; `most`: bytes of likeness held at once."""
        likeness = Likeness(a.features, b.features, most)
        start = _places(a.features)
        hidden, flow = a.hidden, torch.zeros_like(start)
        for _ in range(rounds):
            hidden, step = self.update_block(hidden, a.context, likeness.around(start + flow).to(hidden.dtype), flow.to(hidden.dtype))
            flow = flow + step.float()
        return _finer(flow, 0.25 * self.update_block.mask(hidden).float())

    def forward(self, first: Tensor, second: Tensor, rounds: int = 12) -> Tensor:
        """Flow [1, 2, H, W] px from one picture [1, 3, H, W] RGB 0..255 to another; H and W multiples of 8."""
        return self.flow(self.see(first), self.see(second), rounds)


class Likeness:
    """How alike each place of one picture is to all places of another (section 3.2), in memory that stays bounded.

    Likeness to a mean of features is the mean of likenesses, so the pyramid is one of features: a few MB in place of the published one.
    """

    def __init__(self, a: Tensor, b: Tensor, most: int) -> None:
        self.shape = a.shape[-2:]
        self.ours = a[0].flatten(1).T / FEATURES**0.5  # [N, C]
        self.theirs = [b]
        for _ in range(LEVELS - 1):
            self.theirs.append(F.avg_pool2d(self.theirs[-1], 2))
        each = 4 * sum(level.shape[-2] * level.shape[-1] for level in self.theirs)  # bytes for one of our places
        self.band = max(1, min(len(self.ours), most // each))
        self.held = self._tables(slice(None)) if self.band == len(self.ours) else None

    def around(self, places: Tensor) -> Tensor:
        """[1, 324, h, w] about the places [1, 2, h, w] (x, y) of the other picture; of each level first by x, then by y, as published."""
        at = places[0].flatten(1).T  # [N, 2]
        bands = [slice(start, start + self.band) for start in range(0, len(at), self.band)]
        told = torch.cat([self._looked_up(self.held or self._tables(band), at[band]) for band in bands])
        return told.T.unflatten(1, self.shape)[None]

    def _tables(self, band: slice) -> list[Tensor]:
        """Likeness [n, H, W] of some of our places to all places of each level."""
        return [(self.ours[band] @ level[0].flatten(1)).unflatten(1, level.shape[-2:]) for level in self.theirs]

    def _looked_up(self, tables: list[Tensor], at: Tensor) -> Tensor:
        return torch.cat([_window(table, at / 2**level) for level, table in enumerate(tables)], 1)


def _window(table: Tensor, at: Tensor) -> Tensor:
    """[n, 81]: each table [n, H, W] about its place [n, 2] (x, y), bilinear, nothing outside. All 81 share one fraction."""
    high, wide = table.shape[-2:]
    corner = at.floor()
    fx, fy = (at - corner)[..., None, None].unbind(1)
    offsets = torch.arange(-REACH, REACH + 2, device=at.device)
    x, y = (part[:, None] + offsets for part in corner.long().unbind(1))  # [n, 10]
    inside = ((y >= 0) & (y < high))[:, :, None] & ((x >= 0) & (x < wide))[:, None]
    index = y.clamp(0, high - 1)[:, :, None] * wide + x.clamp(0, wide - 1)[:, None]
    values = table.flatten(1).gather(1, index.flatten(1)).unflatten(1, index.shape[1:]) * inside
    values = torch.lerp(values[..., :-1], values[..., 1:], fx)
    return torch.lerp(values[:, :-1], values[:, 1:], fy).transpose(1, 2).flatten(1)


def _places(like: Tensor) -> Tensor:
    """[1, 2, h, w] x, y."""
    high, wide = like.shape[-2:]
    y, x = torch.meshgrid(*(torch.arange(side, device=like.device, dtype=torch.float32) for side in (high, wide)), indexing="ij")
    return torch.stack([x, y])[None]


def _finer(flow: Tensor, weights: Tensor) -> Tensor:
    """[1, 2, 8h, 8w] px from [1, 2, h, w]: each pixel a convex mixture, by weights [1, 9 * 64, h, w], of the nine places around."""
    high, wide = flow.shape[-2:]
    share = weights.view(1, 1, 9, STEP, STEP, high, wide).softmax(2)
    around = F.unfold(STEP * flow, 3, padding=1).view(1, 2, 9, 1, 1, high, wide)
    return (share * around).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(1, 2, STEP * high, STEP * wide)


def load(path: Path, device: torch.device | str = "cpu") -> Raft:
    """The network with the weights of a public checkpoint of the full model; nothing in the file is executed."""
    without = {"flow": {"method": "dis"}}
    if not path.is_file():
        raise SetupFailure(
            "weights-missing", "The weights of RAFT are not there.", f"There is no file '{path}'.",
            "Choose a file such as raft-sintel.pth in the option 'weights', or take the method 'dis', which needs none.", without,
        )
    net = Raft()
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict({name.removeprefix("module."): value for name, value in content.items()})
    except Exception as error:  # unpickling, missing keys and wrong shapes are all the same to the user
        raise SetupFailure(
            "weights-damaged", "The weights of RAFT cannot be read.", f"{path.name}: {str(error).splitlines()[0]}",
            "Choose the authors' raft-sintel.pth or raft-things.pth; the small model is another network.", without,
        ) from None
    return net.eval().to(device)
