"""Geometry of which way is up: what the camera's level, straight edges and planes say together, and how surely; numpy only.

Each witness gives every direction a log likelihood; the best direction is refined, and its share of all that is likely is the confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROLL = 0.06  # radians by which people hold a camera askew
PITCH, USUAL_PITCH = 0.3, -0.12  # how cameras look up and down: most near the level,
STEEP, STEEP_PITCH, ODD = 0.45, -0.6, 0.2  # but this part of the shots looks down, seldom straight
STRAIGHT, NEAR = 0.02, 0.04  # radians: how well an edge points to its vanishing point, how well a plane is level
AXIS = 0.15  # part of the edges that run along each of the three axes of a built world
LINES, PLANES = 0.35, 12.0  # what one edge counts (its neighbours tell the same), and what a plane of all points counts
LEVEL = 9.0  # what it counts that a plane of all points lies level rather than stands
YAWS = 30  # level directions that are tried
NAMED, ROUNDS, SAME = 300, 6, 0.07  # candidates of each kind of witness; rounds of refining; radians that count as one answer


@dataclass(frozen=True)
class Witness:
    """What speaks about up; unit vectors in world axes."""

    right: Array  # [T, 3] the cameras' x axes
    ahead: Array  # [T, 3] their z axes
    middle: Array  # [S, 3] rays to the middles of edges
    way: Array  # [S, 3] their ways across those rays
    weight: Array  # [S]
    normals: Array  # [P, 3] of planes, either way round
    shares: Array  # [P] parts of the points that lie on them

    @cached_property
    def side(self) -> Array:
        """[S, 3] across the edges and their rays."""
        return np.cross(self.middle, self.way)


def find(witness: Witness) -> tuple[Array, float]:
    """Up [3], and the confidence 0..1 that it lies within some four degrees."""
    own = np.cross(witness.right, witness.ahead).mean(0)
    every = _sphere(6000)
    every = every[every @ own > -0.2 * np.linalg.norm(own)]
    plain = level(witness, every)
    # Each kind of witness may name candidates: where one is silent or wrong, another speaks.
    named = [plain + standing(witness, every), plain + upward(witness, every)]
    some = every[np.unique(np.concatenate([np.argsort(-score)[:NAMED] for score in named]))]
    score = likely(witness, some)
    best, top, spread = some[score.argmax()], float(score.max()), 0.03
    random = np.random.default_rng(0)
    for _ in range(ROUNDS):
        near = best + random.normal(0, spread, (40, 3))
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        value = likely(witness, near)
        if value.max() > top:
            best, top = near[value.argmax()], float(value.max())
        spread *= 0.6
    mass = np.exp(score - score.max())
    return best, float(mass[some @ best > np.cos(SAME)].sum() / mass.sum())


def likely(witness: Witness, up: Array) -> Array:
    """Log likelihood [K] of directions up [K, 3]."""
    return level(witness, up) + standing(witness, up) + built(witness, up)


def level(witness: Witness, up: Array) -> Array:
    """[K]: cameras are held level, seldom look far up or down, and never stand on their heads."""
    roll = np.arcsin(np.clip(up @ witness.right.T, -1, 1))
    held = -np.log1p((roll / ROLL) ** 2).mean(1)
    pitch = np.arcsin(np.clip(up @ witness.ahead.T, -1, 1)).mean(1)
    usual, steep = (np.exp(-0.5 * ((pitch - middle) / wide) ** 2) / wide for middle, wide in ((USUAL_PITCH, PITCH), (STEEP_PITCH, STEEP)))
    looks = np.log((1 - ODD) * usual + ODD * steep + 1e-6)
    return 3 * held + looks


def standing(witness: Witness, up: Array) -> Array:
    """[K]: planes are level or upright, the fuller the surer.

    A wall seen head-on looks like a floor seen from above. So that a plane lies level is worth but a little more than that it
    stands; how cameras are held decides between the two.
    """
    if not len(witness.normals):
        return np.zeros(len(up))
    lean = np.arccos(np.clip(np.abs(up @ witness.normals.T), 0, 1))
    flat, wall = (np.exp(-0.5 * (off / NEAR) ** 2) / NEAR for off in (lean, np.pi / 2 - lean))
    return (witness.shares * (PLANES * np.log(0.4 + 0.2 * (flat + wall)) + LEVEL * NEAR * flat)).sum(1)


def upward(witness: Witness, up: Array) -> Array:
    """[K]: edges run along up, or anyhow; the quick part of `built`."""
    return LINES * (witness.weight[:, None] * np.log(1 - AXIS + AXIS * _pointing(witness, up))).sum(0)


def built(witness: Witness, up: Array) -> Array:
    """[K]: edges run along up and along two level directions square to each other, or anyhow."""
    if not len(witness.weight):
        return np.zeros(len(up))
    out = np.empty(len(up))
    for k, one in enumerate(up):
        a = np.cross(one, (1.0, 0, 0) if abs(one[0]) < 0.8 else (0, 1.0, 0))
        a /= np.linalg.norm(a)
        b = np.cross(one, a)
        angle = np.arange(YAWS) * (np.pi / 2 / YAWS)
        level_ways = np.concatenate([np.outer(np.cos(angle), a) + np.outer(np.sin(angle), b), np.outer(np.cos(angle), b) - np.outer(np.sin(angle), a)])
        along = _pointing(witness, np.concatenate([level_ways, one[None]]))  # [S, 2 Y + 1]
        density = (1 - 3 * AXIS) + AXIS * (along[:, :YAWS] + along[:, YAWS:-1] + along[:, -1:])
        out[k] = LINES * (witness.weight[:, None] * np.log(density)).sum(0).max()
    return out


def _pointing(witness: Witness, ways: Array) -> Array:
    """How much likelier than chance each edge would lie as it does [S, D] if it ran along each of `ways` [D, 3]."""
    run = witness.way @ ways.T
    depth = witness.middle @ ways.T
    across = np.sqrt(np.clip(1 - depth**2, 1e-12, None))
    side = np.abs(witness.side @ ways.T)
    off = np.arctan2(side, np.abs(run))
    sigma = np.hypot(STRAIGHT, 0.5 * STRAIGHT / across)  # near its own vanishing point an edge may point anywhere
    return np.exp(-0.5 * (off / sigma) ** 2) * (np.pi / 2) / (sigma * np.sqrt(np.pi / 2))


def _sphere(count: int) -> Array:
    """Evenly spread directions [count, 3] (Fibonacci's spiral)."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - z * z)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z], 1)
