"""Geometry of where moving things stand: parallax says nothing of a mover's depth, the ground at its feet does; numpy, OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]

HIDDEN = 1.0  # of a cut piece's height: what lies below the picture; nothing tells, and half of it shows as often as less
NEARER = 4.0  # times than the floor at the edge, at most
GUESSED = 0.05  # how sure that is
FACING = 0.8  # cosine between a floor's normal and up
FRONT = 0.03  # how sure it is that a mover stands just before what it hides
OFF = 0.2  # of the camera's height: how far off the shot's floor a stand is half as sure
SMALLEST = 2e-4  # share of the picture below which a piece is noise


@dataclass(frozen=True)
class Stand:
    """What the still scene says of one moving piece's inverse depth."""

    rho: float  # 1 / scene units
    sure: float  # 1: stands on measured ground; low: only known to be in front of what it hides
    kind: str  # "ground", "guess" (its feet are below the picture) or "front"


def pieces(mask: Mask) -> tuple[int, NDArray[np.int32]]:
    """Count and labels [H, W] (1..count) of connected pieces, row by row, without specks."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    kept = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= SMALLEST * mask.size]
    renamed = np.zeros(count, np.int32)
    renamed[kept] = np.arange(1, len(kept) + 1)
    return len(kept), renamed[labels]


def stand(
    piece: Mask, still: Mask, rho: Picture, weight: Picture, rays: Picture, up: NDArray[np.floating], height: float | None = None,
) -> Stand:
    """Where a piece stands: inverse depth of the ground under its lowest points, else just in front of what it hides.

    `still` marks measured pixels of the still scene, `rho` [H, W] their inverse depth, `weight` [H, W] its information,
    `rays` [H, W, 3] the pixels' rays with z = 1, `up` [K, 3] the directions in camera axes that a floor may face, the world's
    first, `height` that of the camera over the shot's floor. A ledge off that floor is less sure: it may hide the feet. A piece that
    the picture's lower edge cuts stands nearer than the ground there: as far below the edge as it is seen to rise above it.
    """
    picture_height, _ = piece.shape
    rows, columns = np.nonzero(piece)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    tall = bottom - top + 1
    feet = rows >= bottom - max(2, 0.04 * tall)
    cut = bottom >= picture_height - 3
    middle = int(columns[feet].mean())
    foot = rays[bottom, middle].astype(np.float64)
    reach = max(12, int(0.9 * (right - left + 1))), max(8, int(0.25 * tall))
    found = _ground(foot, (middle, min(bottom, picture_height - reach[1] // 2)), reach, still, rho, weight, rays, up)
    if found is None:
        return _front(piece, still, rho)
    if cut:  # the feet are below the picture, on the floor that shows at its edge, and so nearer
        drop, deeper = (-float(ray @ up[0]) for ray in (foot, foot + HIDDEN * (foot - rays[top, middle])))
        return Stand(found * min(max(deeper / drop, 1.0), NEARER) if drop > 0 else found, GUESSED, "guess")
    off = 0.0 if height is None else 1 + float(foot @ up[0]) / (found * max(height, 1e-9))  # 0 on the floor, 1 at the camera's height
    return Stand(found, 1.0 / (1 + (off / OFF) ** 2), "ground")


def _ground(
    foot: NDArray[np.float64], centre: tuple[int, int], reach: tuple[int, int],
    still: Mask, rho: Picture, weight: Picture, rays: Picture, up: NDArray[np.floating],
) -> float | None:
    """The plane rho = n . ray through the still pixels about a foot, read at the foot's ray; None where it is no floor."""
    height, width = rho.shape
    y0, y1 = max(0, centre[1] - reach[1] // 2), min(height, centre[1] + reach[1])
    x0, x1 = max(0, centre[0] - reach[0]), min(width, centre[0] + reach[0])
    here = still[y0:y1, x0:x1]
    if here.sum() < 40:
        return None
    terms = rays[y0:y1, x0:x1][here].astype(np.float64)
    value = rho[y0:y1, x0:x1][here].astype(np.float64)
    trust = weight[y0:y1, x0:x1][here].astype(np.float64)
    trust = np.minimum(trust, np.median(trust))
    scale = max(float(np.median(value)), 1e-9)
    share = np.ones(len(value))
    for _ in range(6):
        pull = (trust * share)[:, None] * terms
        normal = np.linalg.lstsq(pull.T @ terms, pull.T @ value, rcond=None)[0]
        share = 1 / (1 + ((terms @ normal - value) / (0.03 * scale)) ** 2)
    # A floor faces up, lies below the camera, and most of what is about the foot belongs to it.
    facing = float((up @ -normal).max() / max(np.linalg.norm(normal), 1e-12))
    at_foot = float(normal @ foot)
    return at_foot if facing > FACING and at_foot > 0 and np.average(share, weights=trust) > 0.5 else None


def _front(piece: Mask, still: Mask, rho: Picture) -> Stand:
    """A mover is nearer than what it hides, along the upper half of its outline, and farther than what may hide its feet, along the lower.

    Half-way between the two, in the logarithm.
    """
    wide = cv2.dilate(piece.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    outline = wide & ~piece & still
    above = (np.arange(len(piece)) < np.flatnonzero(piece.any(1)).mean())[:, None]
    seen = [float(np.percentile(rho[part], 75)) for part in (outline & above, outline & ~above) if part.sum() >= 20]
    if not seen:
        return Stand(float(np.median(rho)), 0.2 * FRONT, "front")
    return Stand(1.05 * float(np.sqrt(seen[0] * max(seen))), FRONT, "front")


def smooth_log(frames: NDArray[np.float64], rho: NDArray[np.float64], sure: NDArray[np.float64], reach: float = 6.0) -> NDArray[np.float64]:
    """Inverse depth of one piece over time [N], smoothed in its logarithm: local lines of some `reach` in frames, Cauchy 0.1.

    The weight falls off slowly, so that one clear view of the ground tells even of frames far from it, where all else is a guess.
    """
    value = np.log(rho)
    smooth = value.copy()
    # Squared: a guess must not outvote the frames around it that saw the ground.
    near = sure[None] ** 2 / (1 + 0.5 * ((frames[:, None] - frames[None]) / reach) ** 2) ** 2
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
