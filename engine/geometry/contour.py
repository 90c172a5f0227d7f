"""Geometry room: closed contours in a picture, traced at a level, resampled, and carried from frame to frame; numpy and scipy.

Points are px with pixel centres at +0.5, x right, y down. Outer contours run clockwise on the screen (positive area), holes the other way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Loop = NDArray[np.float64]  # [N, 2] px, closed: the last point joins the first

# For each pattern of inside corners (1 top left, 2 top right, 4 bottom right, 8 bottom left): segments from cell edge to cell edge
# with the inside on the right. Edges: 0 top, 1 right, 2 bottom, 3 left. 16 and 17 are 5 and 10 with an inside middle.
_T, _R, _B, _L = range(4)
_SEGMENTS = (
    (), ((_T, _L),), ((_R, _T),), ((_R, _L),), ((_B, _R),), ((_T, _L), (_B, _R)), ((_B, _T),), ((_B, _L),),
    ((_L, _B),), ((_T, _B),), ((_R, _T), (_L, _B)), ((_R, _B),), ((_L, _R),), ((_T, _R),), ((_L, _T),), (),
    ((_T, _R), (_B, _L)), ((_L, _T), (_R, _B)),
)


def trace(alpha: NDArray[np.floating], level: float = 0.5) -> list[Loop]:
    """Every closed contour of alpha [H, W] at a level (marching squares, linear between pixels); outside the picture alpha is 0."""
    a = np.pad(alpha.astype(np.float64), 1)
    width = a.shape[1]
    start, end = _links(a, level)
    if not len(start):
        return []
    follow = np.full(2 * a.size, -1, np.int64)
    follow[start] = end
    loops = []
    for first in start:
        if follow[first] < 0:
            continue
        ids = []
        at = first
        while follow[at] >= 0:
            ids.append(at)
            follow[at], at = -1, follow[at]
        loops.append(_crossings(a, np.array(ids), width, level) - 0.5)  # one off for the rim, half for the pixel centre
    return loops


def _links(a: NDArray[np.float64], level: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Grid edges by number (2 * pixel for the edge to the right, + 1 for the edge below): each one's contour leads to another."""
    inside = a >= level
    kind = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, 1:] + 8 * inside[1:, :-1]
    y, x = np.nonzero((kind > 0) & (kind < 15))
    kind = kind[y, x]
    middle = (a[y, x] + a[y, x + 1] + a[y + 1, x] + a[y + 1, x + 1]) / 4 >= level
    kind = np.where(middle & (kind == 5), 16, np.where(middle & (kind == 10), 17, kind))
    corner = y * a.shape[1] + x
    edges = np.stack([2 * corner, 2 * (corner + 1) + 1, 2 * (corner + a.shape[1]), 2 * corner + 1], 1)
    start, end = [], []
    for pattern, segments in enumerate(_SEGMENTS):
        rows = edges[kind == pattern]
        for one, other in segments:
            start.append(rows[:, one])
            end.append(rows[:, other])
    return np.concatenate(start), np.concatenate(end)


def _crossings(a: NDArray[np.float64], ids: NDArray[np.int64], width: int, level: float) -> Loop:
    pixel, down = ids // 2, ids % 2
    y, x = pixel // width, pixel % width
    here, there = a[y, x], a[y + down, x + 1 - down]
    part = (level - here) / (there - here)
    return np.stack([x + np.where(down, 0, part), y + np.where(down, part, 0)], 1)


def area(loop: Loop) -> float:
    """Signed area in square px: positive for outer contours, negative for holes."""
    x, y = loop.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def lengths(loop: Loop) -> NDArray[np.float64]:
    """Distance along the loop from its first point to each point and back to the first, [N + 1] px."""
    return np.concatenate([[0.0], np.hypot(*(np.roll(loop, -1, 0) - loop).T).cumsum()])


def sample(loop: Loop, at: NDArray[np.float64]) -> Loop:
    """Points at distances `at` (px, cyclic) along the loop."""
    along = lengths(loop)
    at = np.mod(at, along[-1])
    closed = np.concatenate([loop, loop[:1]])
    return np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], 1)


def normals(loop: Loop) -> Loop:
    """Unit normals that point out of what the loop encloses on its right: away from the inside, [N, 2]."""
    way = np.roll(loop, -1, 0) - np.roll(loop, 1, 0)
    return np.stack([way[:, 1], -way[:, 0]], 1) / np.maximum(np.hypot(*way.T), 1e-9)[:, None]


def place(loop: Loop, count: int, calm: float = 2.0) -> NDArray[np.float64]:
    """Distances along the loop for `count` points, closer where it bends: density 1 + share of the turning, [count] px.

    `calm` is the radius in px over which the loop is smoothed before its bends are measured.
    """
    total = lengths(loop)[-1]
    fine = max(count * 4, int(total))
    step = total / fine
    at = np.arange(fine) * step
    dense = smooth(sample(loop, at), calm / step)
    way = np.roll(dense, -1, 0) - dense
    angle = np.unwrap(np.arctan2(way[:, 1], way[:, 0]))
    turn = smooth(np.abs(np.diff(angle, prepend=angle[-1] - 2 * np.pi * np.round((angle[-1] - angle[0]) / (2 * np.pi))))[:, None], calm / step)[:, 0]
    density = np.sqrt(turn / step + 0.25 * 2 * np.pi / total)  # an arc needs points by the root of its curvature
    share = np.concatenate([[0.0], density.cumsum()])
    return np.interp(np.arange(count) * share[-1] / count, share, np.append(at, total))


def smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Cyclic Gaussian smoothing of [N, C] along N."""
    if sigma <= 0:
        return values
    frequency = np.fft.rfftfreq(len(values))[:, None]
    kept = np.fft.rfft(values, axis=0) * np.exp(-2 * (np.pi * sigma * frequency) ** 2)
    return np.fft.irfft(kept, len(values), axis=0)


def match(points: Loop, outward: Loop, loop: Loop, gaps: NDArray[np.float64], fine: int = 600) -> NDArray[np.float64]:
    """Where along `loop` each of `points` belongs, in order and all around, [N] px (rising, from the first point on).

    Dynamic programming over positions: squared distance, plus disagreement with `outward` (unit normals of the points);
    neighbours keep at least a third of their former share `gaps` [N] (sums to 1) of the way round.
    """
    total = lengths(loop)[-1]
    count = len(points)
    fine = max(fine, 4 * count)
    at = np.arange(fine) * total / fine
    dense = sample(loop, at)
    # Half the squared width of a point's own stretch makes the normal's word weigh as much as the distance's.
    turned = 1 - outward @ normals(smooth(dense, 1.0)).T
    cost = ((points[:, None] - dense[None]) ** 2).sum(-1) + turned * (0.5 * total / count) ** 2
    least = np.maximum(1, np.floor(gaps * fine / 3)).astype(int)
    anchor = int(np.argmax(gaps + np.roll(gaps, 1)))  # a point with room is the safest to start with
    order = np.roll(np.arange(count), -anchor)
    best, chosen = np.inf, None
    for start in _minima(cost[anchor]):
        found, steps = _path(np.roll(cost[order], -start, axis=1), least[order])
        if found < best:
            best, chosen = found, start + steps
    assert chosen is not None
    where = np.empty(count)
    where[order] = chosen
    where[np.arange(count) < anchor] -= fine
    return where * total / fine


def _minima(cost: NDArray[np.float64]) -> NDArray[np.intp]:
    """The best few local minima of a cyclic row."""
    low = np.flatnonzero((cost <= np.roll(cost, 1)) & (cost <= np.roll(cost, -1)))
    return low[np.argsort(cost[low], kind="stable")[:3]]


def _path(cost: NDArray[np.float64], least: NDArray[np.intp]) -> tuple[float, NDArray[np.intp]]:
    """The cheapest rising path through [N, M] that begins at column 0 and can still close; its cost and columns."""
    count, fine = cost.shape
    total = np.full(fine, np.inf)
    total[0] = cost[0, 0]
    back = np.zeros((count, fine), np.intp)
    for row in range(1, count):
        gap = least[row - 1]
        lowest = np.minimum.accumulate(total)
        where = np.maximum.accumulate(np.where(total <= lowest, np.arange(fine), 0))
        back[row, gap:] = where[: fine - gap]
        total = np.concatenate([np.full(gap, np.inf), lowest[: fine - gap]]) + cost[row]
    end = int(np.argmin(total[: fine - least[-1] + 1]))
    steps = np.empty(count, np.intp)
    found = float(total[end])
    for row in range(count - 1, -1, -1):
        steps[row] = end
        end = back[row, end]
    return found, steps


def bezier(points: Loop, steps: int = 8) -> Loop:
    """The closed curve that Blender draws through points with automatic handles, [N * steps, 2] px.

    A handle points along the sum of the unit vectors to both neighbours; its length is the neighbour's distance over 2.5614
    times the length of that sum.
    """
    after, before = np.roll(points, -1, 0) - points, points - np.roll(points, 1, 0)
    far_after, far_before = (np.maximum(np.hypot(*way.T), 1e-9)[:, None] for way in (after, before))
    along = after / far_after + before / far_before
    along /= 2.5614 * np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    p0, p3 = points, np.roll(points, -1, 0)
    p1, p2 = p0 + along * far_after, np.roll(points - along * far_before, -1, 0)
    t = (np.arange(steps) / steps)[None, :, None]
    curve = (1 - t) ** 3 * p0[:, None] + 3 * t * (1 - t) ** 2 * p1[:, None] + 3 * t * t * (1 - t) * p2[:, None] + t**3 * p3[:, None]
    return curve.reshape(-1, 2)


def deviation(points: Loop, loop: Loop, step: float = 2.0) -> NDArray[np.float64]:
    """Distance in px from places every `step` px along the loop to the curve through points, [M]."""
    total = lengths(loop)[-1]
    there = sample(loop, np.arange(0, total, step))
    curve = bezier(points, max(4, int(np.ceil(2 * total / len(points)))))  # every half px
    return cKDTree(curve).query(there)[0]
