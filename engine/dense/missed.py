"""Dense room: which pixels about the rims of the masks belong to the other side, told by the pictures; torch and OpenCV, no stage.

The flow carries a mover's motion over its rim, so that still pixels beside it seem to go along, and masks take some of them. They look
like the still point that the neighbours see, and not like where the flow leads; what was missed of the mover does not. And what moves
so fast that no flow follows it looks like no still point that any of them sees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Callable

import cv2
import numpy as np
import torch

from ..geometry.blobs import nearest
from ..media.flow import grid
from .agreement import Seen, inside, leading, pixels, sample
from .edges import PATCH, difference, greatest, nearest_and_farthest, over_patch
from .shot import DOUBTED, Shot

Tensor = torch.Tensor
Places = tuple[Tensor, ...]  # rows [N] and columns [N] of some pixels
UNLIKE = 0.03  # of a picture's mean: difference of colour by which a pixel is told to be still
MOST = 0.2  # more than which none counts: that of what the picture does not show
LOST = 0.05  # that of a mover where no flow leads to one
FEW = 3  # of the gaps of the flow are looked over where a mask is asked: what moves has uncovered its rim by then
INSIDE, BESIDE = 0.012, 0.04  # of the picture's width: how far from the outline of a mask it may have taken something still, and missed a mover
CLEARLY = 0.01  # by how much more the still scene than the mover must look like a pixel that a mask has
ALIKE, NOTHING = 0.03, 0.1  # difference up to which something still is there; that beyond which, over a patch, nothing still is
TRIED = (0.0, 0.33, 0.67, 1.0)  # from the farthest to the nearest still point about a pixel, in the logarithm


@dataclass
class Missed:
    """Asks the frames around; `view` gives what is known of a frame by its number."""

    shot: Shot
    view: Callable[[int], Seen | None]
    device: torch.device

    def __post_init__(self) -> None:
        self.gaps = self.shot.gaps[:FEW]
        self._picture = lru_cache(maxsize=2 * self.gaps[-1] // self.shot.step + 4)(self._load)

    def doubt(self, number: int, here: Seen) -> Tensor:
        """How far each pixel may belong to a mover whose mask missed it [H, W], 0..1; 0 within the masks."""
        doubt = torch.from_numpy((1 - self.shot.likely(number) / DOUBTED).clip(0, 1)).to(self.device)
        asked = (doubt > 0) & (here.moving < 0.5)
        told = self._told(number, here, asked.nonzero(as_tuple=True), here.depth, self.gaps[:1]) if bool(asked.any()) else None
        if told is None:
            return torch.zeros_like(doubt)
        moved, lands, still, _ = told
        # A still point beside a mover is seen on one side at least.
        worse = (moved * lands).sum(0) / lands.sum(0).clamp(min=1) - still.amin(0)
        kept = torch.zeros_like(doubt)
        kept[asked] = doubt[asked] * lands.amax(0) * (1 - worse / UNLIKE).clamp(0, 1)
        return kept

    def settled(self, number: int, here: Seen) -> Seen:
        """A frame with what its masks took of the still scene given back to that, and what they missed given to the nearest mover."""
        mask, known = here.moving > 0.5, here.depth > 0
        still, moves = ((part & known).cpu().numpy() for part in (~mask, mask))
        if not still.any() or not moves.any():
            return here
        scene, things = (here.depth.flatten()[torch.from_numpy(nearest(part)).to(self.device)] for part in (still, moves))
        taken, missed = self._taken(number, here, mask, scene), self._missed(number, here, mask & known)
        depth = torch.where(taken, scene, torch.where(missed, things, here.depth))
        sure = torch.where(taken | missed, torch.zeros_like(depth), here.confidence)
        return replace(here, depth=depth, confidence=sure, moving=torch.where(missed, torch.ones_like(depth), here.moving * ~taken))

    def _taken(self, number: int, here: Seen, mask: Tensor, scene: Tensor) -> Tensor:
        """Pixels of the mask [H, W] near its outline that look more like the still `scene` [H, W] beside it than like where the flow leads."""
        deep = cv2.distanceTransform(mask.cpu().numpy().astype(np.uint8), cv2.DIST_L2, 5)
        asked = mask & torch.from_numpy(deep <= INSIDE * mask.shape[1]).to(self.device)
        told = self._told(number, here, asked.nonzero(as_tuple=True), scene, self.gaps)
        if told is None:
            return torch.zeros_like(mask)
        moved, lands, still, bare = told
        return asked & (_around(asked, _mean(moved, lands, LOST) - _mean(still, bare, MOST)) > CLEARLY)

    def _missed(self, number: int, here: Seen, mask: Tensor) -> Tensor:
        """Pixels beside the mask [H, W] that look like no still point, at any depth about them, in any frame that sees it."""
        reach = round(BESIDE * mask.shape[1])
        known = (here.depth > 0) & ~mask
        beside = known & (greatest(mask.float(), reach) > 0)
        least, seen = torch.where(beside, MOST, 0.0).to(here.depth), torch.zeros_like(beside)
        self._look(number, here, beside, here.depth, least, seen)
        # What is explained stays so, and so does a patch: the other depths are tried of few pixels.
        unexplained = _around(beside, least[beside]) > NOTHING
        left = beside & (greatest(unexplained.float(), PATCH // 2) > 0)
        far, near = nearest_and_farthest(here.depth, known, reach)
        for part in TRIED if bool(left.any()) else ():
            self._look(number, here, left, far ** (1 - part) * near**part, least, seen)
        return beside & (_around(beside, (least * seen)[beside]) > NOTHING)

    def _look(self, number: int, here: Seen, where: Tensor, depth: Tensor, least: Tensor, seen: Tensor) -> None:
        """Lower `least` [H, W], how unlike a still point a pixel looks at best, by those at `depth` [H, W]; `seen` [H, W] by any frame."""
        asked = (where & (least > ALIKE)).nonzero(as_tuple=True)
        points = _points(here, asked, depth)
        for side in (side for gap in self.gaps for side in (gap, -gap)):
            other = self.shot.neighbour(number, side)
            there = self.view(other) if other is not None else None
            if there is None or not len(asked[0]):
                continue
            unlike, bare = self._still(number, other, here, there, asked, points)
            least[asked] = torch.where(bare > 0, torch.minimum(least[asked], unlike), least[asked])
            left = least[asked] > ALIKE  # of the others enough is known
            seen[asked] |= bare > 0
            asked, points = tuple(part[left] for part in asked), points[left]

    def _told(self, number: int, here: Seen, asked: Places, depth: Tensor, gaps: tuple[int, ...]) -> list[Tensor] | None:
        """What `_unlike` says of the frames at these gaps, [K, N] each; None where there are none."""
        points = _points(here, asked, depth)
        told = [self._unlike(number, side, here, asked, points) for gap in gaps for side in (gap, -gap)]
        heard = [one for one in told if one is not None]
        return [torch.stack(part) for part in zip(*heard)] if heard else None

    def _unlike(self, number: int, side: int, here: Seen, asked: Places, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """Of the N pixels `asked`, of still `points` [N, 3]: how unlike what the flow leads to in a neighbour they look [N], 1 where that is a mover [N], and
        what `_still` says."""
        other, found = self.shot.neighbour(number, side), self.shot.flow(number, side)
        there = self.view(other) if other is not None else None
        if other is None or there is None or found is None:
            return None
        flow, valid = (torch.from_numpy(part).to(self.device)[asked] for part in found)
        moved = torch.from_numpy(grid(self.shot.size)).to(self.device)[asked] + flow
        lands = (sample(there.moving[None], moved[None], "nearest")[0, 0] > 0.5) & valid
        return self._apart(number, other, asked, moved), lands.float(), *self._still(number, other, here, there, asked, points)

    def _still(self, number: int, other: int, here: Seen, there: Seen, asked: Places, points: Tensor) -> tuple[Tensor, Tensor]:
        """Of the N pixels `asked`, how unlike their still `points` [N, 3] a neighbour shows there [N], and 1 where it is no mover [N]."""
        relative = leading(here.view, there.view)
        place = pixels(points @ relative[:3, :3].T + relative[:3, 3], there.view)
        shown = inside(place, here.depth.shape)
        bare = shown & (sample(there.moving[None], place[None], "nearest")[0, 0] < 0.5)
        return torch.where(shown, self._apart(number, other, asked, place), MOST), bare.float()

    def _apart(self, number: int, other: int, asked: Places, place: Tensor) -> Tensor:
        """Difference of colour [N] between the pixels `asked` and places [N, 2] of another frame."""
        return difference(self._picture(number)[:, None, *asked], sample(self._picture(other), place[None]))[0]

    def _load(self, number: int) -> Tensor:
        picture = self.shot.picture(number)
        return torch.from_numpy(picture / max(float(picture.mean()), 1e-3)).to(self.device).permute(2, 0, 1)


def _points(here: Seen, asked: Places, depth: Tensor) -> Tensor:
    """The points [N, 3] of some pixels at `depth` [H, W], in the frame's own axes."""
    return here.rays[asked] * depth[asked][:, None]


def _mean(values: Tensor, weights: Tensor, nothing: float) -> Tensor:
    """Of [K, N], weighed along the first axis; `nothing` where no weight is."""
    total = weights.sum(0)
    return torch.where(total > 0, (values * weights).sum(0) / total.clamp(min=1e-6), nothing)


def _around(asked: Tensor, values: Tensor) -> Tensor:
    """Mean [H, W] of the values [N] of the pixels `asked` [H, W] over a patch about each."""
    planes = torch.zeros(2, *asked.shape, dtype=values.dtype, device=values.device)
    planes[:, asked] = torch.stack([values, torch.ones_like(values)])
    total, count = over_patch(planes)
    return total / count.clamp(min=0.5 / PATCH**2)
