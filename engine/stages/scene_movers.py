"""Stage scene_movers: what moves by itself, told from the solved scene; no bpy.

The search before the solve (stage movers) only knows which flow fits no camera, and so errs on near things with much parallax. Now
every pixel can be asked whether a still point would look like that. Frames without a camera keep what the search said, and those whose
camera explains little of what should be still: it follows something else.
"""

from __future__ import annotations

import itertools
import shutil
from functools import lru_cache, partial
from pathlib import Path
from typing import Callable

import numpy as np
import torch

from .. import store
from ..camera import learned
from ..camera.evidence import heard
from ..contract.artifacts import FRAME, LIKELY
from ..contract.options import SceneMovers
from ..dense import measured, parallel, shading, sightings, sky, stillness
from ..dense.limits import limits
from ..dense.shot import Mask, Picture, Shot
from ..geometry import triangulation
from ..geometry.blobs import cleaned, showing
from ..mattes.edge import band, once
from ..media.flow import grid
from ..media.frames import read_png, write_png
from ..stage import Inputs, Report

NOISE = 0.5  # px of flow error
EDGE = 0.008  # of the picture's width: how far the edge of a mask may be off
OFF, LEAST = 0.005, 0.6  # of the width: how far still points may be seen off; the share of what shows that a camera must explain
ROUNDS = 3  # of hearing the frames around
TEXTURES = 72  # of pictures kept: each is asked for by the frames around, up to 32 off
HEARD = 16  # of verdicts kept: each is asked for by the frames around
VOTES = (1.5, 1.2, 1.0)  # of the frames at the three smallest gaps, fetched along flow; the frame itself has 1


def run(inputs: Inputs, options: SceneMovers, report: Report, room: Path) -> None:
    """%06d.png, white on what moves, at the size of the flow; likely/ (8 bit) and still/ where a camera is known; movers.json."""
    shot = Shot(inputs["frames"], inputs["flow"], inputs["orient"], inputs["movers"])
    # An artist's masks are taken as they are; and a learned camera is too rough to tell still from moving.
    given = not (inputs["movers"] / "evidence").is_dir() or (inputs["orient"] / learned.FOLDER).is_dir()
    solved = [] if given else [number for number in shot.numbers if shot.row(number) is not None]
    solved = solved if len(solved) > 1 else []
    counter, total = itertools.count(1), (1 + ROUNDS) * len(solved) + len(shot.numbers)

    def each(numbers: list[int], work: Callable[[int], None]) -> None:
        parallel.each(numbers, work, inputs.device, lambda: report.progress(next(counter), total))

    heard = [room / "work" / str(turn) for turn in range(ROUNDS)] + [room / LIKELY]
    if solved:
        bounds = limits(shot, solved)
        textures = lru_cache(maxsize=TEXTURES)(lambda number: torch.from_numpy(shading.detail(shot.grey(number))).to(inputs.device))
        each(solved, lambda number: _judge(shot, number, bounds, options, textures, inputs.device, room, heard[0]))
        lost = [number for number in solved if not _file(heard[0], number).is_file()]
        if lost:
            report.warning(f"The camera explains little of {len(lost)} frames, such as frame {lost[0]}: what moves there was told without it.")
    for before, after in zip(heard, heard[1:]):
        each(solved, partial(_hear, shot, parallel.Kept(partial(_read, before), HEARD), after))
    each(shot.numbers, lambda number: _decide(shot, number, room))
    areas = {str(number): round(float((read_png(_file(room, number)) > 0).mean()), 5) for number in shot.numbers}
    report.used = "masks as they were" if given else "pixels whose colours no still point of the solved scene explains"
    report.figures["mean_area"] = round(float(np.mean(list(areas.values()))), 5)
    store.write_json(room / "movers.json", {"size": list(shot.size), "method": report.used, "grow": 0, "area": areas})
    shutil.rmtree(room / "work", ignore_errors=True)


def _file(folder: Path, number: int) -> Path:
    return folder / f"{FRAME % number}.png"


def _read(folder: Path, number: int) -> Picture | None:
    path = _file(folder, number)
    return read_png(path).astype(np.float32) / 127.5 - 1 if path.is_file() else None


def _write(folder: Path, number: int, verdict: Picture) -> None:
    write_png(_file(folder, number), np.round(127.5 + 127.5 * np.clip(verdict, -1, 1)).astype(np.uint8))


def _judge(
    shot: Shot, number: int, bounds: tuple[float, float], options: SceneMovers, textures: Callable[[int], torch.Tensor], device: torch.device,
    room: Path, folder: Path,
) -> None:
    """The verdict of one frame by itself, and what it measures were it still; no verdict where the camera explains too little."""
    if _file(folder, number).is_file():
        return
    gathered = sightings.gather(shot, number, device)
    verdict = np.zeros(shot.size[::-1], np.float32)
    if gathered is not None:
        held, sights = gathered
        far = sky.seen(shot, number)
        found = sky.settled(triangulation.inverse_depth(held, NOISE, *bounds), far, bounds[0])
        if _explained(shot, number, found.residual.cpu().numpy()) < LEAST:
            measured.write(room, number, NOISE, found, sights, far)
            return
        some = sightings.telling(shot, number, sights, 3)
        sighted = [
            shading.Sighted(witness, torch.from_numpy(grid(shot.size) + sight.flow).to(device), textures(sight.number))
            for witness, sight in zip(sightings.witnesses(shot, number, some, device), some)
        ]
        verdict, found = stillness.judge(
            found, sighted, shot.picture(number), shot.texture(number), textures(number), shot.rays(shot.row(number)), shot.movers(number), far,
            options.sensitivity,
        )
        measured.write(room, number, NOISE, found, sights, far)
    _write(folder, number, verdict)


def _explained(shot: Shot, number: int, residual: Picture) -> float:
    """The share of what shows texture, and did not seem to move before the solve, that is seen where a still point would be."""
    shown = shot.texture(number) * ~shot.movers(number)
    return float(shown[residual < OFF * shot.size[0]].sum() / max(float(shown.sum()), 1e-6))


def _hear(shot: Shot, before: Callable[[int], Picture | None], after: Path, number: int) -> None:
    """A frame's verdict, averaged along flow with that of the frames around."""
    own, told = before(number), []
    if own is None or _file(after, number).is_file():
        return
    for gap, vote in zip(shot.gaps, VOTES):
        for side in (gap, -gap):
            other, found = shot.neighbour(number, side), shot.flow(number, side)
            theirs = before(other) if other is not None else None
            if theirs is not None and found is not None:
                told.append((theirs, found[0], found[1].astype(np.float32) * np.float32(vote)))
    _write(after, number, heard(own, told))


def _decide(shot: Shot, number: int, room: Path) -> None:
    """The mask of one frame, without specks and rims."""
    if not _file(room, number).is_file():
        likely = _read(room / LIKELY, number)
        mask = shot.movers(number) if likely is None else _snapped(shot, number, _thing(shot, number, likely > 0))
        write_png(_file(room, number), np.where(mask, 255, 0).astype(np.uint8))


def _thing(shot: Shot, number: int, mask: Mask) -> Mask:
    """The mask without what is too small or too thin, and without bare ground that it ends on."""
    return cleaned(showing(cleaned(mask), shot.texture(number)))


def _snapped(shot: Shot, number: int, mask: Mask) -> Mask:
    """The mask with its edge where the picture's edge is: flow blurs it by some px."""
    if not mask.any():
        return mask
    soft, width = mask.astype(np.float32), EDGE * shot.size[0]
    return once(shot.picture(number), *band(soft, width), soft, width) > 0.5
