"""Dense room: moving pieces followed over time, so that where they stand does not jump from frame to frame; numpy, no stage."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from .. import device
from ..ahead import ahead
from ..geometry.contact import FRONT, chains, smooth_log
from ..media.flow import grid
from .shot import Shot

Stands = tuple[np.ndarray, np.ndarray]  # inverse depth [K] and certainty [K] of a frame's pieces
Told = list[list[Any]]  # (rho, sure, kind) of each piece of a frame; see `contact.Stand`
Names = list[np.ndarray]  # of each frame's pieces, the same along time
OFTEN, MOSTLY = 1 / 3, 2 / 3  # of the frames in which something must seem to belong to a still body; the same where it seems to stand on the ground
JOINED = 0.4  # how sure it is then where that is


def named(shot: Shot, numbers: list[int], counts: list[int], labels: Callable[[int], np.ndarray]) -> Names:
    """The pieces of every frame, of which there are `counts`, by names that last."""
    pairs = list(zip(numbers, numbers[1:], counts, counts[1:]))
    found = ahead(lambda pool, pair: pool.submit(_link, shot, *pair[:2], labels, pair[2:]), pairs, device.threads())
    return chains([link for _, link in found], counts)


def belonging(told: list[Told], joints: list[list[float | None]], names: Names) -> list[Told]:
    """Where the pieces stand, those at their `joints` (inverse depth, or None) that are joined in many frames: in few anything may seem so.

    What is joined in most of them only seems to stand on the ground behind it.
    """
    every = np.concatenate([*names, np.zeros(0, int)]).astype(int)
    joined = np.array([rho is not None for some in joints for rho in some], float)
    share = np.bincount(every, joined) / np.maximum(np.bincount(every), 1)
    return [[_belongs(*parts, share[name]) for *parts, name in zip(*frame)] for frame in zip(told, joints, names)]


def _belongs(stand: list[Any], joint: float | None, share: float) -> list[Any]:
    if share <= (MOSTLY if stand[2] == "ground" else OFTEN):
        return stand
    if joint is not None:
        return [joint, JOINED, "joint"]
    return [stand[0], FRONT, "front"] if stand[2] == "ground" else stand


def steady(numbers: list[int], told: list[Told], names: Names) -> dict[int, Stands]:
    """The pieces of every frame at inverse depths smoothed along time."""
    counts = [len(stands) for stands in told]
    flat = [
        (name, place, k, stands[k][0], stands[k][1])
        for place, (stands, named) in enumerate(zip(told, names)) for k, name in enumerate(named)
    ]
    out = {number: (np.zeros(count), np.zeros(count)) for number, count in zip(numbers, counts)}
    for name in sorted({entry[0] for entry in flat}):
        places, ks, rho, sure = (np.array(part) for part in list(zip(*[entry for entry in flat if entry[0] == name]))[1:])
        smooth = smooth_log(np.array(numbers, np.float64)[places], rho, sure)
        for place, k, value, trust in zip(places, ks, smooth, sure):
            out[numbers[place]][0][k], out[numbers[place]][1][k] = value, trust
    return out


def _link(shot: Shot, here: int, there: int, labels: Callable[[int], np.ndarray], counts: tuple[int, int]) -> np.ndarray:
    """Pixels [K, K'] of each piece that the flow carries into each piece of the next frame."""
    found = shot.flow(here, there - here) if min(counts) > 0 else None
    if found is None:
        return np.zeros(counts, np.int64)
    now, later = labels(here), labels(there)
    place = np.rint(grid(shot.size) + found[0]).astype(np.int64)
    x, y = place[..., 0].clip(0, shot.size[0] - 1), place[..., 1].clip(0, shot.size[1] - 1)
    both = (now > 0) & (later[y, x] > 0)
    pairs = (now[both].astype(np.int64) - 1) * counts[1] + later[y, x][both] - 1
    return np.bincount(pairs, minlength=counts[0] * counts[1]).reshape(counts)
