"""Camera room: the camera that networks learn from the clip, with points where the clip's tracks meet their depth; torch only to learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..contract.options import Solve
from ..stage import Report
from ..training import learned_camera
from . import learned, telling
from .footage import Footage
from .outcome import Outcome


def outcome(footage: Footage, options: Solve, device: torch.device, report: Report, room: Path) -> Outcome:
    """Camera and points; depth and motion of every span go to the room's folder `learned`. Raises ShotFailure where nothing was learned."""
    frames = footage.frames

    def after(done: int, total: int, loss: float, look: Path, number: int) -> None:
        report.progress(done, total + 1, "learning", loss)
        report.preview(number, look)

    spans, curve = learned_camera.learned(frames, options.learning, options.effort, options.start, device, room / "training", after)
    camera = telling.unplaced(frames.numbers, frames.size)
    tables: list[telling.Table] = []
    first = 0
    for span in spans:
        span = learned_camera.placed(span, telling.UPRIGHT, telling.NEAR / max(float(np.median(span.depth[0])), 1e-9))
        rows = np.searchsorted(frames.numbers, span.numbers)
        factor = np.asarray(frames.size, float) / (span.depth.shape[2], span.depth.shape[1])
        camera.world_from_camera[rows], camera.solved[rows] = span.world_from_camera, True
        camera.focal[rows], camera.centre[rows] = span.focal * factor, span.centre * factor
        learned.write(room, span.numbers, span.depth, span.motion, curve)
        tracks = footage.followed(span.numbers, options.tracks).long(3)
        tracks = tracks.where(~tracks.moving).long(3)
        xyz = learned.points(camera, rows, span.depth, tracks, footage.size)
        tables.append((xyz, tracks.track + first, rows[tracks.view], tracks.xy * footage.factor, np.zeros_like(tracks.xy)))
        first += len(xyz)
    about = {
        "method": "learned from the clip alone", "motion": "free", "lens": "fixed", "working_size": list(footage.size), "diagnosis": {},
        "keyframes": telling.some(frames),
        "spans": [{"first": span.numbers[0], "last": span.numbers[-1], "solved": True} for span in spans],
    }
    return telling.told(frames, camera, tables, about)
