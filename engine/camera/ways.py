"""Camera room: the three ways to solve a span: the camera travels, only turns, or stands still; starts the mapping child."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .. import child
from ..failures import ShotFailure
from ..geometry.evenly import evenly
from . import bundle, certainty, equations, focal, lenses, mapping, patches, resection, tripod, unknowns, zooming
from .adjust import NEARLY, adjust, refined
from .answer import Question, Solved, missed, strayed
from .bundle import State
from .diagnosis import Diagnosis
from .refusals import unsolved
from .tracks import Tracks

ENOUGH = 0.3  # part of the views that must be posed
STEER = 120  # observations of a view, at least, that adjust a zoom
ROUNDS, ASKED = 60, 2  # of our own adjustment of a zoom, and how often at most it asks all tracks again
CONTRADICT = 3.0  # standard errors that halves of the tracks may be off before the focal length is settled anew
# Straight ahead, a lens that grows by more and a drive that slows down look alike: log focal may change from first to last by what its mean is
# not known to. The drive is then bent as 1 / (1 + x), by this part of its length (root mean square of a parabola about its line, 180 ** -0.5).
BOW = 0.075
DEEP, NUDGES = 0.5, 20  # sigma of the log of those depths by chance, and rounds of adjustment from there
MENDED, MENDABLE = 0.5, 400  # part of the views that may have to be placed anew, and views of a shot of which that is tried
SHRUNK = 1e-5  # part of the greatest middle distance of things in a view, below which what is near in another is not of the same world
SHARP, SHARPENING = 1 / 3, 10  # scale of the last loss, in those of all before, and its rounds
BLUNTER = 1.02  # part of the error that it may leave: beyond, its lens is too poor
STANDS = 1.15  # part of the error that one pose for all frames may leave more than a pose for each
TOLD = 0.05  # standard error of log focal length that a file's word is given


def travelled(
    question: Question, tracks: Tracks, found: Diagnosis, zoom: bool, start: Solved | None = None, turned: Solved | None = None
) -> Solved:
    """A camera that travels, mapped afresh or from the poses of a `start`; where a short shot's own mapping is weak, from one that `turned`
    and explains nearly all, without the child's seconds."""
    options, views, job = question.options, question.views, job_of(question, zoom)
    known = job.known
    begun = (start.state, start.keys) if start else (None, None)
    mapped = mapping.solved(job, tracks, *begun, lambda line: question.step())
    if mapped is None and turned and lenses.short(views):
        mapped = _nudged(question, job, turned)
    state, fits, keys, way, sigma = mapped or by_child(question, job, tracks, *begun)
    if not enough(state) or not fits.any():
        raise unsolved(int(state.posed.sum()) if fits.any() else 0, views)
    way = start.method.partition(": ")[2] if start else f"{way}, all frames adjusted together"
    method = f"free camera{' with zoom' if zoom else ''}: {way}"
    if zoom and (options.lens == "zoom" or zooming.wide(state)):  # a lens that hardly changes will not be believed
        state = _settled(state, tracks, fits, options.loss)
        fits = state.errors(tracks) < mapping.FINE
    if known:
        sigma = 0.0
    elif zoom:
        sigma = focal.sigma(state, tracks, fits, options.loss, zoom)
    else:
        state, sigma = _agreed(state, tracks, fits, sigma, options.loss)
    state = _of_one_size(_mended(state, tracks, options.loss, zoom, known), tracks)
    fits = state.errors(tracks) < mapping.FINE
    if not enough(state):
        raise unsolved(int(state.posed.sum()), views)
    lens = "zoom" if zoom else "known" if known else "fixed"
    path, drift, aside = certainty.path_sigmas(state, tracks, fits, options.loss, zoom, known)
    if zoom and path is not None:
        path = float(np.hypot(path, BOW * (sigma or equations.USUAL)))
    if sigma is not None and not known:
        sigma = float(np.linalg.norm([sigma, aside, focal.FOOTAGE]))
    return Solved(state, tracks, fits, found, method, "free", lens, sigma, keys, path, drift)


def enough(state: State) -> bool:
    """Whether enough of the views have a pose for an answer."""
    return bool(state.posed.sum() >= max(3, ENOUGH * len(state.posed)))


def _nudged(question: Question, job: mapping.Job, turned: Solved) -> mapping.Found | None:
    """A short shot solved from the poses of a camera that only `turned`: from no travel and depths by chance all finds its place, where there
    is a little travel (Yu and Gallup 2014, 3D reconstruction from accidental motion)."""
    tracks, loss = turned.tracks, question.options.loss
    depth = np.exp(np.random.default_rng(0).normal(0, DEEP, len(turned.state.points)))
    use = bundle.carrying(tracks, turned.fits & ~tracks.moving, STEER)
    state = replace(turned.state, points=turned.state.points * depth[:, None])
    state = refined(state, tracks, use, loss, state.bends, True, NUDGES, settled=NEARLY)
    found = mapping.solved(job, tracks, state, turned.keys, lambda line: question.step())
    way = "small moves about its turns"
    return found and (*found[:3], way, found[4])


def job_of(question: Question, zoom: bool) -> mapping.Job:
    """What is asked of a mapping."""
    options, guess = question.options, question.focal or 1.2 * max(question.size)
    return mapping.Job(question.size, question.views, guess, options.lens == "known", options.passes, options.loss, zoom=zoom)


def _agreed(state: State, tracks: Tracks, fits: NDArray[np.bool_], sigma: float | None, loss: float) -> tuple[State, float]:
    """The state with a focal length that has settled where the shot hardly tells it, or where halves of the tracks contradict it; and its
    standard error, no less than those halves are off. A `sigma` says that it has settled already."""
    settled = sigma is not None
    sigma = sigma or focal.sigma(state, tracks, fits, loss)
    loose = focal.loose(state, sigma)
    apart = np.inf if loose and not settled else focal.scatter(state, tracks, loss, sigma or 1.0)
    if not settled and (loose or apart > CONTRADICT * sigma):
        state, sigma = focal.settled(state, tracks, loss)
        apart = focal.scatter(state, tracks, loss, sigma)
    return state, max(sigma, apart)


def _mended(state: State, tracks: Tracks, loss: float, zoom: bool, known: bool) -> State:
    """The state with the views that the path has left placed anew from the others and all adjusted, where less is missed then.

    Where a map is weakest, a part of the shot may hang on few points, which fit, while most do not.
    """
    lost, views = strayed(tracks, state.errors(tracks) < mapping.FINE, len(state.posed)) & state.posed, len(state.posed)
    if not lost.any() or lost.sum() > MENDED * views or views > MENDABLE:
        return state
    still, some = tracks.where(~tracks.moving), replace(state, posed=state.posed & ~lost)
    found = resection.grown_back(some, still, mapping.COARSE)
    if (state.posed & ~found.posed).any():
        return state
    found, rounds = bundle.triangulated(found, still, mapping.COARSE), 15
    seen, per_view = found.errors(still) < mapping.COARSE, mapping.per_view(views)
    if zoom:
        found = zoomed(found, still, seen, loss, rounds, per_view)
    else:
        found = refined(found, still, bundle.carrying(still, seen, per_view), loss, state.bends, known, rounds)
    found = bundle.triangulated(found, tracks, mapping.FINE)
    return found if missed(found, tracks) < missed(state, tracks) else state


def _of_one_size(state: State, tracks: Tracks) -> State:
    """The state without the views of a piece of the map that has shrunk to a point: it hung by next to nothing on the rest."""
    depth = state.depths(tracks)
    seen = [part[part > 0] for part in (depth[rows] for rows in tracks.views(len(state.posed)))]
    near, middle = (np.array([np.quantile(part, share) if len(part) else np.nan for part in seen]) for share in (0.05, 0.5))
    shrunk = state.posed & (near < SHRUNK * np.nanmax(middle[state.posed], initial=0.0))
    return bundle.triangulated(replace(state, posed=state.posed & ~shrunk), tracks, mapping.FINE) if shrunk.any() else state


def by_child(question: Question, job: mapping.Job, tracks: Tracks, start: State | None = None, keys: list[int] | None = None) -> mapping.Found:
    """Mapped by pycolmap."""
    shutil.rmtree(question.folder, ignore_errors=True)
    mapping.write_job(question.folder, job, tracks, start, keys)
    child.run("engine.camera.mapping", question.folder, lambda line: question.step())
    found = mapping.read_answer(question.folder, job)
    shutil.rmtree(question.folder)
    return found


def _settled(state: State, tracks: Tracks, fits: NDArray[np.bool_], loss: float) -> State:
    """The state with the likeliest focal lengths, first by the observations in `fits` [N].

    With a wrong lens what is near does not fit, so all are asked again.
    """
    per_view = int(np.clip(mapping.ALL // len(state.posed), STEER, mapping.PER_VIEW[1]))
    for _ in range(ASKED):
        before = state.focal[state.posed]
        state = bundle.triangulated(zoomed(state, tracks, fits, loss, ROUNDS, per_view), tracks, mapping.COARSE)
        fits = state.errors(tracks) < mapping.COARSE
        sigma = focal.sigma(state, tracks, fits, loss, True) or 1.0
        if abs(np.log(state.focal[state.posed] / before).mean()) < focal.CLOSE * sigma:
            break
    return bundle.triangulated(state, tracks, mapping.FINE)


def zoomed(state: State, tracks: Tracks, fits: NDArray[np.bool_], loss: float, rounds: int, per_view: int) -> State:
    """The state after `rounds` of our own adjustment, by `per_view` observations in `fits` [N], with a focal length for each view."""
    start, few = unknowns.of_state(state, tracks, tracks.shared(fits), per_view, zooming=True)
    try:
        return unknowns.to_state(adjust(start, few, loss, rounds), state)
    except MemoryError:
        raise ShotFailure(
            "too-long", "The camera cannot be solved.", f"A focal length for each of {np.count_nonzero(state.posed)} frames at once does not fit into memory.",
            "Solve a shorter part, or take the lens as fixed.", {"solve": {"lens": "fixed"}},
        ) from None


def seen_sharper(question: Question, answer: Solved) -> Solved:
    """The answer of a camera that travels, with its tracks where the pictures agree best about them."""
    views = np.count_nonzero(answer.state.posed)
    if answer.motion != "free" or views > MENDABLE or question.picture is None:
        return answer
    use = bundle.carrying(answer.tracks, answer.fits, mapping.per_view(views))
    tracks = patches.agreed(answer.state, answer.tracks, use, question.picture)
    state = bundle.triangulated(answer.state, tracks, mapping.FINE)
    return replace(answer, state=state, tracks=tracks, fits=state.errors(tracks) < mapping.FINE)


def sharpened(answer: Solved, loss: float) -> Solved:
    """The answer of a camera that travels, adjusted once more by a sharper loss than `loss`, in px, and with no more distortion than that asks for.

    Most tracks are far better than the worst, which stay where they slipped to and pull the lens along: near the answer they need no
    hearing. What kind of shot it is, and how sure the answer, was told by the milder loss; its lens is no surer than both agree.
    """
    state, tracks, views = answer.state, answer.tracks, np.count_nonzero(answer.state.posed)
    if answer.motion != "free" or views > MENDABLE:
        return answer
    fits, per_view, sharp = answer.fits, mapping.per_view(views), SHARP * loss
    if answer.lens == "zoom":
        state = zoomed(state, tracks, fits, sharp, SHARPENING, per_view)
    else:
        known = answer.lens == "known"
        model, state, _ = lenses.choose(state, tracks, fits, sharp, known)
        state = refined(state, tracks, bundle.carrying(tracks, fits, per_view), sharp, bundle.MODELS[model], known, SHARPENING, settled=NEARLY)
    state = bundle.triangulated(state, tracks, mapping.FINE)
    moved = abs(float(np.log(state.focal[state.posed] / answer.state.focal[state.posed]).mean()))
    sharper = replace(answer, state=state, fits=state.errors(tracks) < mapping.FINE, sigma=answer.sigma and max(answer.sigma, moved))
    return sharper if sharper.miss < BLUNTER * answer.miss else answer


def turned(question: Question, tracks: Tracks, found: Diagnosis) -> Solved:
    """A camera that only turns; its lens may zoom."""
    options = question.options
    zoom = options.lens == "zoom" or (options.lens == "auto" and "zoom" in found.kind)
    known = options.lens == "known"
    guess = question.focal or found.focal * question.size[0]
    state, fits, sigma = tripod.solve(tracks, question.views, question.size, guess, zoom, known, options.loss)
    question.step()
    if not enough(state) or fits.sum() < 8 * question.views:
        raise unsolved(int(state.posed.sum()), question.views)
    sigma = sigma if sigma is None or known else float(np.hypot(sigma, focal.FOOTAGE))
    lens = "zoom" if zoom else "known" if known else "fixed"
    method = f"tripod: turns{' and zoom' if zoom else ''} of all frames adjusted together, no travel"
    return Solved(state, tracks, fits, found, method, "tripod", lens, sigma, _spread(state))


def stood(question: Question, tracks: Tracks, found: Diagnosis) -> Solved:
    """A camera that stands still, or turns too little to tell its lens, which is then taken from the artist, the file or habit."""
    told = "known" if question.options.lens == "known" or (question.focal and not question.told) else "fixed"
    guess = question.focal or unknowns.WIDTHS * max(question.size)
    state, fits, _ = tripod.solve(tracks, question.views, question.size, guess, False, True, question.options.loss, bends=False)
    question.step()
    if not enough(state):
        raise unsolved(int(state.posed.sum()), question.views)
    still = replace(state, pose=np.tile(state.pose[state.posed][:1], (question.views, 1, 1)))
    method = "the camera's slightest turns, by a lens that is given or assumed"
    if still.errors(tracks)[fits].mean() < STANDS * state.errors(tracks)[fits].mean():
        state, method = still, "the camera stands still"
    sigma = None if told == "known" else TOLD if question.told else equations.USUAL
    return Solved(state, tracks, fits, found, method, "tripod", told, sigma, _spread(state))


def _spread(state: State) -> list[int]:
    """Some views, evenly spread, whose pictures colour the points."""
    posed = np.flatnonzero(state.posed)
    return posed[evenly(len(posed), 12)].tolist()
