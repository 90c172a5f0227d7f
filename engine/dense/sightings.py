"""Dense room: what the neighbours of a frame see of its pixels, neighbours chosen by parallax; torch and OpenCV, no stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, TypeVar

import cv2
import numpy as np
import torch

from ..geometry import triangulation
from ..geometry.blobs import disc
from ..media.farther import along, onward
from ..media.flow import agree, dis, grid
from .agreement import view
from .edges import Witness
from .shot import Mask, Picture, Shot

WANTED = 0.025  # parallax, as a share of the picture's width, beyond which no farther neighbour is sought
WIDEST = 4  # times the widest gap of the flow stage
ALIKE = 0.08  # parallax, as a share of the width, up to which two pictures can be compared pixel by pixel
DARK, BURNT = 16, 240  # of 255: what is darker or brighter tells nothing of exposure
RIM = 4  # px: how far about a mask a mover may reach
FAINT = 0.004  # gradient of a grey picture (0..1 per px) at which flow counts half for depth
FAINTEST = 0.15  # px of parallax below which a neighbour tells nothing


@dataclass(frozen=True)
class Neighbour:
    """A frame that sees the same things from elsewhere."""

    number: int
    row: int  # of its camera
    parallax: float  # px, median: what the flow holds beyond the camera's turn
    gain: float  # how much brighter the frame shows the same things


@dataclass(frozen=True)
class Sight(Neighbour):
    """Where one neighbour sees the pixels of a frame."""

    flow: Picture  # [H, W, 2] px
    valid: Mask


Near = TypeVar("Near", bound=Neighbour)


def gather(shot: Shot, number: int, device: torch.device) -> tuple[triangulation.Sightings, list[Sight]] | None:
    """The equations of all useful neighbours of a frame, and these neighbours; None without any."""
    row = shot.row(number)
    if row is None:
        return None
    found = [sight for side in (1, -1) for sight in _side(shot, number, row, side)]
    useful = [sight for sight in found if sight.parallax >= FAINTEST] or found
    if not useful:
        return None
    rays = torch.from_numpy(shot.rays(row).copy()).to(device)
    seen = np.stack([_undistorted(shot, sight) for sight in useful])
    relative = np.stack([shot.relative(row, sight.row) for sight in useful])
    focal = np.array([shot.camera.focal[sight.row].mean() for sight in useful])
    # Where nothing shows, flow is borrowed from what is about it.
    weight = shot.texture(number, FAINT) * np.stack([sight.valid for sight in useful])
    parts = (torch.from_numpy(part.astype(np.float32)).to(device) for part in (seen, relative, focal, weight))
    return triangulation.sight(rays, *parts), useful


def _side(shot: Shot, number: int, row: int, side: int) -> list[Sight]:
    """Neighbours before (-1) or after (1) a frame: those of the flow stage, then farther ones while parallax is scarce."""
    found = []
    for gap in shot.gaps:
        other, held = shot.neighbour(number, side * gap), shot.flow(number, side * gap)
        if other is None or held is None or shot.row(other) is None:
            continue
        found.append(_sight(shot, number, other, *held))
    widest = side * shot.gaps[-1]
    flow = held[0] if found and held is not None else None
    for k in range(2, WIDEST + 1):
        other = shot.neighbour(number, widest * k)
        if flow is None or other is None or shot.row(other) is None or found[-1].parallax > WANTED * shot.size[0]:
            break
        flow = _onward(shot, other - widest, widest, flow)
        if k in (2, 4) and flow is not None:
            flow, back = _refined(shot, number, other, flow), _chained(shot, other, -widest, k)
            if back is not None:
                found.append(_sight(shot, number, other, flow, agree(flow, back)))
    return found


def telling(shot: Shot, number: int, sights: list[Near], most: int = 2) -> list[Near]:
    """The neighbours, at most so many on each side, that lie farthest off without being too far to look alike; else the nearest."""
    place = {other: k for k, other in enumerate(shot.numbers)}
    near = [sight for sight in sights if sight.parallax < ALIKE * shot.size[0]] or [min(sights, key=lambda sight: sight.parallax)]
    some = sorted(near, key=lambda sight: -sight.parallax)
    return [sight for side in (-1, 1) for sight in [s for s in some if side * (place[s.number] - place[number]) > 0][:most]]


def witnesses(shot: Shot, number: int, sights: Sequence[Neighbour], device: torch.device) -> list[Witness]:
    """The pictures of neighbours, at the brightness of the frame, and what moves in them."""
    row = shot.row(number)
    return [
        Witness(
            torch.from_numpy(shot.picture(sight.number) * np.float32(sight.gain)).to(device).permute(2, 0, 1),
            view(shot, sight.row, device).spread(shot.size), torch.from_numpy(shot.relative(row, sight.row)).float().to(device),
            torch.from_numpy(cv2.dilate(shot.movers(sight.number).astype(np.float32), disc(RIM))).to(device)[None],
        )
        for sight in sights
    ]


def _sight(shot: Shot, number: int, other: int, flow: Picture, valid: Mask) -> Sight:
    place = grid(shot.size) + flow
    inside = cv2.inRange(place, (0, 0), (shot.size[0] - 1, shot.size[1] - 1)) > 0
    valid = valid & inside
    row = shot.row(other)
    return Sight(other, row, _parallax(shot, shot.row(number), row, flow, valid), exposure(shot, number, other, place, valid), flow, valid)


def exposure(shot: Shot, number: int, other: int, place: Picture, valid: Mask) -> float:
    """How much brighter a frame shows things than another, along the flow: means over pictures change with what comes into them."""
    some = (slice(4, None, 8), slice(4, None, 8))
    own = shot.grey(number)[some].astype(np.float32)
    seen = cv2.remap(shot.grey(other), *np.moveaxis(place[some], -1, 0), cv2.INTER_LINEAR).astype(np.float32)
    told = valid[some] & (np.minimum(own, seen) > DARK) & (np.maximum(own, seen) < BURNT)
    return float(np.median(own[told] / seen[told])) if told.any() else 1.0


def _parallax(shot: Shot, row: int, other: int, flow: Picture, valid: Mask) -> float:
    """Median distance in px of the flow from that of a scene infinitely far away, over every 8th pixel; 0 where nothing is valid."""
    some = (slice(4, None, 8), slice(4, None, 8))
    turned = shot.rays(row)[some] @ shot.relative(row, other)[:3, :3].T.astype(np.float32)
    far = turned[..., :2] / np.maximum(turned[..., 2:], 1e-3)
    seen = _look(shot, other, (grid(shot.size) + flow)[some])
    apart = np.linalg.norm(seen - far, axis=-1)[valid[some]] * shot.camera.focal[other].mean()
    return float(np.median(apart)) if apart.size else 0.0


def _undistorted(shot: Shot, sight: Sight) -> Picture:
    """Normalised coordinates [H, W, 2] at which the neighbour sees each pixel."""
    return _look(shot, sight.row, grid(shot.size) + sight.flow)


def _look(shot: Shot, row: int, place: Picture) -> Picture:
    """The ray field is smooth: its bilinear sample at pixel indices [..., 2] undistorts any point."""
    return cv2.remap(shot.slopes(row), place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _chained(shot: Shot, number: int, gap: int, steps: int) -> Picture | None:
    """The flow of a frame over so many gaps, as the flows over each tell it."""
    flow = np.zeros((*shot.size[::-1], 2), np.float32)
    for k in range(steps):
        flow = _onward(shot, number + k * gap, gap, flow) if flow is not None else None
    return flow


def _onward(shot: Shot, reached: int, gap: int, flow: Picture) -> Picture | None:
    """The flow that leads to the frame `reached` carried on over one more gap."""
    step = shot.flow(reached, gap)
    return None if step is None else onward(flow, step[0])


def _refined(shot: Shot, number: int, other: int, start: Picture) -> Picture:
    """A chained flow made exact by DIS."""
    # DIS meets large motion best when the second picture is already brought over by what is known.
    rest = dis(shot.grey(number), along(shot.grey(other), start))
    return onward(rest, start)
