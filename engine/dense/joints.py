"""Dense room: what hangs together with a still body, as a head that turns does, is as far off as that; OpenCV and torch, no stage.

Across a joint the colours go on, and motion grows by degrees from none, where at an outline it jumps. And the body stands before what the
thing hides elsewhere: else what seems joined is only its background, seen through a mask that is too wide.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..geometry.blobs import framed, nearest
from ..geometry.contact import Stand
from ..media.flow import grid
from .agreement import pixels, view
from .shot import Mask, Picture, Shot

RIM = 0.01  # of the picture's width: a mask may be off by so much; motion is looked at one to three times so far inside
BEGUN, GROWN = 0.12, 0.5  # of what is usual in a thing: the motion beside a joint is between
ALIKE = 0.1  # difference of colour up to which two sides of an outline are of one thing
BEFORE = 0.9  # of the inverse depth at which it stands before what it hides: its body is no farther
CLEARLY = 1.35  # times that of the ground it seems to touch: what hangs from a body may hang before ground that is farther
SHARE = 0.04  # of the outline of a disc as large, that must be joined
LEAST = 0.002  # of the picture: smaller pieces tell nothing


@dataclass(frozen=True)
class Joints:
    """Asks where pieces of one frame hang together with the still scene."""

    shot: Shot
    number: int
    rho: Picture  # [H, W] inverse depth of the still scene
    still: Mask  # [H, W] where it is measured
    free: Mask  # [H, W] where nothing moves
    device: torch.device

    def near(self, piece: Mask, stand: Stand) -> float | None:
        """Inverse depth of the body that a piece [H, W] hangs together with, None where with none; of what seems to stand on the ground only
        a body that is clearly nearer, measured or filled in: such a body need not show any texture."""
        if stand.kind == "guess" or piece.mean() < LEAST:
            return None
        grounded = stand.kind == "ground"
        least, still = (CLEARLY * stand.rho, self.free) if grounded else (BEFORE * stand.rho, self.still)
        rim = max(3, round(RIM * piece.shape[1]))
        box = framed(piece, 5 * rim)
        piece, still, rho = piece[box], still[box] & ~piece[box], self.rho[box]
        deep, off = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (piece, ~piece))
        outline = piece & (deep < 1.5)
        beside, known = _around(rho, still, 2 * rim), _count(still, 2 * rim) > rim**2
        if not (outline & known).any():
            return None
        motion = self._motion(piece, box, beside.ravel()[nearest(known & ~piece)])
        usual = float(np.nanpercentile(motion[piece], 75)) if np.isfinite(motion[piece]).any() else 0.0
        seen = (deep > rim) & (deep < 3 * rim) & np.isfinite(motion)
        grown = _around(np.nan_to_num(motion), seen, 2 * rim) / max(usual, 1.0)
        inner, outer = piece & (deep < 1.5 * rim), (off > 0) & (off < 1.5 * rim)
        colours = cv2.split(self.shot.picture(self.number)[box])
        apart = np.max([abs(_around(colour, inner, rim) - _around(colour, outer, rim)) for colour in colours], 0)
        asked = outline & known & (_count(seen, 2 * rim) > rim**2)
        joined = asked & (grown > BEGUN) & (grown < GROWN) & (apart < ALIKE) & ~(grounded & (beside < least))
        if joined.sum() < SHARE * 2 * np.sqrt(np.pi * piece.sum()):
            return None
        found = float(np.median(beside[joined]))
        return found if found > least else None

    def _motion(self, piece: Mask, box: tuple[slice, slice], rho: Picture) -> Picture:
        """How far [h, w] px a piece is seen, root mean square over all neighbours, from where it would be were it still at `rho` [h, w]; nan
        where flow does not hold."""
        row = self.shot.row(self.number)
        points = torch.from_numpy(self.shot.rays(row)[box][piece] / rho[piece, None]).to(self.device)
        total, count = np.zeros((2, len(points)), np.float32)
        for gap in (gap for size in self.shot.gaps for gap in (size, -size)):
            other, held = self.shot.neighbour(self.number, gap), self.shot.flow(self.number, gap)
            there = self.shot.row(other) if other is not None else None
            if there is None or held is None:
                continue
            relative = torch.from_numpy(self.shot.relative(row, there)).float().to(self.device)
            expected = pixels(points @ relative[:3, :3].T + relative[:3, 3], view(self.shot, there, self.device)).cpu().numpy()
            flow, valid = (part[box][piece] for part in held)
            total += valid * ((grid(self.shot.size)[box][piece] + flow - expected) ** 2).sum(-1)
            count += valid
        out = np.full(piece.shape, np.nan, np.float32)
        out[piece] = np.sqrt(total / np.where(count > 0, count, np.nan))
        return out


def _count(where: Mask, reach: int) -> Picture:
    """How many pixels of a mask [H, W] there are within a square."""
    return cv2.boxFilter(where.astype(np.float32), -1, (2 * reach + 1,) * 2, normalize=False, borderType=cv2.BORDER_CONSTANT)


def _around(values: Picture, where: Mask, reach: int) -> Picture:
    """Mean of [H, W] over the pixels of a mask within a square; 0 where there are none."""
    return _count(values * where, reach) / np.maximum(_count(where, reach), 0.5)
