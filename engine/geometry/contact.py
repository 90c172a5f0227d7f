"""Geometry of where moving things stand: parallax says nothing of a mover's depth, the ground at its feet does; numpy, OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]

HIDDEN = 0.12  # of a cut piece's height: how much of it is guessed to lie below the picture
SMALLEST = 2e-4  # share of the picture below which a piece is noise


@dataclass(frozen=True)
class Stand:
    """What the still scene says of one moving piece's inverse depth."""

    rho: float  # 1 / scene units
    sure: float  # 1: stands on measured ground; low: only known to be in front of what it hides
    kind: str  # "ground" or "front"


def pieces(mask: Mask) -> tuple[int, NDArray[np.int32]]:
    """Count and labels [H, W] (1..count) of connected pieces, row by row, without specks."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    kept = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= SMALLEST * mask.size]
    renamed = np.zeros(count, np.int32)
    renamed[kept] = np.arange(1, len(kept) + 1)
    return len(kept), renamed[labels]


def stand(piece: Mask, still: Mask, rho: Picture, weight: Picture) -> Stand:
    """Where a piece stands: inverse depth of the ground under its lowest points, else just in front of what it hides.

    `still` marks measured pixels of the still scene, `rho` [H, W] their inverse depth, `weight` [H, W] its information.
    """
    height, width = piece.shape
    rows, columns = np.nonzero(piece)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    tall = bottom - top + 1
    feet = rows >= bottom - max(2, 0.04 * tall)
    foot = (float(columns[feet].mean()), float(bottom))
    cut = bottom >= height - 3
    if cut:  # the feet are below the picture: a little nearer than the lowest floor that shows
        foot = (foot[0], foot[1] + HIDDEN * tall)
    found = _ground(foot, right - left + 1, tall, still, rho, weight)
    if found is not None:
        return Stand(found, 0.3 if cut else 1.0, "ground")
    return _front(piece, still, rho)


def _ground(foot: tuple[float, float], wide: int, tall: int, still: Mask, rho: Picture, weight: Picture) -> float | None:
    """A plane in inverse depth through the still pixels about a foot (x, y), read at the foot; None where no floor shows."""
    height, width = rho.shape
    reach_x, reach_y = max(12, int(0.9 * wide)), max(8, int(0.25 * tall))
    middle = min(int(foot[1]), height - reach_y // 2)
    y0, y1 = max(0, middle - reach_y // 2), min(height, middle + reach_y)
    x0, x1 = max(0, int(foot[0]) - reach_x), min(width, int(foot[0]) + reach_x)
    here = still[y0:y1, x0:x1]
    if here.sum() < 40:
        return None
    y, x = np.nonzero(here)
    value = rho[y0:y1, x0:x1][here].astype(np.float64)
    trust = np.minimum(weight[y0:y1, x0:x1][here], np.median(weight[y0:y1, x0:x1][here])).astype(np.float64)
    terms = np.stack([x + x0 - foot[0], y + y0 - foot[1], np.ones(len(x))], 1)
    scale = max(float(np.median(value)), 1e-9)
    share = np.ones(len(x))
    for _ in range(6):
        pull = (trust * share)[:, None] * terms
        plane = np.linalg.lstsq(pull.T @ terms, pull.T @ value, rcond=None)[0]
        share = 1 / (1 + ((terms @ plane - value) / (0.03 * scale)) ** 2)
    # A floor comes nearer towards the bottom of the picture, and most of what lies about the foot belongs to it.
    floor = plane[1] * tall > 0.02 * plane[2] and plane[2] > 0 and np.average(share, weights=trust) > 0.5
    return float(plane[2]) if floor else None


def _front(piece: Mask, still: Mask, rho: Picture) -> Stand:
    """A mover hides what is behind it: it is nearer than most of the still scene along its outline."""
    wide = cv2.dilate(piece.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    outline = wide & ~piece & still
    if outline.sum() < 20:
        return Stand(float(np.median(rho)), 0.02, "front")
    return Stand(float(np.percentile(rho[outline], 75)) * 1.05, 0.1, "front")


def smooth_log(frames: NDArray[np.float64], rho: NDArray[np.float64], sure: NDArray[np.float64], reach: float = 6.0) -> NDArray[np.float64]:
    """Inverse depth of one piece over time [N], smoothed in its logarithm: local lines, Gaussian reach in frames, Cauchy 0.1."""
    value = np.log(rho)
    smooth = value.copy()
    near = np.exp(-0.5 * ((frames[:, None] - frames[None]) / reach) ** 2) * sure[None]
    for step in range(4):
        weight = near if step == 0 else near / (1 + ((value - smooth)[None] / 0.1) ** 2)
        offset = frames[None] - frames[:, None]
        s0, s1, s2 = weight.sum(1), (weight * offset).sum(1), (weight * offset**2).sum(1) + 4.0 * weight.sum(1)
        m0, m1 = weight @ value, (weight * offset) @ value
        smooth = (s2 * m0 - s1 * m1) / np.maximum(s0 * s2 - s1 * s1, 1e-12)
    return np.exp(smooth)


def chains(links: list[NDArray[np.int64]], counts: list[int]) -> list[NDArray[np.int64]]:
    """A name for every piece of every frame, the same along time: names[t] [counts[t]].

    `links[t]` [counts[t], counts[t + 1]] counts pixels of a piece that the flow carries into a piece of the next frame.
    """
    names = [np.arange(counts[0])] if counts else []
    fresh = counts[0] if counts else 0
    for link, count in zip(links, counts[1:]):
        named = np.full(count, -1, np.int64)
        if link.size:
            for after in range(count):
                before = int(link[:, after].argmax())
                if link[before, after] > 0 and int(link[before].argmax()) == after:
                    named[after] = names[-1][before]
        new = named < 0
        named[new] = fresh + np.arange(new.sum())
        fresh += int(new.sum())
        names.append(named)
    return names
