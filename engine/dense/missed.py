"""Dense room: which pixels beside the masks may be what they missed of a mover, told from still ones by the pictures; torch, no stage.

The flow carries a mover's motion over its rim, so that still pixels beside it seem to go along. They look like the still point that the
neighbours see, and not like where the flow leads; what was missed of the mover does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Callable

import torch

from ..media.flow import grid
from .agreement import Seen, inside, pixels, sample
from .edges import difference
from .shot import DOUBTED, Shot

Tensor = torch.Tensor
UNLIKE = 0.03  # of a picture's mean: difference of colour by which a pixel is told to be still
MOST = 0.2  # more than which none counts: that of what the picture does not show


@dataclass
class Missed:
    """Asks the frames just before and after; `view` gives what is known of a frame by its number."""

    shot: Shot
    view: Callable[[int], Seen | None]
    device: torch.device

    def __post_init__(self) -> None:
        self._picture = lru_cache(maxsize=8)(self._load)

    def doubt(self, number: int, here: Seen) -> Tensor:
        """How far each pixel may belong to a mover whose mask missed it [H, W], 0..1; 0 within the masks."""
        doubt = torch.from_numpy((1 - self.shot.likely(number) / DOUBTED).clip(0, 1)).to(self.device)
        asked = (doubt > 0) & (here.moving < 0.5)
        told = [self._unlike(number, side, here, asked) for side in (self.shot.step, -self.shot.step)] if bool(asked.any()) else []
        heard = [one for one in told if one is not None]
        if not heard:
            return torch.zeros_like(doubt)
        moved, lands, still = (torch.stack(part) for part in zip(*heard))
        # A still point beside a mover is seen on one side at least.
        worse = (moved * lands).sum(0) / lands.sum(0).clamp(min=1) - still.amin(0)
        kept = torch.zeros_like(doubt)
        kept[asked] = doubt[asked] * lands.amax(0) * (1 - worse / UNLIKE).clamp(0, 1)
        return kept

    def _unlike(self, number: int, side: int, here: Seen, asked: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
        """Of the N pixels `asked` [H, W]: how unlike what the flow leads to in a neighbour they look [N], 1 where that is a mover [N], and
        how unlike the still point there [N]."""
        other, found = self.shot.neighbour(number, side), self.shot.flow(number, side)
        there = self.view(other) if other is not None else None
        if other is None or there is None or found is None:
            return None
        relative = torch.linalg.solve(there.view.world_from_camera, here.view.world_from_camera).float()
        still = pixels((here.rays[asked] * here.depth[asked, None]) @ relative[:3, :3].T + relative[:3, 3], there.view)
        flow, valid = (torch.from_numpy(part).to(self.device)[asked] for part in found)
        moved = torch.from_numpy(grid(self.shot.size)).to(self.device)[asked] + flow
        lands = (sample(there.moving[None], moved[None], "nearest")[0, 0] > 0.5) & valid
        own, picture = self._picture(number)[:, None, asked], self._picture(other)
        apart = [difference(own, sample(picture, place[None]))[0] for place in (moved, still)]
        return apart[0], lands.float(), torch.where(inside(still, here.depth.shape), apart[1], MOST)

    def _load(self, number: int) -> Tensor:
        picture = self.shot.picture(number)
        return torch.from_numpy(picture / max(float(picture.mean()), 1e-3)).to(self.device).permute(2, 0, 1)
