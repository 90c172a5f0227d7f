"""Dense room: a shot whose camera stays where it stands — depth by a network alone, brought to agree over time, and marked as such.

Near and far move alike there, so nothing measures depth: the order of things is the network's, distances are not true unless it gives metres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from .. import store
from ..contract.options.prior import NETWORKS
from ..contract.places import installed
from ..failures import ShotFailure
from ..media.flow import grid
from ..media.frames import write_depth
from ..stage import Report
from . import summary
from .guess import Guess
from .shot import Array, Picture, Shot

MIDDLE = 5.0  # scene units to the median point of a shot whose scale nobody knows, as the solve has it
FARTHEST = 50.0  # times nearer than the nearest things that anything is taken to be at least
CONFIDENCE = 0.25  # of a guess that nothing has confirmed
HELD = 0.02  # how strongly every frame keeps the network's own scale, against agreeing with its neighbours
SAMPLES = 2000  # pixels of a pair of frames that are compared


def write(shot: Shot, guess: Guess | None, report: Report, room: Path) -> None:
    """%06d.exr of every frame and depth.json, which says that depth is relative; a failure where no network helps."""
    if guess is None:
        raise _refusal()
    solved = [number for number in shot.numbers if shot.row(number) is not None]
    lines = dict(zip(solved, agreed(shot, guess, solved)))
    middle = 1.0 if guess.kind == "metric" else _middle(shot, guess, lines)
    for done, number in enumerate(shot.numbers, 1):
        path = summary.exr(room, number)
        if not path.is_file() and number in lines:
            rho = _rho(guess.frame(number, shot.size), lines[number], middle)
            write_depth(path, (1 / rho).astype(np.float32), np.full(rho.shape, CONFIDENCE, np.float32))
        elif not path.is_file():
            write_depth(path, *[np.zeros(shot.size[::-1], np.float32)] * 2)
        report.progress(done, len(shot.numbers))
    scale = "metric" if guess.kind == "metric" else "relative"
    report.used = f"{guess.network} alone: the camera does not travel, so nothing measures depth"
    about = {"used": report.used, "figures": {"scale": scale, "confident": 0.0}, "scale": scale}
    store.write_json(room / "depth.json", {**summary.of(room, shot.numbers, shot.size), **about})
    report.figures.update(about["figures"])
    report.warning(
        "The camera does not travel: depth is the network's guess alone. Near and far are in order, "
        + ("distances are as it believes them." if scale == "metric" else "distances are not true."),
    )


def _refusal() -> ShotFailure:
    here = installed(tuple(name for names in NETWORKS.values() for name in names))
    remedy = (
        "Let the installed network guess it." if here else
        "Install a depth network (preferences, Pretrained networks) for a guess, or use a shot in which the camera travels."
    )
    return ShotFailure(
        "no-parallax", "This shot holds no depth.", "The camera turns or zooms but stays where it stands, so near and far move alike.",
        f"{remedy} Camera, mattes and slow motion of this one are not affected.", {"prior": {"method": "auto"}} if here else {},
    )


def agreed(shot: Shot, guess: Guess, numbers: list[int]) -> Array:
    """(scale, offset) [T, 2] of every frame's guess, so that still points seen in two frames have one depth: linear least squares."""
    place = {number: k for k, number in enumerate(numbers)}
    size = 2 * len(numbers)
    unit = np.median([np.median(guess.frame(number, shot.size)) for number in numbers[:: max(1, len(numbers) // 8)]])
    rows, columns, values, right = [], [], [], []
    count = 0
    for number in numbers:
        for gap in (shot.gaps[0], shot.gaps[-1]):
            other = shot.neighbour(number, gap)
            pair = _pair(shot, guess, number, other, gap) if other in place else None
            if pair is None:
                continue
            here, there, turn = pair
            # Half of the equations of a pair would do as well: they are summed into four numbers.
            terms = np.stack([here / unit, np.ones_like(here), -turn * there / unit, -turn], 1) / np.sqrt(len(here))
            if guess.kind != "relative":
                terms[:, [1, 3]] = 0
            root = np.linalg.qr(terms, mode="r")
            index = [2 * place[number], 2 * place[number] + 1, 2 * place[other], 2 * place[other] + 1]
            for line in root:
                rows += [count] * 4
                columns += index
                values += list(line)
                count += 1
    for k in range(size):
        rows, columns, values = [*rows, count + k], [*columns, k], [*values, HELD]
        right.append(HELD * (1 - k % 2))
    table = sparse.csr_matrix((values, (rows, columns)), shape=(count + size, size))
    found = spsolve((table.T @ table).tocsc(), table.T @ np.concatenate([np.zeros(count), right])).reshape(-1, 2)
    return found * (1.0, unit)


def _pair(shot: Shot, guess: Guess, number: int, other: int, gap: int) -> tuple[Array, Array, Array] | None:
    """Guesses [N] at still points of two frames, and the factor by which a turn alone changes inverse depth between them."""
    found = shot.flow(number, gap)
    if found is None:
        return None
    flow, valid = found
    step = max(1, round(float(np.sqrt(valid.size / SAMPLES))))
    some = (slice(step // 2, None, step),) * 2
    target = np.rint((grid(shot.size) + flow)[some]).astype(int)
    x, y = target[..., 0], target[..., 1]
    kept = valid[some] & ~shot.movers(number)[some] & (x >= 0) & (y >= 0) & (x < shot.size[0]) & (y < shot.size[1])
    if kept.sum() < 50:
        return None
    row = shot.row(number)
    turn = (shot.rays(row)[some][kept] @ shot.relative(row, shot.row(other))[2, :3]).astype(np.float64)
    there = guess.frame(other, shot.size)[y[kept], x[kept]]
    return guess.frame(number, shot.size)[some][kept].astype(np.float64), there.astype(np.float64), turn


def _middle(shot: Shot, guess: Guess, lines: dict[int, Array]) -> float:
    """The factor that puts the median point of the shot at MIDDLE."""
    some = list(lines)[:: max(1, len(lines) // 8)]
    values = [line[0] * guess.frame(number, shot.size)[::4, ::4] + line[1] for number, line in ((n, lines[n]) for n in some)]
    return 1 / (MIDDLE * max(float(np.median(np.stack(values))), 1e-12))


def _rho(inverse: Picture, line: Array, middle: float) -> Picture:
    rho = middle * (line[0] * inverse + line[1])
    return np.maximum(rho, max(float(np.percentile(rho, 99)), 1e-9) / FARTHEST)
