"""Dense room: depth and motion that were learned together with the camera, drawn to the edges of the picture; torch, no stage."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from .. import store
from ..contract.artifacts import FRAME
from ..geometry.fill import fill
from ..media.frames import write_depth
from ..stage import Report
from . import parallel, summary
from .copies import write_motion
from .guess import Guess
from .shot import Shot

CONFIDENCE = 0.3  # of what was learned together with a camera that nothing else confirms
CLOSE = 4.0  # how strongly pixels of one colour follow each other, against what was learned


def write(shot: Shot, guess: Guess, report: Report, room: Path, device: torch.device) -> None:
    """%06d.exr, depth.json, and motion/%06d.npz: what moves by itself, to the next frame, world axes, scene units."""
    todo, done = [number for number in shot.numbers if not summary.exr(room, number).is_file()], [0]

    def step() -> None:
        done[0] += 1
        report.progress(len(shot.numbers) - len(todo) + done[0], len(shot.numbers))

    parallel.each(todo, partial(_frame, shot, guess, room, device), device, step)
    write_motion(guess.folder, room)
    report.used = f"{guess.network}, together with the camera"
    about = {"used": report.used, "figures": {"confident": 0.0}}
    store.write_json(room / "depth.json", {**summary.of(room, shot.numbers, shot.size), **about})
    report.warning("Depth was learned together with the camera, nothing has measured it: trust its order more than its distances.")


def _frame(shot: Shot, guess: Guess, room: Path, device: torch.device, number: int) -> None:
    if shot.row(number) is None or not (guess.folder / f"{FRAME % number}.npz").is_file():
        nothing = np.zeros(shot.size[::-1], np.float32)
        write_depth(summary.exr(room, number), nothing, nothing)
        return
    rho = torch.from_numpy(np.maximum(guess.frame(number, shot.size), 1e-9)).to(device)
    picture = torch.from_numpy(shot.picture(number)).to(device).permute(2, 0, 1).contiguous()
    # In its logarithm, so that near and far are smoothed alike.
    drawn = fill(rho.log(), torch.ones_like(rho), picture, CLOSE).exp().cpu().numpy()
    write_depth(summary.exr(room, number), (1 / drawn).astype(np.float32), np.full(drawn.shape, CONFIDENCE, np.float32))
