"""Training room: how the distance of each moving thing changes, from how its picture grows; numpy, no stage.

Over its many pixels the median growth is exact to a part in a thousand, also of what walks. A sum of absolute differences along a chain
of frames hardly moves under gradient steps, so the curve is solved for at once; the votes of the start settle where it lies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .followed import Table

Curves = NDArray[np.float64]
FEW = 20  # pixels below which a median tells nothing
NOISE = 0.004  # of a median, in log depth
STEADY = 0.05  # change of a curve's slope from frame to frame that is usual
ODD = 0.03  # how far a median may lie off before it counts less
BELIEVED = 0.1  # relative error of depth at which confidence is one half
AGREEING = 0.015  # mean difference of growth and start, in log depth, up to which there is nothing to mend
GAIN = 0.7  # of that difference is left at most, on growth that was not looked at, by a curve that is believed


def curves(table: Table, things: int, frames: int) -> Curves:
    """Corrections of log depth [things, frames]: robust least squares over growth between frames, votes, and steadiness.

    0 throughout for a thing whose start grows as its picture does, or whose curve does not foretell growth that it was not made from.
    """
    here, there = table.here, table.there
    owner, first, last = (part.cpu().numpy() for part in (here.thing, here.frame, there.frame))
    miss = (there.start - here.start + table.growth).cpu().numpy()
    usable = table.grown.cpu().numpy() & (owner == there.thing.cpu().numpy())
    sure = here.sure.cpu().numpy().clip(0.01, 0.99)
    out = np.zeros((things, frames))
    for thing in np.unique(owner):
        own = owner == thing
        # Of the frames it is seen in: a long shot shows many things, each for a while.
        begin, end = int(first[own].min()), int(last[own].max()) + 1
        curve = _of_one(first[own] - begin, last[own] - begin, miss[own], usable[own], sure[own], end - begin)
        out[thing] = np.pad(curve, (begin, frames - end), mode="edge")
    return out


def _of_one(
    first: NDArray[np.integer], last: NDArray[np.integer], miss: NDArray[np.floating], usable: NDArray[np.bool_], sure: NDArray[np.floating],
    frames: int,
) -> Curves:
    """Corrections [frames] of one thing."""
    trust = np.bincount(first, sure / (1 - sure), frames) / np.maximum(np.bincount(first, minlength=frames), 1)
    # Squared: many frames that only guess must not outvote a few that saw where the thing stands.
    votes = (trust / BELIEVED) ** 2
    told = _pairs(first[usable], last[usable], miss[usable], frames)
    if not _foretells(told, votes):
        return np.zeros(frames)
    seen = np.bincount(first, minlength=frames) + np.bincount(last, minlength=frames)
    return _held(_curve(told, votes), seen, votes)


def _held(curve: Curves, pixels: NDArray[np.integer], votes: Curves) -> Curves:
    """The curve [frames] at the level of the start, unless votes move it by more than their own error: growth tells no level."""
    shift = float(np.average(curve, weights=pixels))
    return curve - shift / (1 + shift**2 * votes[pixels > 0].sum())


def _pairs(
    first: NDArray[np.integer], last: NDArray[np.integer], miss: NDArray[np.floating], frames: int,
) -> list[tuple[int, int, float, float]]:
    """Two frames, the median by which growth and start differ between them, and its error."""
    pairs, group = np.unique(first * frames + last, return_inverse=True)
    order = np.argsort(group, kind="stable")
    parts = [part for part in np.split(miss[order], np.flatnonzero(np.diff(group[order])) + 1)] if len(pairs) else []
    return [
        (pair // frames, pair % frames, float(np.median(part)), float(np.median(np.abs(part - np.median(part)))) / np.sqrt(len(part)))
        for pair, part in zip(pairs, parts) if len(part) >= FEW
    ]


def _foretells(told: list[tuple[int, int, float, float]], votes: Curves) -> bool:
    """Whether curves made from one half of the pairs of frames explain the other half, which the start does not."""
    if len(told) < 4:
        return False
    before = float(np.mean([abs(step) for _, _, step, _ in told]))
    left = []
    for half in (0, 1):
        curve = _curve(told[half::2], votes)
        left += [abs(step + curve[j] - curve[i]) for i, j, step, _ in told[1 - half :: 2]]
    return before > AGREEING and float(np.mean(left)) < GAIN * before


def _curve(told: list[tuple[int, int, float, float]], votes: Curves) -> Curves:
    """One thing's corrections [frames]; `votes` [frames] weigh that it stays where it began."""
    frames = len(votes)
    bend = np.diff(np.eye(frames), n=2, axis=0)
    base = bend.T @ bend / STEADY**2 + np.diag(votes + 1e-3)
    i, j, step, noise = (np.array(part) for part in zip(*told))
    rows = np.zeros((len(step), frames))
    rows[np.arange(len(step)), j] += 1
    rows[np.arange(len(step)), i] -= 1
    curve, weight = np.zeros(frames), 1 / (NOISE**2 + noise**2)
    share = np.ones(len(step))
    for _ in range(6):
        load = (weight * share)[:, None] * rows
        curve = np.linalg.solve(base + rows.T @ load, -load.T @ step)
        share = 1 / (1 + ((rows @ curve + step) / ODD) ** 2)
    return curve
