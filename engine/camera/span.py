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
from ..failures import ChildFailure, Failure, ShotFailure
from ..geometry.pose import invert
from . import adjust, bundle, certainty, diagnosis, focal, judgement, mapping, shutter, smooth, tripod
from .bundle import State
from .shutter import Readout
from .tracks import Tracks

ENOUGH = 0.3  # part of the views that must be posed
STEER = 120  # observations of a view, at least, that adjust a zoom and judge a focal length
SUSPECT = 1.2  # px of mean error over all still tracks
JUDGED = 400  # views by which a focal length is judged: thousands would fill memory where a shot returns
ROUNDS = 60  # of our own adjustment of a zoom
LOOSE = 0.02  # standard error of log focal length above which it is looked at more closely
STANDS = 1.15  # part of the error that one pose for all frames may leave more than a pose for each
TOLD = 0.05  # standard error of log focal length that a file's word is given
VAGUE = 0.08  # standard error of log focal length above which the file's word is better
LEFT = 2.0  # what turns leave, in units of what any travel would leave, above which travel is tried
TRAVELS, KNOWN = 0.7, 0.04  # part of the error to which travel must bring it, to be believed, and how well its path must be known
FAR = 1000.0  # middle distances at which a thing shows no parallax
GLANCE = 120  # views at which a zoom is tried before it is solved
TRIED = 110  # views of which it is asked, quickly, whether a focal length for each would explain more
WIDE, RATHER = 1.2, 0.97  # ratio of focal lengths, and part of the error left with them, from which a lens that is taken as fixed is doubted
BETTER = 0.9  # part of the error to which a zooming lens must bring it, to be believed
STRAIGHTER = 3  # solves with the readout taken out, at most
GAINS = 0.95  # part of the error to which a readout must bring it, to be believed
FORESEEN = 0.97  # the same foreseen by an adjustment of a part, from which on it is tried
SETTLED = 0.02  # change of the readout that calls for no further one


@dataclass(frozen=True)
class Solved:
    """A span's answer."""

    state: State
    tracks: Tracks  # every observation that was followed long enough
    fits: NDArray[np.bool_]  # [N] those that the solve rests on
    diagnosis: diagnosis.Diagnosis
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


def solve(question: Question) -> Solved:
    """Solve a span from its tracks, or raise the failure that says why not."""
    answer, period = _solved(question), question.options.smooth
    if question.options.shutter != "global" and answer.diagnosis.kind != "motion":
        answer = _straightened(question, answer)
    if period < 2:
        return answer
    state = smooth.smoothed(answer.state, period)
    if answer.motion == "free":
        state = bundle.triangulated(state, answer.tracks, mapping.COARSE)
    fits = state.errors(answer.tracks) < mapping.COARSE
    return replace(answer, state=state, fits=fits, method=f"{answer.method}; path smoothed over {period:g} frames")


def _solved(question: Question) -> Solved:
    options = question.options
    found = diagnosis.look(_still(question.tracks), question.views, question.size)
    refusal = refuse(found, question.views, options)
    if refusal:
        raise refusal
    lasting = question.tracks.long(3)
    lasting = replace(lasting, moving=_moving_tracks(lasting))
    if found.kind == "motion":
        return _stood(question, lasting, found)
    if options.motion == "tripod":
        return _turned(question, lasting, found)
    if options.motion == "auto" and found.kind.startswith("tripod"):
        return _turned_or_travelled(question, lasting, found)
    if options.lens == "zoom":
        return _travelled(question, lasting, found, True)
    try:
        fixed = _travelled(question, lasting, found, False)
    except ShotFailure:
        if options.lens != "auto":
            raise
        return _travelled(question, lasting, found, True)
    if options.lens == "auto" and question.told and (fixed.sigma is None or fixed.sigma > VAGUE):
        held = _travelled(replace(question, options=replace(options, lens="known")), lasting, found, False)
        fixed = held if _miss(held) < 1.1 * _miss(fixed) else fixed
    return _or_zoomed(question, lasting, found, fixed) if options.lens == "auto" else fixed


def _straightened(question: Question, rolling: Solved) -> Solved:
    """The answer solved again from tracks freed of the rolling shutter, where there surely is one or the artist says so."""
    options, raw = question.options, rolling.tracks
    given = options.shutter == "rolling" and options.readout != 0
    if given:
        readout = Readout(options.readout, 0.0, _axes(question)[0])
    else:
        looks = [_told(rolling, raw, Readout(0.0, 0.0, axis), options) for axis in _axes(question)]
        readout, left, right = max(looks, key=lambda look: look[0].surely)
        if options.shutter == "auto" and not (judgement.rolls(readout.share, readout.sigma) and _foreseen(rolling, left, right, readout) < FORESEEN):
            return replace(rolling, readout=readout)
    before, answer, sure = _miss(rolling), rolling, options.shutter == "rolling"
    for _ in range(STRAIGHTER):
        tracks = shutter.straightened(answer.state, raw, readout)
        try:
            answer = _solved_again(replace(question, tracks=tracks), answer)
        except (ShotFailure, ChildFailure):
            doubt = "the rolling shutter is left in: without it no camera was found" if sure else rolling.doubt
            return replace(rolling, readout=readout, doubt=doubt)
        gain = _miss(answer) / max(before, 1e-9)
        found = readout if given or (not sure and gain > GAINS) else _told(answer, raw, readout, options)[0]
        if not sure and (gain > GAINS or not judgement.rolls(found.share, found.sigma)):
            return replace(rolling, readout=found)
        settled, readout = abs(found.share - readout.share) < max(SETTLED, 0.5 * found.sigma), found
        if settled:
            break
    return replace(answer, method=f"{rolling.method}; rolling shutter taken out", readout=readout, shift=raw.xy - tracks.xy, gain=gain)


def _solved_again(question: Question, before: Solved) -> Solved:
    """The answer solved again from tracks that have shifted a little: what kind of shot it is, and where it leads, is known."""
    tracks = replace(question.tracks, moving=before.tracks.moving)
    if before.motion == "tripod":
        return _turned(question, tracks, before.diagnosis)
    return _travelled(question, tracks, before.diagnosis, before.lens == "zoom", before)


def _axes(question: Question) -> tuple[str, ...]:
    """What may be read one after another: the rows, or of an upright picture, which a phone held upright takes, the columns."""
    return ("columns", "rows") if question.size[1] > question.size[0] else ("rows",)


def _told(answer: Solved, raw: Tracks, start: Readout, options: Solve) -> tuple[Readout, State, State]:
    zoom, known, turning = answer.lens == "zoom", answer.lens == "known", answer.motion == "tripod"
    return shutter.told(answer.state, raw, options.loss, mapping.FINE, start, zoom=zoom, known=known, turning=turning)


def _foreseen(rolling: Solved, left: State, right: State, readout: Readout) -> float:
    """The part of the error that taking the readout out is likely to leave.

    What moves or slips can look like a readout too, but taking that out explains nothing.
    """
    if rolling.motion == "tripod":
        return 0.0
    raw = rolling.tracks.where(left.posed[rolling.tracks.view])
    straight = shutter.straightened(right, raw, readout)
    miss = [_missed(bundle.triangulated(state, tracks, mapping.FINE), tracks) for state, tracks in ((left, raw), (right, straight))]
    return miss[1] / max(miss[0], 1e-9)


def _or_zoomed(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, fixed: Solved) -> Solved:
    """The answer with one focal length, or that of a zoom where it explains clearly more."""
    ratio, left = _if_it_zoomed(fixed, question.options.loss)
    if not (_suspicious(fixed) or (ratio > 1.03 and left < 0.98)):
        return fixed
    if ratio > WIDE and left < RATHER:
        fixed = replace(fixed, doubt="a zoom would explain the tracks somewhat better: the focal length is not to be trusted")
    try:
        if question.views > GLANCE and not _glance_says_zoom(question, tracks, found, fixed):
            return fixed
        zoomed = _travelled(question, tracks, found, True)
    except (ShotFailure, ChildFailure):
        return fixed
    return zoomed if _miss(zoomed) < BETTER * _miss(fixed) else fixed


def _glance_says_zoom(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, fixed: Solved) -> bool:
    """Whether a zoom explains clearly more of some views, evenly spread: a focal length for each of thousands takes minutes."""
    every = -(-question.views // GLANCE)
    some = tracks.where(tracks.shared(tracks.view % every == 0, 3))
    few = replace(some, view=some.view // every).long(3)
    zoomed = _travelled(replace(question, views=-(-question.views // every)), few, found, True)
    return _miss(zoomed) < BETTER * _missed(fixed.state, some)


def _turned_or_travelled(question: Question, tracks: Tracks, found: diagnosis.Diagnosis) -> Solved:
    """A tripod, unless turns leave much that a little travel explains, and that travel is known."""
    turned = _turned(question, tracks, found)
    left = turned.state.errors(tracks)[~tracks.moving]
    if np.quantile(np.minimum(left, mapping.COARSE), 0.8) < LEFT * found.lined * question.size[0]:
        return turned
    try:
        free = _travelled(question, tracks, found, False)
    except (ShotFailure, ChildFailure):
        return turned
    gone = free.state.errors(tracks)[~tracks.moving]
    seen = np.isfinite(gone)  # what is too far for its place to be told says nothing
    if seen.mean() < 0.5 or np.minimum(gone[seen], mapping.COARSE).mean() > TRAVELS * np.minimum(left[seen], mapping.COARSE).mean():
        return turned
    if free.path is not None and free.path < KNOWN:
        return free
    return replace(turned, doubt="turns alone leave more than the tracks' noise: the camera may also travel a little")


def _turned(question: Question, tracks: Tracks, found: diagnosis.Diagnosis) -> Solved:
    options = question.options
    zoom = options.lens == "zoom" or (options.lens == "auto" and "zoom" in found.kind)
    known = options.lens == "known"
    guess = question.focal or found.focal * question.size[0]
    state, fits, sigma = tripod.solve(tracks, question.views, question.size, guess, zoom, known, options.loss)
    question.step()
    if state.posed.sum() < max(3, ENOUGH * question.views) or fits.sum() < 8 * question.views:
        raise unsolved(int(state.posed.sum()), question.views)
    lens = "zoom" if zoom else "known" if known else "fixed"
    method = f"tripod: turns{' and zoom' if zoom else ''} of all frames adjusted together, no travel"
    return Solved(state, tracks, fits, found, method, "tripod", lens, sigma, _spread(state))


def _stood(question: Question, tracks: Tracks, found: diagnosis.Diagnosis) -> Solved:
    """A camera that stands still, or turns too little to tell its lens, which is then taken from the artist, the file or habit."""
    told = "known" if question.options.lens == "known" or (question.focal and not question.told) else "fixed"
    guess = question.focal or adjust.WIDTHS * max(question.size)
    state, fits, _ = tripod.solve(tracks, question.views, question.size, guess, False, True, question.options.loss, bends=False)
    question.step()
    if state.posed.sum() < max(3, ENOUGH * question.views):
        raise unsolved(int(state.posed.sum()), question.views)
    still = replace(state, pose=np.tile(state.pose[state.posed][:1], (question.views, 1, 1)))
    method = "the camera's slightest turns, by a lens that is given or assumed"
    if still.errors(tracks)[fits].mean() < STANDS * state.errors(tracks)[fits].mean():
        state, method = still, "the camera stands still"
    sigma = None if told == "known" else TOLD if question.told else adjust.USUAL
    return Solved(state, tracks, fits, found, method, "tripod", told, sigma, _spread(state))


def _spread(state: State) -> list[int]:
    """Some views, evenly spread, whose pictures colour the points."""
    posed = np.flatnonzero(state.posed)
    return sorted({int(posed[k]) for k in np.linspace(0, len(posed) - 1, 12).astype(int)})


def _travelled(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, zoom: bool, start: Solved | None = None) -> Solved:
    """A camera that travels, mapped afresh or from the poses of a `start`."""
    options, views = question.options, question.views
    known = options.lens == "known"
    job = mapping.Job(
        question.size, views, question.focal or 1.2 * max(question.size), known, options.passes, options.loss, zoom=zoom,
    )
    shutil.rmtree(question.folder, ignore_errors=True)
    mapping.write_job(question.folder, job, tracks, *((start.state, start.keys) if start else ()))
    child.run("engine.camera.mapping", question.folder, lambda line: question.step())
    state, fits, keys, way = mapping.read_answer(question.folder, job)
    shutil.rmtree(question.folder)
    if state.posed.sum() < max(3, ENOUGH * views):
        raise unsolved(int(state.posed.sum()), views)
    method = start.method if start else f"free camera{' with zoom' if zoom else ''}: {way}, all frames adjusted together"
    if zoom:
        per_view = int(np.clip(mapping.ALL // views, STEER, mapping.PER_VIEW[1]))
        state = bundle.triangulated(_zoomed(state, tracks, fits, options.loss, ROUNDS, per_view), tracks, mapping.FINE)
        fits = state.errors(tracks) < mapping.FINE
    sigma = 0.0 if known else _focal_sigma(state, tracks, fits, options.loss, zoom)
    if not (zoom or known) and (sigma is None or sigma > LOOSE or focal.odd(state)):
        state, sigma = focal.settled(state, tracks, options.loss)
    fits = state.errors(tracks) < mapping.FINE
    lens = "zoom" if zoom else "known" if known else "fixed"
    path, drift = certainty.path_sigmas(state, tracks, fits, options.loss, zoom, known)
    return Solved(state, tracks, fits, found, method, "free", lens, sigma, keys, path, drift)


def _zoomed(state: State, tracks: Tracks, fits: NDArray[np.bool_], loss: float, rounds: int, per_view: int) -> State:
    """The state after `rounds` of our own adjustment, by `per_view` observations in `fits` [N], with a focal length for each view."""
    start, few, posed = adjust.of_state(state, tracks, tracks.shared(fits), per_view, zooming=True)
    try:
        return adjust.to_state(adjust.adjust(start, few, loss, rounds), state, posed)
    except MemoryError:
        raise ShotFailure(
            "too-long", "The camera cannot be solved.", f"A focal length for each of {len(posed)} frames at once does not fit into memory.",
            "Solve a shorter part, or take the lens as fixed.", {"solve": {"lens": "fixed"}},
        ) from None


def _focal_sigma(state: State, tracks: Tracks, fits: NDArray[np.bool_], loss: float, zoom: bool) -> float | None:
    """The standard error of the state's log focal length."""
    some = bundle.spread(state, JUDGED)
    use = tracks.shared(fits & some[tracks.view])
    there, few, _ = adjust.of_state(replace(state, posed=some), tracks, use, STEER, zooming=zoom, free=(0,) if zoom else state.bends)
    return adjust.System(there, few, loss).focal_sigma()


def _suspicious(fixed: Solved) -> bool:
    """Whether much does not fit, or the lens is one that hardly anybody films with: a zoom may have been taken for travel."""
    share = float(np.median(fixed.state.focal)) / max(fixed.state.size)
    return _miss(fixed) > SUSPECT or not 0.45 < share < 2.2 or abs(fixed.state.distortion[0]) > 0.4


def _if_it_zoomed(fixed: Solved, loss: float) -> tuple[float, float]:
    """How much longer the longest focal length would be than the shortest, were there one for each view, and the part of the error left then."""
    state = replace(fixed.state, posed=bundle.spread(fixed.state, TRIED))
    rows = fixed.fits & state.posed[fixed.tracks.view]
    try:
        freed = _zoomed(state, fixed.tracks, rows, loss, 6, STEER)
    except (RuntimeError, np.linalg.LinAlgError):
        return 1.0, 1.0
    low, high = np.quantile(freed.focal[state.posed], [0.05, 0.95])
    before = state.errors(fixed.tracks)[rows]
    after = bundle.triangulated(freed, fixed.tracks, mapping.FINE).errors(fixed.tracks)[rows]
    return float(high / low), float(np.minimum(after, 4).mean() / max(np.minimum(before, 4).mean(), 1e-9))


def _miss(solved: Solved) -> float:
    """`_missed` of an answer whose camera travels."""
    return _missed(solved.state, solved.tracks)


def _missed(state: State, tracks: Tracks) -> float:
    """Mean error in px over all observations of still tracks, those that fit nowhere counted as missing by much.

    What is too far for a point may still fit as something far: that is no miss.
    """
    track, first = np.unique(tracks.track, return_index=True)
    place, posed = invert(state.pose), state.posed[tracks.view[first]] & ~np.isfinite(state.points[track, 0])
    track, first = track[posed], first[posed]
    view, points = tracks.view[first], state.points.copy()
    depth = FAR * np.nanmedian(np.linalg.norm(state.points - place[state.posed, :3, 3].mean(0), axis=1))
    points[track] = place[view, :3, 3] + depth * np.einsum("nij,nj->ni", place[view, :3, :3], state.rays(tracks)[first])
    error = replace(state, points=points).errors(tracks)[~tracks.moving]
    return float(np.minimum(error, mapping.COARSE).mean())


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


def refuse(found: diagnosis.Diagnosis, views: int, options: Solve) -> Failure | None:
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
    if (found.kind == "motion" or found.kind.startswith("tripod")) and options.motion == "free":
        return ShotFailure(
            "no-parallax", "The camera only turns on its place.",
            "A mere turn explains all motion: near and far things move alike, so their distance cannot be told.",
            "Solve it as a tripod shot.", {"solve": {"motion": "tripod"}},
        )
    return None


def unsolved(posed: int, views: int) -> ShotFailure:
    """The failure of a mapping that fell apart."""
    return ShotFailure(
        "no-solve", "The camera could not be solved.", f"Only {posed} of {views} frames fit together; the tracks contradict each other or are too short.",
        "Mask what moves (movers: own masks), raise the number of tracks, or solve a shorter part.", {"solve": {"tracks": 2000}},
    )
