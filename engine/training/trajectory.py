"""Training room: how far off a moving thing is, by the camera's own unrest (trajectory triangulation); numpy, no stage.

What goes its way steadily seems to sway against the sway of the camera, and the more the nearer it is. Asked how unsteady the thing
became, the answer is always "infinitely far": there every path is as smooth as the lines of sight. So it is asked the other way round: the
camera's steps are known exactly, and the part of them that shows in the thing's seen steps is its nearness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .followed import Cameras, Stops, Table

Array = NDArray[np.float64]
FEW = 20  # pixels below which a median tells nothing
FEWEST = 12  # pairs of frames below which nothing is told
KNOT = 16  # frames in which a thing's speed changes evenly
TURN = 0.3  # of its speed, by which it usually changes from knot to knot
BLOCKS = 6  # of time, each left out once: what is told without it tells the error
SLACK = 1.0  # typical misses from which a step counts less
TINY = 1e-12


@dataclass(frozen=True)
class Steps:
    """How one thing is seen to move from frame to frame, across the line of sight, N pairs of frames."""

    first: Array  # [N] frame
    last: Array  # [N]
    across: Array  # [N, 2, 3] directions in the world
    thing: Array  # [N, 2] along them, as if it were as far off as assumed, from the camera
    camera: Array  # [N, 2] step of the camera along them


def nearness(table: Table, cameras: Cameras, curves: Array) -> tuple[Array, Array]:
    """Inverse distance of each thing [things] in that of the start, corrected by `curves` [things, frames] of log depth; and its error.

    1 where the start is right, below 1 where the thing is farther; the error is infinite where the camera tells nothing.
    """
    told, error = np.ones(len(curves)), np.full(len(curves), np.inf)
    owner = table.here.thing.numpy(force=True)
    both = owner == table.there.thing.numpy(force=True)
    for thing in np.unique(owner[both]):
        steps = _steps(table, cameras, curves[thing], both & (owner == thing))
        if thing and len(steps.first) >= FEWEST:
            told[thing], error[thing] = regress(steps)
    return told, error


def _steps(table: Table, cameras: Cameras, curve: Array, own: NDArray[np.bool_]) -> Steps:
    """The median steps of a thing's pixels for every two frames; across, since along the line of sight growth is all that tells."""
    turn, eye = (part.numpy(force=True).astype(np.float64) for part in (cameras.turn, cameras.eye))
    frames = len(eye)
    ends = [_sight(stops, turn, curve, own) for stops in (table.here, table.there)]
    first, last = (stops.frame.numpy(force=True)[own] for stops in (table.here, table.there))
    pairs, group = np.unique(first * frames + last, return_inverse=True)
    parts = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1]) if len(pairs) else []
    held = [(pair // frames, pair % frames, part) for pair, part in zip(pairs, parts) if len(part) >= FEW]
    across, thing, camera = np.zeros((len(held), 2, 3)), np.zeros((len(held), 2)), np.zeros((len(held), 2))
    for k, (start, end, part) in enumerate(held):
        across[k] = np.linalg.svd(np.median(ends[0][part] + ends[1][part], 0)[None])[2][1:]
        thing[k] = np.median((ends[1][part] - ends[0][part]) @ across[k].T, 0)
        camera[k] = across[k] @ (eye[end] - eye[start])
    begun, ended = (np.array([pair[side] for pair in held], np.float64) for side in (0, 1))
    return Steps(begun, ended, across, thing, camera)


def _sight(stops: Stops, turn: Array, curve: Array, own: NDArray[np.bool_]) -> Array:
    """From the camera to pixels [N, 3], in world axes."""
    frame = stops.frame.numpy(force=True)[own]
    depth = np.exp(stops.start.numpy(force=True)[own] + curve[frame])
    return np.einsum("nij,nj->ni", turn[frame], stops.ray.numpy(force=True)[own] * depth[:, None])


def regress(steps: Steps) -> tuple[float, float]:
    """The nearness that the steps of one thing tell, 1 as assumed, and its error, from leaving out each part of the time."""
    middle, gap = (steps.first + steps.last) / 2, steps.last - steps.first
    whole = middle.min(), max(float(np.ptp(middle)), TINY)
    knots = 2 + int(whole[1] // KNOT)
    hats = (1 - np.abs((middle - whole[0])[:, None] / whole[1] * (knots - 1) - np.arange(knots))).clip(0)  # [N, knots]
    # thing = nearness-scaled speed * gap - nearness * camera's step; long gaps are as unsteady as the sum of short ones.
    speeds = np.einsum("nk,nad->nakd", hats * gap[:, None], steps.across).reshape(len(gap), 2, -1)
    terms = np.concatenate([speeds, -steps.camera[..., None]], 2) / np.sqrt(gap)[:, None, None]
    seen = steps.thing / np.sqrt(gap)[:, None]
    block = np.minimum((middle - whole[0]) / whole[1] * BLOCKS, BLOCKS - 1).astype(int)
    told, error = _solve(terms, seen, np.ones(len(gap)))
    without = np.array([_solve(terms, seen, (block != k).astype(float))[0] for k in range(BLOCKS)])
    # The thing's own unrest errs alike for a while; and a camera that goes as evenly as the thing tells nothing at all.
    return told, max(error, float(np.sqrt((BLOCKS - 1) / BLOCKS * ((without - without.mean()) ** 2).sum())))


def _solve(terms: Array, seen: Array, kept: Array) -> tuple[float, float]:
    """The last unknown, and its error, of robust least squares over steps [N, 2] with terms [N, 2, knots * 3 + 1]; speeds hardly change."""
    knots = (terms.shape[-1] - 1) // 3
    change = np.zeros((3 * (knots - 1), terms.shape[-1]))
    change[:, :-1] = np.kron(np.diff(np.eye(knots), axis=0), np.eye(3))
    share, stiff = kept.copy(), 0.0
    found = np.zeros(terms.shape[-1])
    for _ in range(6):
        load = share[:, None, None] * terms
        normal = np.einsum("nai,naj->ij", load, terms) + stiff * change.T @ change
        inverse = np.linalg.inv(normal + TINY * np.trace(normal) * np.eye(len(normal)))
        found = inverse @ np.einsum("nai,na->i", load, seen)
        miss = np.linalg.norm(seen - terms @ found, axis=1)
        typical = float(np.median(miss[kept > 0])) + TINY
        share = kept / (1 + (miss / (SLACK * typical)) ** 2)
        speed = float(np.sqrt((found[:-1] ** 2).sum() / knots))
        stiff = typical**2 / (TURN * speed + TINY) ** 2
    return float(found[-1]), float(typical * np.sqrt(inverse[-1, -1]))
