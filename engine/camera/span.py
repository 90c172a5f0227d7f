"""Camera room: one span between cuts, from its tracks to a solved state, in as many passes as asked; starts the mapping child."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import numpy as np
from numpy.typing import NDArray

from .. import child
from ..contract.options import Solve
from ..failures import Failure, ShotFailure
from . import diagnosis, mapping
from .bundle import State
from .tracks import Tracks

ENOUGH = 0.3  # part of the views that must be posed


@dataclass(frozen=True)
class Solved:
    """A span's answer."""

    state: State
    tracks: Tracks  # every observation that was followed long enough
    fits: NDArray[np.bool_]  # [N] those that the solve rests on
    diagnosis: diagnosis.Diagnosis
    method: str
    motion: str
    lens: str
    keys: list[int]
    passes: int


def solve(
    tracks: Tracks, views: int, size: tuple[int, int], options: Solve, focal: float, folder: Path, step: Callable[[], None]
) -> Solved:
    """Solve a span of `views` frames from its tracks (px at `size`), or raise the failure that says why not.

    `focal` is in px at `size`, 0 where unknown.
    """
    still = _still(tracks)
    found = diagnosis.look(still, views, size)
    refusal = refuse(found, views, size)
    if refusal:
        raise refusal
    lasting = tracks.long(3)
    lasting = replace(lasting, moving=_moving_tracks(lasting))
    job = mapping.Job(size, views, focal or 1.2 * max(size), options.lens == "known", options.passes, options.loss)
    shutil.rmtree(folder, ignore_errors=True)
    mapping.write_job(folder, job, lasting)
    child.run("engine.camera.mapping", folder, lambda line: step())
    state, fits, keys, passes = mapping.read_answer(folder, job)
    shutil.rmtree(folder)
    if state.posed.sum() < max(3, ENOUGH * views):
        raise unsolved(int(state.posed.sum()), views)
    method = f"structure from motion on {len(keys)} keyframes, {passes} {'pass' if passes == 1 else 'passes'}, all frames adjusted together"
    return Solved(state, lasting, fits, found, method, "free", "known" if job.known else "fixed", keys, passes)


def _still(tracks: Tracks) -> Tracks:
    """Tracks outside the movers, unless those leave next to nothing."""
    still = tracks.where(~tracks.moving)
    return still if len(still.track) > 0.15 * len(tracks.track) else tracks


def _moving_tracks(tracks: Tracks) -> NDArray[np.bool_]:
    """Observations [N] of tracks that lie on movers most of the time; none where movers are nearly everything."""
    count = int(tracks.track.max()) + 1 if len(tracks.track) else 0
    share = np.bincount(tracks.track, tracks.moving, count) / np.maximum(np.bincount(tracks.track, minlength=count), 1)
    moving = (share > 0.3)[tracks.track] if count else np.zeros(0, bool)
    return moving if (~moving).sum() > 0.15 * len(moving) else np.zeros(len(moving), bool)


def refuse(found: diagnosis.Diagnosis, views: int, size: tuple[int, int]) -> Failure | None:
    """The failure of a shot that holds no camera to be solved, or None."""
    if views < 3:
        return ShotFailure(
            "too-short", "The camera cannot be solved.", f"There are only {views} frames between cuts; a solve needs at least three.",
            "Give a longer part of the clip.",
        )
    if found.kind == "tracks":
        return ShotFailure(
            "no-tracks", "The camera cannot be solved.",
            f"Only {found.alive:.0f} points of the picture could be followed from frame to frame: it is too dark, too blurred, too plain or noise.",
            "Use a part of the clip with more texture, a larger size, or more tracks.", {"solve": {"size": 1920, "tracks": 2000}},
        )
    if found.kind == "motion":
        return ShotFailure(
            "no-motion", "The camera does not move.",
            f"Still points move by less than {100 * max(found.motion, 1e-4):.2f} % of the picture's width over the whole shot.",
            "Nothing needs solving: place a still camera by hand. Mattes and slow motion work without it.",
        )
    if found.kind.startswith("tripod"):
        lens = " while its lens zooms" if "zoom" in found.kind else ""
        return ShotFailure(
            "no-parallax", "The camera only turns on its place.",
            f"A mere turn{lens} explains all motion to {found.turn_zoom * size[0]:.1f} px: near and far things move alike, so their distance cannot be told.",
            "Use a part of the shot in which the camera travels. Mattes and slow motion work without it.",
        )
    return None


def unsolved(posed: int, views: int) -> ShotFailure:
    """The failure of a mapping that fell apart."""
    return ShotFailure(
        "no-solve", "The camera could not be solved.", f"Only {posed} of {views} frames fit together; the tracks contradict each other or are too short.",
        "Mask what moves (movers: own masks), raise the number of tracks, or solve a shorter part.", {"solve": {"tracks": 2000}},
    )
