"""Training room: depth of what moves, by scene flow, from a warm start (the quick way); no stage.

How each thing grows in the picture gives at once how its depth changes; then the field warms up at frozen depth, and field and depth
are fitted together by the published losses. Votes of the start settle what motion leaves open.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from ..nets.scale_field import ScaleField
from ..nets.scene_flow import SceneFlowField
from . import checkpoint
from .follow_losses import expansion, published, roughness, vote
from .followed import Cameras, Table

Tensor = torch.Tensor
SATURATED = 0.01  # relative gain over PATIENCE epochs below which nothing more is to be had
PATIENCE = 4
SEED = 0


@dataclass(frozen=True)
class Settings:
    """How long and by what; the weights are those of losses that are all about one where a pixel is missed."""

    warm: int = 3  # epochs of each phase
    joint: int = 6
    steps: int = 30
    batch: int = 768
    rate: float = 0.002  # of the corrections, which begin near their goal
    field_rate: float = 2e-3
    expansion: float = 1.0
    vote: float = 1.0
    flow: float = 0.1  # more of it, and the depth follows a field that has not settled
    disparity: float = 1.0
    acceleration: float = 1.0
    smooth: float = 1.0

    def shortened(self, effort: float) -> Settings:
        """The same phases with more or fewer steps in each epoch."""
        return replace(self, steps=max(8, round(effort * self.steps)))

    @property
    def epochs(self) -> int:
        """Of all phases."""
        return self.warm + self.joint


@dataclass
class Fit:
    """A training under way: its unknowns, its optimizer and the losses of every epoch."""

    table: Table
    cameras: Cameras
    settings: Settings
    began: NDArray[np.float64]  # [things, frames] corrections of log depth to start from
    scale: ScaleField = field(init=False)
    motion: SceneFlowField = field(init=False)
    curve: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(SEED)
        self.scale = ScaleField(len(self.cameras.eye), len(self.began))
        self.scale.levels.data.copy_(torch.from_numpy(self.began))
        self.motion = SceneFlowField(48, 6)
        torch.nn.init.zeros_(self.motion.convs[-1].conv.weight)  # nothing moves until told

    def to(self, device: torch.device) -> Fit:
        """On another device, before training."""
        self.table = self.table.to(device)
        held = self.cameras
        self.cameras = Cameras(held.turn.to(device), held.eye.to(device), held.time.to(device), held.focal, held.unit)
        self.scale.to(device)
        self.motion.to(device)
        return self

    def run(self, state: Path, after: Callable[[Fit, int], None]) -> None:
        """Train from the last state on; `after` hears of every epoch that is finished and kept."""
        # Made here alone: to make it, torch loads what takes seconds, and closed forms need none.
        self.optimizer = torch.optim.Adam([
            {"params": self.scale.parameters(), "lr": self.settings.rate},
            {"params": self.motion.parameters(), "lr": self.settings.field_rate, "betas": (0.5, 0.9)},
        ])
        held = checkpoint.load(state, {"scale": self.scale, "motion": self.motion, "optimizer": self.optimizer})
        self.curve = held["curve"] if held else []
        while len(self.curve) < self.settings.epochs and not self.saturated():
            self.curve.append(self._epoch(len(self.curve)))
            checkpoint.save(state, {"scale": self.scale, "motion": self.motion, "optimizer": self.optimizer}, {"curve": self.curve})
            after(self, len(self.curve))

    def phase(self, epoch: int) -> str:
        """warm or joint."""
        return "warm" if epoch < self.settings.warm else "joint"

    def saturated(self) -> bool:
        """Whether the joint phase has stopped gaining."""
        joint = [told["total"] for epoch, told in enumerate(self.curve) if self.phase(epoch) == "joint"]
        if len(joint) <= PATIENCE:
            return False
        return min(joint[-PATIENCE:]) > (1 - SATURATED) * min(joint[:-PATIENCE])

    def _epoch(self, epoch: int) -> dict[str, float]:
        random = np.random.default_rng((SEED, epoch))
        batch = min(self.settings.batch, max(256, len(self.table) // 16))
        sums: dict[str, float] = {}
        for _ in range(self.settings.steps):
            rows = torch.from_numpy(random.integers(0, len(self.table), batch)).to(self.table.gap.device)
            parts = self._losses(self.table[rows], self.phase(epoch))
            self.optimizer.zero_grad(set_to_none=True)
            parts["total"].backward()
            self.optimizer.step()
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / self.settings.steps
        return {name: round(value, 5) for name, value in sums.items()}

    def _losses(self, rows: Table, phase: str) -> dict[str, Tensor]:
        parts = published(rows, self.scale, self.motion, self.cameras, frozen=phase == "warm")
        if phase == "warm":
            parts.pop("acceleration")
        else:
            parts |= {"expansion": expansion(rows, self.scale, self.cameras), "vote": vote(rows, self.scale)}
        weights = asdict(self.settings)
        total = torch.stack([weights[name] * value for name, value in parts.items()]).sum()
        if phase != "warm":
            total = total + self.settings.smooth * roughness(self.scale)
        return {**parts, "total": total}
