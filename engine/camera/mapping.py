"""Camera room: structure from motion: of short shots here, of others by pycolmap in a child process because it can abort; no torch.

Keyframes are mapped from the tracks that seem still, every other view gets its pose from their points, all is adjusted
together; then the tracks that fit are the still ones, and where that changes much, all begins anew.
The child's folder holds job.json and tracks.npz (see Job), and receives solution.npz (see read_answer).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from . import focal, keyframes, lenses, pairs, resection
from .adjust import ROUGHLY
from .bundle import State, carrying, triangulated
from .tracks import Tracks

# The state, the observations [N] it rests on, its keyframes, by which way, and the standard error of log focal length where that was looked at.
Found = tuple[State, NDArray[np.bool_], list[int], str, float | None]

START = "start.npz"
SEED = 7
COARSE, FINE = 4.0, 2.0  # px by which an observation may miss its point, before and after all is adjusted
CHANGED = 0.1  # part of the still tracks that must turn out to move to make another pass worth while
MAPPED = 300  # tracks of each keyframe that a map is made from: it is where the adjustment starts
HELD = 8  # one track of so many is kept from the maps, to judge them by
SURER = 0.6  # standard error of focal length where a lens is chosen, by more observations of each view, for one where it is judged
WEAK, HALF = 1.5, 1.0  # px of error over the keyframes (at most COARSE each), mean and median, from which another way of mapping is tried
PER_VIEW, ALL = (250, 600), 24000  # observations of a view that steer it, least and most, and of all views as far as those allow


@dataclass(frozen=True)
class Job:
    """What the child is asked. Sizes and focal length in px of the tracks' own picture size."""

    size: tuple[int, int]
    views: int
    focal: float  # guess, or the truth where `known`
    known: bool
    passes: int = 2
    loss: float = 0.3  # px, scale of the Cauchy loss
    model: str = "SIMPLE_RADIAL"
    zoom: bool = False


def per_view(views: int) -> int:
    """How many observations of each of so many views steer the solve: what costs little in a short shot takes minutes in a long one."""
    return int(np.clip(ALL // max(views, 1), *PER_VIEW))


def write_job(folder: Path, job: Job, tracks: Tracks, start: State | None = None, keys: list[int] | None = None) -> None:
    """Lay the job down for `main`; with a `start` nothing is mapped, its poses and those `keys` are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    if start is not None:
        np.savez(folder / START, pose=start.pose, posed=start.posed, focal=start.focal, distortion=start.distortion, keys=np.array(keys, np.int64))
    (folder / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
    np.savez(folder / "tracks.npz", track=tracks.track, view=tracks.view, xy=tracks.xy, moving=tracks.moving)


def solved(job: Job, tracks: Tracks, start: State | None, keys: list[int] | None, say: Callable[[str], None]) -> Found | None:
    """A short shot's answer, mapped by resection or from a `start` and its `keys`; None where that is weak, or for the child to do."""
    empty = blank(job, tracks)
    if not lenses.short(job.views):
        return None
    if start is not None:
        return _adjusted(None, job, tracks, start, keys or [], say)

    def mapped(use: NDArray[np.bool_], keys: list[int]) -> tuple[State, str]:
        say("map")
        state = resection.mapped(empty, shown(tracks, use & ~held(tracks), keys), keys, job.known, job.zoom)
        return state if _carries(state, tracks, use, keys) else empty, "stepwise"

    found = _solved(None, job, tracks, mapped, say)
    return found if found[0].posed.any() else None


def zooms(job: Job, tracks: Tracks) -> bool:
    """Whether pairs of keyframes alone say that the lens of a short shot zooms."""
    keys = keyframes.choose(tracks.where(~tracks.moving), job.views, job.size[0])
    few = shown(tracks, ~tracks.moving & ~held(tracks), keys)
    return len(keys) <= resection.MOST and pairs.zooms(pairs.chosen(few.long(2), keys, job.views), job.views, job.size)


def roughly(job: Job, tracks: Tracks) -> State:
    """A short shot's keyframes mapped by resection, all views placed and roughly adjusted; nothing is posed where that fails."""
    use, empty = ~tracks.moving, blank(job, tracks)
    keys = keyframes.choose(tracks.where(use), job.views, job.size[0])
    state = resection.mapped(empty, shown(tracks, use & ~held(tracks), keys), keys, job.known, job.zoom)
    return _completed(None, job, state, tracks, use)[0] if state.posed.sum() >= 3 else state


def main(folder: Path) -> None:
    """The child: answer the job that lies in `folder`."""
    import pycolmap

    from . import maps

    def say(line: str) -> None:
        print(line, flush=True)

    pycolmap.logging.minloglevel = 3
    pycolmap.set_random_seed(SEED)
    job = Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))
    job = replace(job, size=tuple(job.size))
    with np.load(folder / "tracks.npz", allow_pickle=False) as file:
        tracks = Tracks(file["track"], file["view"], file["xy"], file["moving"])
    if (folder / START).is_file():
        with np.load(folder / START, allow_pickle=False) as file:
            begun = replace(blank(job, tracks), focal=file["focal"], distortion=file["distortion"], pose=file["pose"], posed=file["posed"])
            state, use, keys, way, sigma = _adjusted(pycolmap, job, tracks, begun, file["keys"].tolist(), say)
    else:
        state, use, keys, way, sigma = _solved(pycolmap, job, tracks, lambda use, keys: maps.best(pycolmap, job, tracks, use, keys, folder), say)
    np.savez(
        folder / "solution.npz", pose=state.pose, posed=state.posed, points=state.points, focal=state.focal, distortion=state.distortion,
        use=use, keys=np.array(keys, np.int64), way=np.array(way), sigma=np.array(np.nan if sigma is None else sigma),
    )


def blank(job: Job, tracks: Tracks) -> State:
    """Nothing posed yet."""
    poses, points = np.tile(np.eye(4), (job.views, 1, 1)), np.full((int(tracks.track.max()) + 1, 3), np.nan)
    return State(job.size, np.full(job.views, job.focal), np.zeros(4), poses, np.zeros(job.views, bool), points)


def _solved(
    pycolmap: Any, job: Job, tracks: Tracks, mapped: Callable[[NDArray[np.bool_], list[int]], tuple[State, str]], say: Callable[[str], None]
) -> Found:
    """Mapped and adjusted; `mapped` places keyframes by the observations [N] that seem still, and says by which way."""
    use, number = ~tracks.moving, 0
    while True:
        number += 1
        keys = keyframes.choose(tracks.where(use), job.views, job.size[0])
        state, name = mapped(use, keys)
        name, _, guess = name.partition(", ")
        way = f"{name} mapping{f' ({guess})' if guess else ''} of {len(keys)} keyframes, {number} {'pass' if number == 1 else 'passes'}"
        if state.posed.sum() < 3:
            return state, use, keys, way, None
        say("adjust")
        state, fits = _completed(pycolmap, job, state, tracks, use)
        lost = float((use & ~fits).sum() / use.sum())
        use = fits
        if number >= job.passes or lost < CHANGED:
            state, use, sigma = _finished(pycolmap, job, state, tracks, use, keys, say)
            return state, use, keys, way, sigma


def _adjusted(pycolmap: Any, job: Job, tracks: Tracks, start: State, keys: list[int], say: Callable[[str], None]) -> Found:
    """The same from poses that are there already."""
    state, fits = _completed(pycolmap, job, replace(start, points=blank(job, tracks).points), tracks, ~tracks.moving)
    state, fits, sigma = _finished(pycolmap, job, state, tracks, fits, keys, say)
    return state, fits, keys, "given", sigma


def held(tracks: Tracks) -> NDArray[np.bool_]:
    """Observations [N] of tracks that are kept from the maps, to judge them by."""
    return tracks.track % HELD == 0


def shown(tracks: Tracks, use: NDArray[np.bool_], keys: list[int]) -> Tracks:
    """What a map is made from: enough of the tracks in `use` [N] that two keyframes see."""
    return tracks.where(carrying(tracks, tracks.shared(use & np.isin(tracks.view, keys)), MAPPED, mixed=True))


def missed(state: State, tracks: Tracks, use: NDArray[np.bool_], keys: list[int]) -> float:
    """Mean px, at most COARSE each, by which a map misses tracks in `use` [N] that it has not seen and that three keyframes see.

    Over all keyframes, placed or not, so that a map of few frames cannot win by leaving out the rest.
    """
    return float(_misses(state, tracks, use, keys).mean())


def _carries(state: State, tracks: Tracks, use: NDArray[np.bool_], keys: list[int]) -> bool:
    """Whether a map is good enough to begin with: by the mean, or, where a lot moves that no mask holds, by half of what it has not seen."""
    misses = _misses(state, tracks, use, keys)
    return bool(misses.mean() < WEAK or np.median(misses) < HALF)


def _misses(state: State, tracks: Tracks, use: NDArray[np.bool_], keys: list[int]) -> NDArray[np.float64]:
    """Those px of each observation."""
    of_keys = tracks.where(use & held(tracks) & np.isin(tracks.view, keys)).long(3)
    if state.posed.sum() < 3 or not len(of_keys.track):
        return np.full(1, COARSE)
    return np.minimum(triangulated(state, of_keys, COARSE).errors(of_keys), COARSE)


def _completed(pycolmap: Any, job: Job, state: State, tracks: Tracks, use: NDArray[np.bool_]) -> tuple[State, NDArray[np.bool_]]:
    """Every view posed that can be, roughly adjusted; and the observations [N] of all tracks that fit, moving or not."""
    still = tracks.where(use)
    state = resection.completed(triangulated(state, still, COARSE), still)
    state = triangulated(state, still, COARSE)
    chosen = carrying(still, state.errors(still) < COARSE, PER_VIEW[0] // 2)
    state = lenses.adjusted(pycolmap, state, still, chosen, job.loss, job.model, job.known, job.zoom, 12, ROUGHLY)
    state = resection.completed(triangulated(state, still, COARSE), still)
    state = triangulated(state, tracks, COARSE)
    return state, np.isfinite(state.points[tracks.track, 0])


def _finished(
    pycolmap: Any, job: Job, state: State, tracks: Tracks, use: NDArray[np.bool_], keys: list[int], say: Callable[[str], None],
) -> tuple[State, NDArray[np.bool_], float | None]:
    """All adjusted by what fits, with the lens that the shot tells; every point of a still track, the observations [N] that the solve rests
    on, and the standard error of log focal length where the shot hardly tells it."""
    say("finish")
    fits = use & (state.errors(tracks) < FINE)
    model, rounds, loose, sigma = job.model, 30, False, None
    if job.zoom and not pycolmap:  # its many focal lengths are settled by who asked
        return state, fits, None
    if not job.zoom:
        model, state, error = lenses.choose(state, tracks, fits & np.isin(tracks.view, keys), job.loss, job.known)
        if lenses.short(np.count_nonzero(state.posed)):
            rounds, loose = 12, not job.known and focal.loose(state, error and error / SURER)
    if loose:
        state, sigma = focal.settled(state, tracks, job.loss)
    else:
        state = lenses.adjusted(pycolmap, state, tracks, carrying(tracks, fits, PER_VIEW[0]), job.loss, model, job.known, job.zoom, rounds)
        state = triangulated(state, tracks, FINE)
    return state, state.errors(tracks) < FINE, sigma


def read_answer(folder: Path, job: Job) -> Found:
    """What the child found; nothing is posed where it found nothing."""
    with np.load(folder / "solution.npz", allow_pickle=False) as file:
        state = State(job.size, file["focal"], file["distortion"], file["pose"], file["posed"], file["points"])
        sigma = float(file["sigma"])
        return state, file["use"], file["keys"].tolist(), str(file["way"]), None if np.isnan(sigma) else sigma
