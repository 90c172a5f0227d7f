"""Dense room: what parallax measures of a frame, and what the frames about it measure where it alone cannot; torch, no stage.

Where the camera hardly travels the error of a frame wanders over the picture and from frame to frame. What many frames measure, each by
its information, errs less; and neighbours share most of it, so what is filled in from it stays calm. And what a mover hides, or drowns
beside it in its own motion, is measured where it has gone on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterable, Iterator

import cv2
import numpy as np
import torch

from ..geometry import triangulation
from ..geometry.blobs import disc
from ..geometry.triangulation import Estimate
from . import measured, sightings, sky
from .agreement import inside, leading, pixels, sample, view
from .layers import BELIEVED, RIM, STILL, typical
from .parallel import Kept
from .shot import DOUBTED, Mask, Shot

Tensor = torch.Tensor
BARE = 0.5  # trust in flow below which a place shows nothing
HARDLY = 0.1  # of a frame whose depth is sure, below which others are heard all over
REACH = 12  # frames before and after that are
ALIKE = 4  # frames whose flows lead to much the same places, and err as one
ELSEWHERE, STRIDE = (4, 8, 12), 2  # frames before and after that may see what one does not, and the pixels that one point stands for, across and down
AGREED = 1.1  # times the least inverse depth told of a place: up to there frames mean the same, and two must


@dataclass
class Pooled:
    """Asks what the stage scene_movers has measured, or measures; `bounds` are the least and greatest inverse depth that the shot can tell."""

    shot: Shot
    masks: Path  # folder of scene_movers
    noise: float  # px
    bounds: tuple[float, float]
    device: torch.device

    def __post_init__(self) -> None:
        self._moments = Kept(self._told, 2 * REACH + 8)

    def frame(self, number: int) -> tuple[Estimate, list[sightings.Neighbour], Mask] | None:
        """What is known of a frame, the neighbours that told it, and its sky [H, W]; None without a camera or neighbours."""
        known = self._alone(number)
        if known is None or _share(known[0]) >= HARDLY:
            return known
        return self._together(number, known[0]), *known[1:]

    def elsewhere(self, number: int) -> Tensor:
        """Inverse depth [H, W] of what other frames surely know, brought over by the cameras, of each place what is farthest; nan where fewer
        than two tell the same."""
        shot, told = self.shot, []
        here, (width, height) = view(shot, shot.row(number), self.device), shot.size
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        for other, theirs in self._around(number, ELSEWHERE):
            load, moment = theirs[:, ::STRIDE, ::STRIDE]
            sure = moment > load.sqrt() / BELIEVED
            there = view(shot, shot.row(other), self.device)
            relative = leading(there, here)
            rays = torch.from_numpy(shot.rays(shot.row(other))[::STRIDE, ::STRIDE].copy()).to(self.device)[sure]
            points = (rays * (load / moment)[sure][:, None]) @ relative[:3, :3].T + relative[:3, 3]
            points = points[points[:, 2] > 0]
            place = pixels(points, here)
            kept = inside(place, (height, width))
            x, y = (place[kept].round() / STRIDE).long().unbind(-1)
            seen = torch.zeros(rows * columns, device=self.device)
            told.append(seen.scatter_reduce_(0, y * columns + x, points[kept, 2].reciprocal(), "amax"))
        if not told:
            return torch.full((height, width), torch.nan, device=self.device)
        every = torch.stack(told)
        alike = (every > 0) & (every < AGREED * torch.where(every > 0, every, torch.inf).amin(0))
        count = alike.sum(0)
        agreed = torch.where(count > 1, (every * alike).sum(0) / count, torch.nan).view(rows, columns)
        return agreed.repeat_interleave(STRIDE, 0)[:height].repeat_interleave(STRIDE, 1)[:, :width]

    def _alone(self, number: int) -> tuple[Estimate, list[sightings.Neighbour], Mask] | None:
        """Of an artist's masks the stage before knows nothing, and it may have asked under another noise."""
        known = measured.read(self.masks, number, self.noise, self.device)
        if known is None:
            gathered = sightings.gather(self.shot, number, self.device)
            if gathered is None:
                return None
            known = triangulation.inverse_depth(gathered[0], self.noise, *self.bounds), gathered[1], sky.seen(self.shot, number)
        found, neighbours, far = known
        # Where nothing shows, what may move has borrowed its flow from what does.
        borrowed = (self.shot.likely(number) > DOUBTED) & (self.shot.texture(number, sightings.FAINT) < BARE)
        load = torch.where(torch.from_numpy(borrowed).to(self.device), torch.zeros_like(found.rho), found.information)
        return sky.settled(replace(found, information=load), far, self.bounds[0]), neighbours, far

    def _told(self, number: int) -> Tensor | None:
        """Information, and that times inverse depth [2, H, W]: 0 on and about what moves or may, in a sky, and where flow fits no still point."""
        known = self._alone(number)
        if known is None:
            return None
        moving = cv2.dilate(self.shot.movers(number).astype(np.uint8), disc(max(2, round(RIM * self.shot.size[0])))) > 0
        still = ~torch.from_numpy(moving | (self.shot.likely(number) > DOUBTED)).to(self.device) & (known[0].residual < 3 * STILL)
        load = torch.where(still, known[0].information, torch.zeros_like(known[0].rho))
        return torch.stack([load, load * known[0].rho])

    def _around(self, number: int, gaps: Iterable[int]) -> Iterator[tuple[int, Tensor]]:
        """The frames so far before and after one, and what is told of each."""
        for other in (number + side * gap * self.shot.step for gap in gaps for side in (1, -1)):
            theirs = self._moments(other) if self.shot.neighbour(number, other - number) is not None else None
            if theirs is not None:
                yield other, theirs

    def _together(self, number: int, found: Estimate) -> Estimate:
        """What is `found` of a frame, and what the frames about it tell of the same places."""
        own, shot = self._moments(number), self.shot
        assert own is not None
        here, total, count = view(shot, shot.row(number), self.device), own, 1
        # So little parallax moves a place by no more than a pixel or two: one distance will do for all.
        points = torch.from_numpy(shot.rays(shot.row(number)) / typical(found.rho, found.information)).to(self.device)
        for other, theirs in self._around(number, range(1, REACH + 1)):
            there = view(shot, shot.row(other), self.device)
            relative = leading(here, there)
            seen = points @ relative[:3, :3].T + relative[:3, 3]
            place, farther = pixels(seen, there), seen[..., 2] / points[..., 2]
            load, moment = sample(theirs, place) * inside(place, found.rho.shape)
            # Who stands farther off by a factor has measured an inverse depth, and an error of it, as much smaller.
            total = total + torch.stack([load / farther**2, moment / farther])
            count += 1
        told = total[0] > 0
        rho = torch.where(told, total[1] / total[0].clamp(min=1e-12), found.rho)
        return Estimate(rho, total[0] / min(ALIKE, count), torch.where(told, found.residual.clamp(max=STILL), found.residual))


def _share(found: Estimate) -> float:
    """How much of a frame is known well enough to be believed."""
    return float((found.rho * found.information.sqrt() > 1 / BELIEVED).float().mean())
