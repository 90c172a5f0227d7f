"""Training room: what a moving thing hides over the whole shot, and so must be nearer than; numpy and OpenCV, no stage."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..dense.shot import Array, Mask, Shot
from ..geometry.blobs import disc
from .followed import Labels, Start

AROUND = (-24, -12, -6, 6, 12, 24)  # frames in which is looked for what a thing hides now
RIM = 0.008  # of the picture's width: how far masks and poses may be off
KNOWN = 0.3  # confidence from which a still point counts
EVERY = 3  # px between the points that are looked up
NEAREST = 25  # percentile of the depths that it hides, for some of them are wrong
LEAST = 30  # points below which they tell nothing


def hidden(shot: Shot, start: Start, labels: list[Labels], things: int) -> NDArray[np.float64]:
    """Log depth in scene units [things, frames] of the nearest still points that each thing hides, seen in other frames; nan where unknown."""
    out = np.full((things, len(labels)), np.nan)
    rim = disc(max(1, round(RIM * start.size[0])))
    still = lru_cache(maxsize=2 * AROUND[-1] + 2)(lambda place: _points(shot, start, place, rim))
    for place, plane in enumerate(labels):
        seen = [still(other) for other in _others(shot, place)] if plane.any() else []
        if not seen:
            continue
        inner = plane * cv2.erode((plane > 0).astype(np.uint8), rim)
        thing, depth = _covered(shot, place, start.size, inner, np.concatenate(seen))
        for name in np.unique(thing[thing > 0]):
            if (thing == name).sum() >= LEAST:
                out[name, place] = np.log(np.percentile(depth[thing == name], NEAREST))
    return out


def _others(shot: Shot, place: int) -> list[int]:
    """Frames about one, by their place, with a camera and of the same cut."""
    number, last = shot.numbers[place], len(shot.numbers) - 1
    near = sorted({min(max(place + step, 0), last) for step in AROUND} - {place})
    return [other for other in near if shot.together(number, shot.numbers[other]) and None not in (shot.row(number), shot.row(shot.numbers[other]))]


def _points(shot: Shot, start: Start, place: int, rim: NDArray[np.uint8]) -> Array:
    """Still points [N, 3] of a frame in the world."""
    row = shot.row(shot.numbers[place])
    free: Mask = cv2.dilate(start.moving[place].astype(np.uint8), rim) == 0
    known = free & (start.confidence[place] > KNOWN) & (start.depth[place] > 0)
    y, x = np.nonzero(known[::EVERY, ::EVERY])
    depth = start.depth[place][::EVERY, ::EVERY][y, x]
    into = np.array(shot.size) / np.array(start.size)
    spot = ((np.stack([x, y], 1) * EVERY + 0.5) * into - 0.5).round().astype(int).clip(0, np.array(shot.size) - 1)
    local = shot.rays(row)[spot[:, 1], spot[:, 0]] * depth[:, None]
    world = shot.camera.world_from_camera[row]
    return local @ world[:3, :3].T + world[:3, 3]


def _covered(shot: Shot, place: int, size: tuple[int, int], inner: Labels, points: Array) -> tuple[Labels, Array]:
    """The thing [M] that lies over each of the points that the frame would see, 0 for none, and their depths [M]."""
    row = shot.row(shot.numbers[place])
    seen, depth = shot.camera.project(np.full(len(points), row), points)
    spot = np.floor(seen * (np.array(size) / np.array(shot.size))).astype(int)
    inside = ((spot >= 0) & (spot < np.array(size))).all(1) & (depth > 0)
    spot = spot[inside]
    return inner[spot[:, 1], spot[:, 0]], depth[inside]
