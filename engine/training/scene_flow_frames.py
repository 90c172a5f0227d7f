"""Training room: depth of whole frames by scene flow as published — a depth network fine-tuned with the field; torch, no stage.

Zhang et al. 2021, section 4 and the settings of their experiments: Adam with betas (0.5, 0.9), one pair of frames a step, pairs over
several gaps in random order, the depth network frozen while the field warms up, no decay. A network that does not know the clip yet
is first fitted to the depth that there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..nets.scene_flow import SceneFlowField
from . import checkpoint
from .scene_flow import Side, acceleration, losses, occluded, relate

Tensor = torch.Tensor
UNIT = 10.0  # the median depth of the clip in the training's unit: the losses are calibrated for depths of about that
SEED = 0
FRESH = 1e-3  # Adam's rate of a network that is fitted to the start


@dataclass(frozen=True)
class Settings:
    """As published, but for `fit` and the rate of a network that is no larger than a clip needs."""

    epochs: int = 20
    warm: int = 5  # of them with frozen depth
    most: int = 2000  # steps in one epoch
    effort: float = 1.0  # part of the pairs that an epoch goes through
    fit: int = 60  # steps for each frame, before the first epoch
    depth_rate: float = 1e-6
    field_rate: float = 1e-3
    flow: float = 1.0
    disparity: float = 1.0
    acceleration: float = 1.0

    def shortened(self, effort: float) -> Settings:
        """The same epochs, each through a part of the pairs."""
        return replace(self, effort=effort, fit=max(2, round(self.fit * min(1.0, effort))))


@dataclass(frozen=True)
class Clip:
    """A clip as this training reads it, at a size that suits the network; lengths in the training's unit."""

    pictures: Tensor  # [T, 3, H, W] 0..1
    start: Tensor  # [T, 1, H, W], 0 = unknown
    intrinsics: Tensor  # [T, 3, 3] for pixel indices
    rotation: Tensor  # [T, 3, 3] camera to world
    place: Tensor  # [T, 3]
    pairs: list[tuple[int, int]]  # places of frames
    flows: dict[tuple[int, int], NDArray[np.float16]]  # [H, W, 2] px, both ways of every pair


@dataclass
class Fit:
    """A training under way."""

    clip: Clip
    depth: nn.Module  # RGB [B, 3, H, W] -> depth [B, 1, H, W]
    settings: Settings
    device: torch.device
    motion: SceneFlowField = field(init=False)
    curve: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(SEED)
        self.motion = SceneFlowField().to(self.device)
        self.depth.to(self.device).eval()  # normalisation is never trained on
        self.fresh = torch.optim.Adam(self.depth.parameters(), FRESH)
        self.optimizer = torch.optim.Adam([
            {"params": self.depth.parameters(), "lr": self.settings.depth_rate}, {"params": self.motion.parameters(), "lr": self.settings.field_rate},
        ], betas=(0.5, 0.9))

    @property
    def epochs(self) -> int:
        """With the one in which the network is fitted to the start."""
        return self.settings.epochs + 1

    def phase(self, epoch: int) -> str:
        """fit, warm or joint."""
        return "fit" if epoch == 0 else "warm" if epoch <= self.settings.warm else "joint"

    def run(self, state: Path, after: Callable[[Fit, int], None]) -> None:
        """Train from the last state on; `after` hears of every epoch that is finished and kept."""
        parts = {"depth": self.depth, "motion": self.motion, "optimizer": self.optimizer}
        held = checkpoint.load(state, parts)
        self.curve = held["curve"] if held else []
        while len(self.curve) < self.epochs:
            epoch = len(self.curve)
            self.curve.append(self._start() if epoch == 0 else self._epoch(epoch))
            checkpoint.save(state, parts, {"curve": self.curve})
            after(self, len(self.curve))

    @torch.no_grad()
    def found(self, place: int) -> Tensor:
        """Depth [H, W] of a frame in the training's unit."""
        return self.depth(self.clip.pictures[place : place + 1].to(self.device))[0, 0]

    def _start(self) -> dict[str, float]:
        """Bring the network to the depth of the start."""
        random, total = np.random.default_rng(SEED), 0.0
        steps = self.settings.fit * len(self.clip.pictures)
        for _ in range(steps):
            rows = torch.from_numpy(random.integers(0, len(self.clip.pictures), 2))
            there = self.clip.start[rows].to(self.device)
            known = there > 0
            found = self.depth(self.clip.pictures[rows].to(self.device))
            miss = (found.clamp(min=1e-3).log() - there.clamp(min=1e-3).log()).abs()
            loss = (miss * known).sum() / known.sum().clamp(min=1)
            self._step(self.fresh, loss)
            total += float(loss.detach())
        return {"fit": round(total / steps, 5), "total": round(total / steps, 5)}

    def _epoch(self, epoch: int) -> dict[str, float]:
        random = np.random.default_rng((SEED, epoch))
        count = max(1, min(self.settings.most, round(self.settings.effort * len(self.clip.pairs))))
        warming = self.phase(epoch) == "warm"
        self.depth.requires_grad_(not warming)
        sums: dict[str, float] = {}
        for k in random.permutation(len(self.clip.pairs))[:count]:
            parts = self._losses(*self.clip.pairs[k], warming)
            self._step(self.optimizer, parts["total"])
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / count
        self.depth.requires_grad_(True)
        return {name: round(value, 5) for name, value in sums.items()}

    def _step(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def _losses(self, i: int, j: int, warming: bool) -> dict[str, Tensor]:
        first, second = self._side(i), self._side(j)
        there, back = (torch.from_numpy(self.clip.flows[pair].astype(np.float32)).to(self.device) for pair in ((i, j), (j, i)))
        trusted = (~occluded(there.cpu(), back.cpu())).to(there)[None, None]
        step = 1 / len(self.clip.pictures)
        time = torch.full_like(first.depth, i * step)
        pair = relate(self.motion, first, second, there[None], time, step, j - i)
        told = losses(pair, first, there[None], trusted, warming)
        parts = {"flow": told["flow"], "disparity": told["disparity"]}
        if not warming:
            parts["acceleration"] = acceleration(self.motion, pair.points, time, step)
        weights = {name: getattr(self.settings, name) for name in parts}
        return {**parts, "total": torch.stack([weights[name] * value for name, value in parts.items()]).sum()}

    def _side(self, place: int) -> Side:
        clip = self.clip
        depth = self.depth(clip.pictures[place : place + 1].to(self.device)).clamp(min=1e-2)
        return Side(depth, *(part[place].to(self.device) for part in (clip.intrinsics, clip.rotation, clip.place)))
