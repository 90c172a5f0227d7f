"""Camera room: what is asked of a span between cuts, what is answered, and how far that misses; no pycolmap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Callable

import numpy as np
from numpy.typing import NDArray

from ..contract.options import Solve
from ..geometry.pose import invert
from . import bundle, mapping
from .bundle import State
from .diagnosis import Diagnosis
from .shutter import Readout
from .tracks import Tracks

STRAY, OFTEN = 0.1, 3.0  # part of a view's still observations that may fit nowhere, beyond so many times what is usual in the shot
FAR = 1000.0  # middle distances at which a thing shows no parallax


@dataclass(frozen=True)
class Question:
    """A span to be solved. `focal` is in px at `size`, 0 where unknown; `folder` is the child's; `step` hears of progress."""

    tracks: Tracks
    views: int
    size: tuple[int, int]
    options: Solve
    focal: float
    folder: Path
    step: Callable[[], None]
    told: bool = False  # the focal length comes from the file: near the truth, unlike a guess, yet no measurement
    picture: Callable[[int], NDArray[np.uint8]] | None = None  # a view's grey picture [H, W]; None where there are tracks alone


@dataclass(frozen=True)
class Solved:
    """A span's answer."""

    state: State
    tracks: Tracks  # every observation that was followed long enough
    fits: NDArray[np.bool_]  # [N] those that the solve rests on
    diagnosis: Diagnosis
    method: str
    motion: str  # free or tripod
    lens: str  # fixed, zoom or known
    sigma: float | None  # standard error of log focal length
    keys: list[int]
    path: float | None = None  # what the places are likely off by, as part of the path's length
    drift: float | None = None  # by how much the log of the scale may differ between the path's halves
    doubt: str = ""  # what speaks against the answer, in words
    readout: Readout | None = None  # that was looked for; taken out of the tracks where `shift` is there
    shift: NDArray[np.float64] | None = None  # [N, 2] px by which the pictures show the observations away from where `tracks` have them
    gain: float = 1.0  # part of the error that is left with the readout taken out

    @cached_property
    def miss(self) -> float:
        """`missed` of a camera that travels."""
        return missed(self.state, self.tracks)

    @property
    def astray(self) -> NDArray[np.bool_]:
        """`strayed` of the answer."""
        return strayed(self.tracks, self.fits, len(self.state.posed))


def strayed(tracks: Tracks, fits: NDArray[np.bool_], views: int) -> NDArray[np.bool_]:
    """[V] views where far more of what is still fits nowhere than elsewhere, by the observations that fit [N]: the path has left them."""
    still = ~tracks.moving
    every, lost = (np.bincount(tracks.view[some], minlength=views) for some in (still, still & ~fits))
    share = lost / np.maximum(every, 1)
    return share > STRAY + OFTEN * float(np.median(share))


def missed(state: State, tracks: Tracks) -> float:
    """Mean error in px over all observations of still tracks, those that fit nowhere counted as missing by much."""
    return float(np.minimum(left(state, tracks), mapping.COARSE).mean())


def left(state: State, tracks: Tracks) -> NDArray[np.float64]:
    """Error in px of all observations of still tracks; inf of those that fit nowhere.

    What shows too little parallax for a point may still fit at some distance, or as something far: that is no miss.
    """
    still = tracks.where(~tracks.moving)
    lost = still.where(~np.isfinite(state.points[still.track, 0]))
    some = bundle.triangulated(state, lost, mapping.FINE, parallax=0.0)
    points = np.where(np.isfinite(state.points), state.points, some.points)
    track, first = np.unique(still.track, return_index=True)
    place, posed = invert(state.pose), state.posed[still.view[first]] & ~np.isfinite(points[track, 0])
    track, first = track[posed], first[posed]
    view = still.view[first]
    depth = FAR * np.nanmedian(np.linalg.norm(state.points - place[state.posed, :3, 3].mean(0), axis=1))
    points[track] = place[view, :3, 3] + depth * np.einsum("nij,nj->ni", place[view, :3, :3], state.rays(still)[first])
    return replace(state, points=points).errors(still)
