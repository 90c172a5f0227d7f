"""Dense room: depth of each frame brought to agree with the frames around it, at once and without training; torch, no stage.

Each frame hears its neighbours — still points carried by the cameras, movers along flow — and takes the weighted median, then
the robust mean. Nothing is blended across a depth edge, so no ghosts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np
import torch

from ..contract.artifacts import FRAME
from ..contract.options import ConsistentDepth
from ..media.flow import grid
from ..media.frames import read_depth
from .agreement import Seen, carried, inside, robust_mean, sample, view
from .missed import Missed
from .parallel import Kept
from .shot import Picture, Shot

LEAP = 0.35  # of log depth, by which still points of other frames are another surface: what moved away left it, or they err

Mend = Callable[[int, Picture, Picture], tuple[Picture, Picture]]


class Temporal:
    """Brings the depth of each frame to agree with the frames around it."""

    def __init__(self, shot: Shot, depth: Path, options: ConsistentDepth, device: torch.device, mend: Mend | None = None) -> None:
        """`mend` makes frame number, depth and confidence into better ones before they are averaged."""
        self.shot, self.folder, self.options, self.device, self.mend = shot, depth, options, device, mend
        self._rays: tuple[Picture, torch.Tensor] | None = None
        self._missed, reach = Missed(shot, lambda other: self._loaded(other), device), options.reach
        self._loaded = Kept(self._load, 2 * (reach + self._missed.gaps[-1] // shot.step) + 4)
        self._view = Kept(self._settled, 2 * reach + 4)

    def _load(self, number: int) -> Seen | None:
        row = self.shot.row(number)
        if row is None:
            return None
        depth, confidence = (np.array(part, np.float32) for part in read_depth(self.folder / f"{FRAME % number}.exr"))
        if self.mend:
            depth, confidence = self.mend(number, depth, confidence)
        depth, confidence, moving = (self._tensor(part) for part in (depth, confidence, self.shot.movers(number)))
        return Seen(depth, confidence, self._towards(row), moving, view(self.shot, row, self.device))

    def _tensor(self, part: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(part, np.float32)).to(self.device)

    def _towards(self, row: int) -> torch.Tensor:
        """Rays [H, W, 3], the same tensor for frames through one lens: they are half of what is kept of a frame."""
        rays, held = self.shot.rays(row), self._rays
        if held is None or held[0] is not rays:
            self._rays = held = rays, self._tensor(rays)
        return held[1]

    def _settled(self, number: int) -> Seen | None:
        here = self._loaded(number)
        return None if here is None else self._missed.settled(number, here)

    def frame(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Depth and confidence [H, W] of one frame, made to agree."""
        here = self._view(number)
        if here is None or not bool((here.depth > 0).any()):
            nothing = np.zeros(self.shot.size[::-1], np.float32)
            return nothing, nothing
        moving = here.moving > 0.5
        # Beside a mask lies what it missed of the mover: there, too, movers are heard along flow, and the cameras less.
        doubt = self._missed.doubt(number, here)
        floor = 0.05  # even the least sure depth has a voice
        values, weights = [here.depth.log()], [here.confidence + floor]
        for gap in range(1, self.options.reach + 1):
            for depth, weight in self._witnesses(number, here, gap, doubt):
                values.append(torch.where(weight > 0, depth.clamp(min=1e-9).log(), values[0]))
                weights.append(torch.where(weight > 0, self.options.strength * (weight + floor) * 0.9**gap, 0 * weight))
        mean, share = robust_mean(torch.stack(values), torch.stack(weights))
        sure = torch.stack([weight.clamp(max=1) for weight in weights]).amax(0) * share
        # Frames of what moves err together: that they agree makes none of them surer.
        told = torch.where(moving, here.confidence * share, torch.maximum(here.confidence * share, sure - floor))
        return mean.exp().cpu().numpy(), told.clamp(0, 1).cpu().numpy()

    def _witnesses(self, number: int, here: Seen, gap: int, doubt: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(depth, weight) [H, W] told by the frames `gap` before and after."""
        told, along = [], []
        for side in (gap * self.shot.step, -gap * self.shot.step):
            other = self.shot.neighbour(number, side)
            there = self._view(other) if other is not None else None
            if there is None:
                continue
            depth, weight = carried(here, there)
            leap = (depth.clamp(min=1e-9) / here.depth.clamp(min=1e-9)).log() / LEAP
            told.append((depth, weight * (1 - here.moving - doubt) / (1 + leap.square().square())))
            heard = self._along_flow(number, side, there) if bool((here.moving + doubt).any()) else None
            along += [heard] if heard else []
        if along:
            depths, trust = (torch.stack(part) for part in zip(*along))
            # A mover nears or leaves steadily: only the mean of both sides says where it is now. One side is better than what is behind it.
            both = 2 * trust.amin(0) if len(along) == 2 else torch.zeros_like(doubt)
            told.append(((depths * trust).sum(0) / trust.sum(0).clamp(min=1e-6), here.moving * both + doubt * trust.sum(0)))
        return told

    def _along_flow(self, number: int, side: int, there: Seen) -> tuple[torch.Tensor, torch.Tensor] | None:
        found = self.shot.flow(number, side)
        if found is None:
            return None
        place = torch.from_numpy(grid(self.shot.size) + found[0]).to(self.device)
        valid = torch.from_numpy(found[1]).to(self.device)
        # A thing stands at one depth, so the nearest pixel tells it; between pixels lies a blend with what is behind.
        depth, sure, moves = sample(torch.stack([there.depth, there.confidence, there.moving]), place, "nearest")
        return depth, (sure + 0.05) * moves * valid * inside(place, there.depth.shape)
