"""Geometry of bringing a guessed depth to a measured one: an affine map of inverse depth, then a grid of log scale that bends over the
picture, both in closed form and steady over time; numpy and scipy, nothing of the engine.

Every frame has normal equations of its own. Those of the frames around are added with weights that fall off in time, so that what
one frame does not show its neighbours tell, and nothing jumps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
ROWS, COLUMNS = 6, 10  # nodes of the grid
STIFF = 0.1  # of a step between two nodes, against a cell full of sure pixels
STIFFER = 1.0  # while the offset is sought, which a soft grid would hide
TIED = 1e-3  # of a node to no correction at all
OUTLIER = 0.1  # log scale beyond which a pixel is doubted at last
OFFSETS = np.geomspace(0.02, 2.5, 13)  # tried: how far infinity lies below a frame's guesses, in parts of their span
DOUBTS = (0.5, 0.25, OUTLIER, OUTLIER)  # in the rounds of re-weighting: a strong bend must not be taken for outliers


@dataclass(frozen=True)
class Samples:
    """Some pixels of one frame: where they are, what was guessed and what was measured there."""

    place: Array  # [N, 2] px
    guess: Array  # [N] inverse depth in the guess's own units
    rho: Array  # [N] measured inverse depth
    weight: Array  # [N] 0..1: how far the measurement is to be trusted


@dataclass(frozen=True)
class Bend:
    """The grid of one frame: log scale at its nodes, its covariance, and how far pixels were off it."""

    nodes: Array  # [ROWS * COLUMNS] log scale
    doubt: Array  # [ROWS * COLUMNS] relative variance of inverse depth at the nodes


def in_time(numbers: list[int], reach: float) -> Array:
    """Weights [T, T] with which frame t hears frame s: a bell of `reach` frames, and a faint voice of all others."""
    away = (np.array(numbers, float)[:, None] - np.array(numbers, float)[None]) / max(reach, 1e-6)
    return np.exp(-0.5 * away**2) + 1e-4 / (1 + away**2)


def fit(samples: list[Samples], size: tuple[int, int], own: Array, around: Array, with_offset: bool, low: float) -> tuple[Array, list[Bend]]:
    """(scale, offset) [T, 2] and a grid for every frame of (W, H): rho = exp(grid) * max(scale * guess + offset, low).

    Scales hear other frames by `own`, offsets and grids by `around` [T, T].
    """
    lines = affine(samples, size, own, around, with_offset)
    near = [replace(held, guess=np.maximum(a * held.guess + b, low)) for held, (a, b) in zip(samples, lines)]
    return lines, bend(near, size, around)


def affine(samples: list[Samples], size: tuple[int, int], own: Array, around: Array, with_offset: bool) -> Array:
    """(scale, offset) [T, 2] with scale * guess + offset near rho.

    The offset says which guess lies infinitely far. Several are tried, each with a grid of its own, and that is taken which leaves
    least to explain and bends least for it: one scale for a bent guess would hide its bend in the offset, and a bend that costs
    nothing hides a wrong offset, by which things far nearer than all that was measured would then be misplaced.
    """
    if not any(len(held.rho) > 20 for held in samples):
        return np.tile([1.0, 0.0], (len(samples), 1))
    spans = np.array([np.percentile(held.guess, (5, 95)) if len(held.rho) > 20 else (np.nan, np.nan) for held in samples])
    spans[np.isnan(spans[:, 0])] = np.nanmedian(spans, 0)
    zero = spans[:, 0] - OFFSETS[:, None] * (spans[:, 1] - spans[:, 0]) if with_offset else np.zeros((1, len(samples)))  # [K, T]
    left, middles = [], []
    for tried in zero:
        ratio = [np.median(held.rho / np.maximum(held.guess - at, 1e-9)) if len(held.rho) > 20 else np.nan for held, at in zip(samples, tried)]
        middles.append(np.where(np.isnan(ratio), np.nanmedian(ratio), ratio))
        if len(zero) > 1:
            near = [replace(held, guess=np.maximum(a * (held.guess - at), 1e-9)) for held, a, at in zip(samples, middles[-1], tried)]
            left.append(_cost(near, bend(near, size, own, STIFFER), size))
    logs, frames = np.log(np.stack(middles)), np.arange(len(samples))
    if not left:
        return np.stack([np.exp(own @ logs[0] / own.sum(1)), np.zeros(len(samples))], 1)
    share = _lowest(np.stack(left) @ around.T)
    low, part = share.astype(int), share - share.astype(int)
    high = np.minimum(low + 1, len(zero) - 1)
    at, scale = (table[low, frames] * (1 - part) + table[high, frames] * part for table in (zero, logs))
    return np.stack([np.exp(scale), -np.exp(scale) * at], 1)


def _lowest(values: Array) -> Array:
    """For every column of [K, T] the row, with its fraction, of the lowest value: the vertex of the parabola through three."""
    best = np.argmin(values, 0)
    middle = best.clip(1, len(values) - 2)
    columns = np.arange(values.shape[1])
    before, here, after = (values[middle + step, columns] for step in (-1, 0, 1))
    shift = 0.5 * (before - after) / np.maximum(before - 2 * here + after, 1e-12)
    return np.where(best == middle, middle + shift.clip(-0.5, 0.5), best).clip(0, len(values) - 1)


def _cost(samples: list[Samples], bends: list[Bend], size: tuple[int, int]) -> Array:
    """For every frame [T] what its grid does not explain, robustly, and what the grid itself costs."""
    out, membrane = np.zeros(len(samples)), STIFFER * _membrane()
    for t, (held, found) in enumerate(zip(samples, bends)):
        if len(held.rho):
            off = np.log(held.rho / held.guess) - basis(held.place, size) @ found.nodes
            left = np.average(np.log1p((off / OUTLIER) ** 2), weights=held.weight + 1e-9)
            out[t] = ROWS * COLUMNS * OUTLIER**2 * left + found.nodes @ membrane @ found.nodes
    return out


def bend(samples: list[Samples], size: tuple[int, int], hears: Array, stiffness: float = STIFF) -> list[Bend]:
    """The grid of every frame of (W, H) that brings `guess`, already near, to `rho`: robust least squares with a membrane between nodes."""
    bases = [basis(held.place, size) for held in samples]
    logs = [np.log(held.rho / np.maximum(held.guess, 1e-12)) for held in samples]
    shares = [np.ones_like(log) for log in logs]
    cell = [1 / max(1.0, len(held.rho) / (ROWS * COLUMNS)) for held in samples]  # a full cell weighs one, however many pixels it has
    stiff = stiffness * _membrane() + TIED * np.eye(ROWS * COLUMNS)
    total = hears.sum(1)
    nodes = np.zeros((len(samples), ROWS * COLUMNS))
    for doubt in DOUBTS:
        left, right = [], []
        for held, base, log, share, part in zip(samples, bases, logs, shares, cell):
            load = sparse.diags(part * held.weight * share)
            left.append((base.T @ load @ base).toarray())
            right.append(base.T @ (load @ log))
        heard = [np.tensordot(hears[t], np.stack(left), 1) / total[t] + stiff for t in range(len(samples))]
        nodes = np.stack([np.linalg.solve(a, b) for a, b in zip(heard, (hears @ np.stack(right)) / total[:, None])])
        shares = [1 / (1 + ((log - base @ at) / doubt) ** 2) for log, base, at in zip(logs, bases, nodes)]
    return _doubted(samples, bases, logs, nodes, heard, cell, hears / total[:, None])


def _doubted(
    samples: list[Samples], bases: list[sparse.csr_matrix], logs: list[Array], nodes: Array, heard: list[Array], cell: list[float], hears: Array,
) -> list[Bend]:
    """With every grid, the variance at its nodes: what pixels about them were off, carried on, and what the membrane does not know."""
    square, load = [], []
    for held, base, log, at, part in zip(samples, bases, logs, nodes, cell):
        off = (log - base @ at) ** 2
        share = part * held.weight / (1 + off / OUTLIER**2)  # what is far off is the measurement's fault more often than the guess's
        square.append(base.T @ (share * off))
        load.append(base.T @ share)
    square, load = hears @ np.stack(square), hears @ np.stack(load)
    spread = np.linalg.inv(0.05 * _membrane() + np.eye(ROWS * COLUMNS) * 1e-4)
    out = []
    for t in range(len(samples)):
        typical = square[t].sum() / max(load[t].sum(), 1e-9) if load[t].sum() > 0 else OUTLIER**2
        smooth = spread @ (square[t] + 1e-3 * typical) / (spread @ (load[t] + 1e-3))
        out.append(Bend(nodes[t], smooth + typical * np.diag(np.linalg.inv(heard[t]))))
    return out


def basis(place: Array, size: tuple[int, int]) -> sparse.csr_matrix:
    """Bilinear weights [N, ROWS * COLUMNS] of the nodes at px [N, 2] of a picture (W, H)."""
    x = np.clip(place[:, 0] / max(size[0] - 1, 1), 0, 1) * (COLUMNS - 1)
    y = np.clip(place[:, 1] / max(size[1] - 1, 1), 0, 1) * (ROWS - 1)
    left, top = np.minimum(x.astype(int), COLUMNS - 2), np.minimum(y.astype(int), ROWS - 2)
    right, low = x - left, y - top
    first = top * COLUMNS + left
    columns = np.stack([first, first + 1, first + COLUMNS, first + COLUMNS + 1], 1)
    values = np.stack([(1 - right) * (1 - low), right * (1 - low), (1 - right) * low, right * low], 1)
    start = np.arange(0, 4 * len(place) + 1, 4)
    return sparse.csr_matrix((values.ravel(), columns.ravel(), start), shape=(len(place), ROWS * COLUMNS))


def plane(nodes: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """The grid's bilinear values [H, W]."""
    held = nodes.reshape(ROWS, COLUMNS)
    y, x = np.linspace(0, ROWS - 1, size[1]), np.linspace(0, COLUMNS - 1, size[0])
    top, left = np.minimum(y.astype(int), ROWS - 2), np.minimum(x.astype(int), COLUMNS - 2)
    low, right = (y - top)[:, None], x - left
    rows = held[top] * (1 - low) + held[top + 1] * low
    return (rows[:, left] * (1 - right) + rows[:, left + 1] * right).astype(np.float32)


def _membrane() -> Array:
    """[K, K]: the squared steps between neighbouring nodes, summed, as a quadratic form."""
    index = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    pairs = np.concatenate([np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], 1), np.stack([index[:-1].ravel(), index[1:].ravel()], 1)])
    out = np.zeros((ROWS * COLUMNS, ROWS * COLUMNS))
    for a, b in pairs:
        out[a, a] += 1
        out[b, b] += 1
        out[a, b] -= 1
        out[b, a] -= 1
    return out
