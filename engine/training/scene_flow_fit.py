"""Training room: depth of what moves, by scene flow, from a warm start (the quick way); no stage.

Three phases: the depths of three frames at a time are made to move steadily, votes of the start settling what motion leaves
open; the field warms up at frozen depth; then field and depth are fitted together by the published losses.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Callable

import numpy as np
import torch

from ..nets.scale_field import STRIDES, ScaleField
from ..nets.scene_flow import SceneFlowField
from . import checkpoint
from .follow_losses import expansion, published, straightness, vote
from .followed import Cameras, Table

Tensor = torch.Tensor
SATURATED = 0.01  # relative gain over PATIENCE epochs below which nothing more is to be had
PATIENCE = 4
SEED = 0
LEVELS = np.linspace(-1.5, 1.5, 61).tolist()  # log depths that are tried for a whole thing
LOOKED_AT = 4000  # pixels


@dataclass(frozen=True)
class Settings:
    """How long and by what; the weights are those of losses that are all about one where a pixel is missed."""

    straighten: int = 10  # epochs of each phase
    warm: int = 3
    joint: int = 8
    steps: int = 40
    batch: int = 2048
    rate: float = 0.02  # of the corrections
    field_rate: float = 2e-3
    expansion: float = 1.0
    vote: float = 0.1
    flow: float = 1.0
    disparity: float = 1.0
    acceleration: float = 1.0  # of the field's, halved, and of the straightness
    smooth: float = 1.0
    strides: tuple[int, ...] = STRIDES

    def shortened(self, effort: float) -> Settings:
        """The same phases with more or fewer steps in each epoch."""
        return replace(self, steps=max(8, round(effort * self.steps)))

    @property
    def epochs(self) -> int:
        """Of all phases."""
        return self.straighten + self.warm + self.joint


@dataclass
class Fit:
    """A training under way: its unknowns, its optimizer and the losses of every epoch."""

    table: Table
    cameras: Cameras
    size: tuple[int, int]
    settings: Settings
    scale: ScaleField = field(init=False)
    motion: SceneFlowField = field(init=False)
    curve: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(SEED)
        things = 1 + max(int(stops.thing.max()) for stops in (self.table.here, self.table.there, self.table.before))
        self.scale = ScaleField(len(self.cameras.eye), self.size, things, self.settings.strides)
        self.motion = SceneFlowField(48, 6)
        torch.nn.init.zeros_(self.motion.convs[-1].conv.weight)  # nothing moves until told
        self.optimizer = torch.optim.Adam([
            {"params": self.scale.parameters(), "lr": self.settings.rate},
            {"params": self.motion.parameters(), "lr": self.settings.field_rate, "betas": (0.5, 0.9)},
        ])

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
        held = checkpoint.load(state, {"scale": self.scale, "motion": self.motion, "optimizer": self.optimizer})
        self.curve = held["curve"] if held else []
        while len(self.curve) < self.settings.epochs and not self.saturated():
            self.curve.append(self._epoch(len(self.curve)))
            checkpoint.save(state, {"scale": self.scale, "motion": self.motion, "optimizer": self.optimizer}, {"curve": self.curve})
            after(self, len(self.curve))

    def phase(self, epoch: int) -> str:
        """straighten, warm or joint."""
        before = self.settings.straighten
        return "straighten" if epoch < before else "warm" if epoch < before + self.settings.warm else "joint"

    def saturated(self) -> bool:
        """Whether the joint phase has stopped gaining."""
        joint = [told["total"] for epoch, told in enumerate(self.curve) if self.phase(epoch) == "joint"]
        if len(joint) <= PATIENCE:
            return False
        return min(joint[-PATIENCE:]) > (1 - SATURATED) * min(joint[:-PATIENCE])

    @torch.no_grad()
    def _level(self) -> None:
        """Each thing at the level for the whole shot that costs least: by small steps it would not leave a mean of opposed votes."""
        random = np.random.default_rng(SEED)
        for thing in self.table.here.thing.unique().tolist():
            rows = torch.nonzero(self.table.here.thing == thing)[:, 0].cpu().numpy()
            some = self.table[torch.from_numpy(random.choice(rows, min(len(rows), LOOKED_AT), replace=False)).to(self.table.gap.device)]
            costs = []
            for level in LEVELS:
                self.scale.levels[thing] = level
                costs.append(float(self.settings.acceleration * straightness(some, self.scale, self.cameras)
                                   + self.settings.vote * vote(some, self.scale, 1.0)))
            self.scale.levels[thing] = LEVELS[int(np.argmin(costs))]

    def _epoch(self, epoch: int) -> dict[str, float]:
        if epoch == self.settings.straighten // 2:
            self._level()
        random = np.random.default_rng((SEED, epoch))
        batch = min(self.settings.batch, max(256, len(self.table) // 16))
        sums: dict[str, float] = {}
        for step in range(self.settings.steps):
            rows = torch.from_numpy(random.integers(0, len(self.table), batch)).to(self.table.gap.device)
            parts = self._losses(self.table[rows], epoch, step)
            self.optimizer.zero_grad(set_to_none=True)
            parts["total"].backward()
            self.optimizer.step()
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / self.settings.steps
        return {name: round(value, 5) for name, value in sums.items()}

    def _losses(self, rows: Table, epoch: int, step: int) -> dict[str, Tensor]:
        s, phase = self.settings, self.phase(epoch)
        parts: dict[str, Tensor] = {}
        if phase != "straighten":
            parts |= published(rows, self.scale, self.motion, self.cameras, frozen=phase == "warm")
        if phase == "warm":
            parts.pop("acceleration")
        else:
            narrow = min(1.0, 2 * (epoch + step / s.steps) / s.straighten) if s.straighten else 1.0
            parts["straightness"] = straightness(rows, self.scale, self.cameras)
            parts["expansion"] = expansion(rows, self.scale, self.cameras)
            parts["vote"] = vote(rows, self.scale, narrow)
        weights = asdict(s) | {"acceleration": 0.5 * s.acceleration, "straightness": s.acceleration}
        total = torch.stack([weights[name] * value for name, value in parts.items()]).sum()
        if phase != "warm":
            total = total + s.smooth * self.scale.roughness()
        return {**parts, "total": total}
