"""Training room: pixels of what moves, followed along optical flow, as one table that fits any memory; torch, no stage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Callable, Iterator, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .. import device
from ..dense.shot import Array, Mask, Picture, Shot
from ..media.flow import both_ways, grid

Tensor = torch.Tensor
T = TypeVar("T")
Labels = NDArray[np.integer]
PASSES = 2  # over all frames: what is still among the movers, then where the rest is seen
THING = 5  # the column of Stops
UNIT = 2.0  # the median depth of what moves, in the unit that all training uses
AROUND = 9  # px: the neighbourhood most of which must agree
STILL = 0.3  # px of disagreement per frame with the still scene up to which a pixel belongs to it
MOST, FEWEST = 1200, 200  # pixels kept of one frame at one gap; the fewest that a long shot is thinned to
LINE = 256
ROWS = 1_000_000  # pixels kept of a whole shot
REACHES = (6, 12, 18)  # px between a pixel and the surroundings whose growth is looked at
DIRECTIONS = ((0, 1), (0, -1))  # what turns about an upright axis grows wider or narrower without coming nearer, but not taller


@dataclass(frozen=True)
class Cameras:
    """Where the frames of a clip were seen from; places count frames of the clip from 0."""

    turn: Tensor  # [T, 3, 3] world from camera
    eye: Tensor  # [T, 3] in the training's unit
    time: Tensor  # [T] frames since the first
    focal: float  # px at the training's size
    unit: float  # training units in one scene unit


@dataclass(frozen=True)
class Stops:
    """One pixel in one frame, N times."""

    frame: Tensor  # [N] place of the frame
    place: Tensor  # [N, 2] px at the training's size
    ray: Tensor  # [N, 3] camera axes, z = 1
    start: Tensor  # [N] log depth in the training's unit before training
    sure: Tensor  # [N] confidence of that depth
    thing: Tensor  # [N] which moving thing it belongs to

    def __getitem__(self, rows: Tensor) -> Stops:
        return Stops(*(getattr(self, part.name)[rows] for part in fields(self)))


@dataclass(frozen=True)
class Table:
    """Pixels of movers, and where the flow sees them `gap` frames later."""

    here: Stops
    there: Stops
    gap: Tensor  # [N] frames
    growth: Tensor  # [N] log of how much larger the pixel's surroundings are seen `there`
    grown: Tensor  # [N] bool: growth is known

    def __len__(self) -> int:
        return len(self.gap)

    def __getitem__(self, rows: Tensor) -> Table:
        return Table(*(getattr(self, part.name)[rows] for part in fields(self)))

    def to(self, device: torch.device) -> Table:
        """On another device."""
        stops = (Stops(*(getattr(part, name.name).to(device) for name in fields(part))) for part in (self.here, self.there))
        return Table(*stops, *(part.to(device) for part in (self.gap, self.growth, self.grown)))


@dataclass(frozen=True)
class Start:
    """What training starts from, at the training's size."""

    size: tuple[int, int]
    depth: list[Picture]  # [H, W] scene units, 0 = unknown
    confidence: list[Picture]
    moving: list[Mask]


def cameras(shot: Shot, start: Start) -> Cameras:
    """The shot's cameras, centred, in a unit in which what moves is UNIT away."""
    rows = [shot.row(number) for number in shot.numbers]
    poses = np.stack([shot.camera.world_from_camera[0 if row is None else row] for row in rows])
    near = [float(np.median(depth[moving])) for depth, moving in zip(start.depth, start.moving) if (moving & (depth > 0)).any()]
    unit = UNIT / float(np.median(near))
    eye = (poses[:, :3, 3] - poses[:, :3, 3].mean(0)) * unit
    focal = float(np.median(shot.camera.focal)) * start.size[0] / shot.size[0]
    time = (np.array(shot.numbers) - shot.numbers[0]) / shot.step
    return Cameras(*(torch.from_numpy(part).float() for part in (poses[:, :3, :3], eye, time)), focal, unit)


def follow(
    shot: Shot, start: Start, unit: float, gaps: tuple[int, ...], done: Callable[[], None] = lambda: None, seed: int = 0,
) -> tuple[Table, list[Labels]] | None:
    """Every moving pixel (at most MOST for each frame and gap) that the flow carries onto something that moves, too; None if none.

    With them the things they belong to, as pictures [H, W] of numbers from 1, 0 being still. `done` hears of each frame, PASSES times.
    """
    most = int(np.clip(ROWS // (len(shot.numbers) * len(gaps)), FEWEST, MOST))
    with ThreadPoolExecutor(device.threads()) as pool:

        def each(work: Callable[[int], T]) -> Iterator[T]:
            for result in pool.map(work, range(len(shot.numbers))):
                done()
                yield result

        start = replace(start, moving=[mask & ~stays for mask, stays in zip(start.moving, each(partial(still, shot, start)))])
        labels = _pieces(start.moving)

        def followed(place: int) -> list[list[Array]]:
            return [part for gap in gaps for part in _followed(shot, start, labels, place, gap, unit, most, np.random.default_rng((seed, place, gap)))]

        parts = [part for some in each(followed) for part in some]
    if not parts:
        return None
    columns = [np.concatenate(column) for column in zip(*parts)]
    names = _same(columns[THING], columns[6 + THING], max(int(plane.max()) for plane in labels) + 1)
    for k in range(2):
        columns[6 * k + THING] = names[columns[6 * k + THING]]
    held = [torch.from_numpy(column) for column in columns]
    return Table(*(Stops(*held[6 * k : 6 * k + 6]) for k in range(2)), *held[12:]), [names[plane].astype(np.int32) for plane in labels]


def _followed(
    shot: Shot, start: Start, labels: list[Labels], place: int, gap: int, unit: float, most: int, random: np.random.Generator
) -> list[list[Array]]:
    """The columns of the table that one frame gives for one gap: one set, or none."""
    if shot.row(shot.numbers[place]) is None or not start.moving[place].any():
        return []
    later, ahead = _landed(shot, start, place, gap * shot.step)
    if ahead is None:
        return []
    y, x = np.nonzero(ahead[1])
    if not len(y):
        return []
    chosen = np.sort(random.choice(len(y), min(most, len(y)), replace=False))
    y, x = y[chosen], x[chosen]
    own = np.stack([x, y], 1).astype(np.float32)
    stops = [_stop(shot, start, labels, place, own, unit), _stop(shot, start, labels, later, ahead[0][y, x], unit)]
    growth = _growth(*ahead[:2], x, y)
    grown = np.isfinite(growth)
    return [[*(value for stop in stops for value in stop), np.full(len(y), gap), np.where(grown, growth, 0).astype(np.float32), grown]]


def still(shot: Shot, start: Start, place: int) -> Mask:
    """Pixels [H, W] that every neighbour sees where a still point at the depth of the start would be: masks take still things along."""
    row, moving = shot.row(shot.numbers[place]), start.moving[place]
    y, x = np.nonzero(cv2.dilate(moving.astype(np.uint8), np.ones((AROUND, AROUND), np.uint8)))
    if row is None or not len(y):
        return np.zeros_like(moving)
    points = _rays(shot, row, start.size, np.stack([x, y], 1)) * start.depth[place][y, x, None]
    held = []
    for gap in (gap for size in shot.gaps for gap in (size, -size)):
        there, landed = _landed(shot, start, place, gap)
        if landed is None:
            continue
        other = shot.row(shot.numbers[there])
        relative = shot.relative(row, other).astype(np.float32)
        moved = points @ relative[:3, :3].T + relative[:3, 3]
        seen = _rays(shot, other, start.size, landed[0][y, x])
        focal = shot.camera.focal[other, 0] * start.size[0] / shot.size[0]
        miss = np.linalg.norm(moved[:, :2] / np.maximum(moved[:, 2:], 1e-6) - seen[:, :2], axis=-1) * focal
        held.append(np.where(landed[2][y, x], miss * shot.step / abs(gap), np.nan))
    if not held:
        return np.zeros_like(moving)
    apart = _median(np.stack(held))
    # Single pixels agree by chance: a still thing does so over most of a neighbourhood.
    agrees = np.zeros(moving.shape, np.float32)
    agrees[y, x] = apart < STILL
    return cv2.blur(agrees, (AROUND, AROUND)) > 0.5


def _pieces(moving: list[Mask]) -> list[Labels]:
    """The connected pieces of all masks, numbered on from frame to frame; 0 is still."""
    out, count = [], 1
    for mask in moving:
        plane = cv2.connectedComponents(mask.astype(np.uint8))[1]
        out.append(np.where(plane > 0, plane + (count - 1), 0))
        count += int(plane.max())
    return out


def _same(here: Array, there: Array, count: int) -> Labels:
    """Names of things for pieces 0..count-1: pieces are one thing where a fifth of what is followed of one lands on the other."""
    pairs, votes = np.unique(np.stack([here, there], 1), axis=0, return_counts=True)
    total = np.bincount(here, minlength=count)
    parent = list(range(count))

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    for (a, b), vote in zip(pairs, votes):
        if a and b and vote > 0.2 * total[a]:
            parent[max(root(int(a)), root(int(b)))] = min(root(int(a)), root(int(b)))
    return np.unique([root(k) for k in range(count)], return_inverse=True)[1]


def _growth(target: Picture, valid: Mask, x: Array, y: Array) -> Picture:
    """Log [N] of how much farther apart the surroundings of pixels x, y are seen; the median over directions, nan where few are known."""
    height, width = valid.shape
    held = []
    for reach in REACHES:
        for dx, dy in DIRECTIONS:
            across, down = x + reach * dx, y + reach * dy
            inside = (across >= 0) & (across < width) & (down >= 0) & (down < height)
            across, down = across.clip(0, width - 1), down.clip(0, height - 1)
            ratio = np.linalg.norm(target[down, across] - target[y, x], axis=-1) / (reach * np.hypot(dx, dy))
            known = inside & valid[down, across] & (ratio > 0.2) & (ratio < 5)
            held.append(np.where(known, np.log(np.maximum(ratio, 1e-3)), np.nan))
    stack = np.stack(held)
    stack[:, np.isfinite(stack).sum(0) < len(held) // 3] = np.nan
    return _median(stack).astype(np.float32)


def _median(stack: Array) -> Array:
    """Of what is known along the first axis; nan where nothing is."""
    known = np.isfinite(stack).any(0)
    return np.where(known, np.nanmedian(np.where(known, stack, 0), 0), np.nan)


def _landed(shot: Shot, start: Start, place: int, gap: int) -> tuple[int, tuple[Picture, Mask, Mask] | None]:
    """The place of the frame numbered `gap` on, and of the pixels where [H, W, 2] they are seen there, which are movers that land on movers,
    and where the flow is valid."""
    number = shot.numbers[place]
    other = shot.neighbour(number, gap)
    if other is None or shot.row(other) is None:
        return place, None
    there = shot.numbers.index(other)
    width, height = start.size
    held = shot.flow(number, gap)
    flow, valid = held if held is not None else both_ways(shot.grey(number), shot.grey(other))[:2]
    scale = np.array([width / shot.size[0], height / shot.size[1]], np.float32)
    flow = cv2.resize(flow, start.size, interpolation=cv2.INTER_LINEAR) * scale
    valid = cv2.resize(valid.astype(np.uint8), start.size, interpolation=cv2.INTER_NEAREST) > 0
    target = grid(start.size) + flow
    x, y = (np.rint(target[..., k]).astype(int).clip(0, length - 1) for k, length in ((0, width), (1, height)))
    return there, (target, valid & start.moving[place] & start.moving[there][y, x], valid)


def _stop(shot: Shot, start: Start, labels: list[Labels], place: int, at: Picture, unit: float) -> list[Array]:
    """The columns of Stops for pixels `at` [N, 2] of one frame; depth and confidence of the nearest pixel, never between two surfaces."""
    row = shot.row(shot.numbers[place])
    width, height = start.size
    x, y = (np.rint(at[:, k]).astype(int).clip(0, length - 1) for k, length in ((0, width), (1, height)))
    ray = _rays(shot, row, start.size, at)
    log = np.log(np.maximum(start.depth[place][y, x], 1e-9) * unit).astype(np.float32)
    sure = start.confidence[place][y, x].astype(np.float32)
    return [np.full(len(at), place), at.astype(np.float32), ray, log, sure, labels[place][y, x]]


def _rays(shot: Shot, row: int, size: tuple[int, int], at: Picture) -> Picture:
    """Rays [N, 3], z = 1, through pixel indices `at` [N, 2] of a picture of `size`; the shot's own are of its own size."""
    spot = (at + 0.5) * (np.array(shot.size, np.float32) / np.array(size, np.float32)) - 0.5
    # OpenCV fetches for pictures that are less than 32768 high and wide: the list is laid out as one.
    x, y = np.pad(spot.astype(np.float32), ((0, -len(spot) % LINE), (0, 0)), mode="edge").T.reshape(2, -1, LINE)
    return cv2.remap(shot.rays(row), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(-1, 3)[: len(spot)]
