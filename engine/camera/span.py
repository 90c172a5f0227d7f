"""Camera room: one span between cuts, from its tracks to a solved state: which way it is solved, and which answer is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..failures import ChildFailure, ShotFailure
from . import bundle, diagnosis, focal, inside_out, lenses, mapping, rolling, smooth, unknowns, ways, zooming
from .answer import Question, Solved, left, missed
from .bundle import State
from .refusals import refuse
from .tracks import Tracks

Array = NDArray[np.float64]
SUSPECT = 1.2  # px of mean error over all still tracks
VAGUE = 0.08  # standard error of log focal length above which the file's word is better
# What turns leave, in units of what any travel would leave, above which travel is tried, and tried at any cost: 1.7 to 2.2 where a camera only turns.
# Below the latter small moves about the turns do: 3 mm of quiver leave 2.5, and a map of keyframes is farther off there than they are.
LEFT, MUCH = 1.8, 4.0
TRAVELS, KNOWN = 0.7, 0.04  # part of the error to which travel must bring it, to be believed, and how well its path must be known
GLANCE = 120  # views of a stretch in which a zoom is tried before it is solved
TRIED = 110  # views of which it is asked, quickly, whether a focal length for each would explain more
LESS = 0.98  # part of the error left with a focal length for each view, below which a zoom is tried: 0.77 to 0.9 of a zoom, 1.0 of lenses that stay
WIDE, RATHER = 1.2, 0.97  # ratio of focal lengths, and part of the error left with them, from which a lens that is taken as fixed is doubted
ODD, SAME = 1.5, 0.1  # ratio to the expected focal length from which another lens is tried; difference of the log that makes it another
NEARLY, NEARER = 1.4, 1.15  # part of the error with which that lens, or one ODD times nearer to it, may stand beside the answer
UNFIT = 0.07  # part of the observations of still tracks that fit nowhere, from which another start is tried: at most 0.06 in right answers
BEGUN = unknowns.WIDTHS, 2.4  # widths: the usual lens, and a long one
SLIGHT, EITHER = 0.005, 1.15  # part of its length that a path must be off by for its world to be turned inside out, and error that decides between both
BETTER = 0.9  # part of the error to which a zooming lens must bring it, to be believed without counting


def solve(question: Question) -> Solved:
    """Solve a span from its tracks, or raise the failure that says why not."""
    answer, period = ways.seen_sharper(question, _solved(question)), question.options.smooth
    if question.options.shutter != "global" and answer.diagnosis.kind != "motion":
        answer = rolling.straightened(question, answer)
        if answer.motion == "tripod" and answer.doubt and answer.shift is not None:  # what the rows left may have looked like travel
            again = _turned_or_travelled(question, answer.tracks, answer.diagnosis)
            answer = replace(answer, doubt=again.doubt) if again.motion == "tripod" else answer
    answer = _right_side_out(question, answer)
    answer = ways.sharpened(answer, question.options.loss)
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
        return ways.stood(question, lasting, found)
    if options.motion == "tripod":
        return ways.turned(question, lasting, found)
    if options.motion == "auto" and found.kind.startswith("tripod"):
        return _turned_or_travelled(question, lasting, found)
    if options.lens == "zoom":
        return ways.travelled(question, lasting, found, True)
    clear = _clear_zoom(question, lasting, found) if options.lens == "auto" else None
    if clear:
        return clear
    try:
        fixed = ways.travelled(question, lasting, found, False)
    except ShotFailure:
        if options.lens != "auto":
            raise
        return ways.travelled(question, lasting, found, True)
    fixed = _begun_again(question, lasting, found, fixed)
    if options.lens == "auto" and question.told and (fixed.sigma is None or fixed.sigma > VAGUE):
        held = _by_lens(question, lasting, found, question.focal)
        fixed = held if held.miss < 1.1 * fixed.miss else fixed
    return _weighed(question, lasting, found, _or_zoomed(question, lasting, found, fixed) if options.lens == "auto" else fixed)


def _with_rows_of(answer: Solved, other: Solved) -> Solved:
    """The other answer from the same tracks, with what is known of their rolling shutter."""
    return replace(other, readout=answer.readout, shift=answer.shift, gain=answer.gain)


def _right_side_out(question: Question, answer: Solved) -> Solved:
    """The answer, or, of a path that is not well known, that of the world turned inside out: where both explain nearly the same, the one in which
    what is lower in the pictures is nearer, doubted."""
    tracks = answer.tracks
    if answer.motion != "free" or answer.lens == "zoom" or answer.path is None or answer.path < SLIGHT or not lenses.short(question.views):
        return answer
    start = inside_out.turned(answer.state, tracks)
    if not ways.enough(start):
        return answer
    try:
        other = ways.travelled(question, tracks, answer.diagnosis, False, replace(answer, state=start))
    except (ShotFailure, ChildFailure):
        return answer
    other = _with_rows_of(answer, other)
    if other.miss > EITHER * answer.miss or not inside_out.opposed(answer.state, other.state):
        return answer
    down = [inside_out.lies_down(world.state, tracks) for world in (answer, other)]
    if EITHER * other.miss < answer.miss or (down[1] and not down[0]):
        answer, other = other, answer
    if EITHER * answer.miss < other.miss:
        return answer
    return replace(answer, doubt="near and far may be exchanged: the world turned inside out would explain nearly as much")


def _begun_again(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, fixed: Solved) -> Solved:
    """The answer, or that of a map begun with another lens, where that misses clearly less.

    What the first pairs tell of the lens may be far from the truth. Near such a lens far things fit, near ones do not, and only what fits
    is asked again: so another start ends elsewhere. Of a long shot a stretch tells whether it does; the child's seconds are for suspicious answers.
    """
    suspicious = _suspicious(fixed)
    if fixed.lens != "fixed" or not (suspicious or _unfit(fixed) > UNFIT):
        return fixed
    part, few = _stretch(fixed.state, tracks, max(0, question.views - GLANCE) // 2) if not lenses.short(question.views) else (fixed.state, tracks)
    least, length = missed(part, few), 0.0
    try:
        for share in BEGUN:
            begun = _roughly(replace(question, views=len(part.posed)), few, share * max(question.size), suspicious)
            if begun and missed(begun, few) < BETTER * least:
                other, _ = focal.settled(begun, few, question.options.loss)
                least, length = missed(other, few), float(np.median(other.focal))
        if not length:
            return fixed
        again = ways.travelled(question, tracks, found, False, _by_lens(question, tracks, found, length))
    except (ShotFailure, ChildFailure):
        return fixed
    return again if again.miss < BETTER * fixed.miss else fixed


def _roughly(question: Question, tracks: Tracks, focal_px: float, child: bool) -> State | None:
    """A short shot's camera that travels, with that focal length, roughly mapped here or else by the `child`; None where nothing hangs together then."""
    job = replace(ways.job_of(question, False), focal=focal_px, known=True)
    state = mapping.roughly(job, tracks)
    if state.posed.sum() < 3 and child:
        try:
            state = ways.by_child(question, job, tracks)[0]
        except (ShotFailure, ChildFailure):
            return None
    return state if state.posed.sum() >= 3 else None


def _stretch(state: State, tracks: Tracks, start: int) -> tuple[State, Tracks]:
    """GLANCE views in a row, from `start` on, with points found anew, and their tracks."""
    views = slice(start, start + GLANCE)
    few = tracks.where((tracks.view >= start) & (tracks.view < views.stop))
    few = replace(few, view=few.view - start).long(3)
    part = replace(state, focal=state.focal[views], pose=state.pose[views], posed=state.posed[views])
    return bundle.triangulated(part, few, mapping.COARSE), few


def _by_lens(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, focal_px: float) -> Solved:
    """A camera that travels, with a focal length that is taken as known."""
    return ways.travelled(replace(question, focal=focal_px, options=replace(question.options, lens="known")), tracks, found, False)


def _weighed(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, fixed: Solved) -> Solved:
    """The answer; doubted where its lens is far from what is expected, and one that is expected, or nearer to that, explains nearly as much.

    A short path holds worlds of other depth that fit the tracks about as well: each has its own lens, near which it looks certain.
    """
    expected = question.focal or unknowns.WIDTHS * max(question.size)
    off = float(np.log(np.median(fixed.state.focal) / expected))
    if fixed.lens != "fixed" or fixed.doubt or abs(off) < np.log(ODD):
        return fixed
    miss, nearer = fixed.miss, focal.held(fixed.state, fixed.tracks, question.options.loss, ODD ** -np.sign(off))
    if all(missed(state, fixed.tracks) > NEARER * miss for state in nearer):
        apart = _other_world(question, tracks, found, fixed, expected)
        if not apart:
            return fixed
    else:
        apart = abs(off)  # all the way to the expected one may do: no other solve has to show it
    doubt = "a lens that is more usual would explain nearly as much: the focal length is not to be trusted"
    return replace(fixed, sigma=max(fixed.sigma or 0.0, apart), doubt=doubt)


def _other_world(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, fixed: Solved, expected: float) -> float:
    """How far in log focal length a solve ends that begins with the `expected` one, where it explains nearly as much; else 0."""
    try:
        held = _by_lens(question, tracks, found, expected)
        other, _ = focal.settled(held.state, tracks, question.options.loss)
    except (ShotFailure, ChildFailure):
        return 0.0
    apart = float(abs(np.log(np.median(other.focal) / np.median(fixed.state.focal))))
    return 0.0 if apart < SAME or missed(other, fixed.tracks) > NEARLY * fixed.miss else apart


def _clear_zoom(question: Question, tracks: Tracks, found: diagnosis.Diagnosis) -> Solved | None:
    """The answer of a zoom where keyframes by pairs say so and it explains clearly more than any fixed lens, which then need not be settled."""
    job = ways.job_of(question, False)
    if not mapping.zooms(job, tracks):
        return None
    try:
        zoomed = ways.travelled(question, tracks, found, True)
    except (ShotFailure, ChildFailure):
        return None
    fixed = mapping.roughly(job, tracks)
    clear = fixed.posed.any() and zoomed.miss < BETTER * missed(fixed, tracks) and zooming.worth(fixed, zoomed.state, tracks, question.options.loss)
    return zoomed if clear else None


def _or_zoomed(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, fixed: Solved) -> Solved:
    """The answer with one focal length, or that of a zoom where it explains clearly more."""
    curve, rest = _if_it_zoomed(fixed, question.options.loss)
    if not (_suspicious(fixed) or rest < LESS):
        return fixed
    if np.ptp(np.quantile(curve, zooming.ENDS)) > np.log(WIDE) and rest < RATHER:
        fixed = replace(fixed, doubt="a zoom would explain the tracks somewhat better: the focal length is not to be trusted")
    try:
        glance = question.views > GLANCE
        if glance and not _glance_says_zoom(question, tracks, found, fixed, curve):
            return fixed
        zoomed = _zoomed(question, tracks, found, fixed, rest < LESS)
    except (ShotFailure, ChildFailure):
        return fixed
    sure = BETTER * zoomed.miss < fixed.miss and zooming.wide(zoomed.state) if glance else _better(zoomed, fixed.state, tracks, question.options.loss)
    return zoomed if sure else fixed


def _zoomed(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, fixed: Solved, onward: bool) -> Solved:
    """The answer of a zoom: mapped afresh, or, where that leaves much that fits nowhere and it might go `onward` from there, from the poses that a
    fixed lens has found, if less is missed then.

    Straight ahead, pairs of keyframes hardly tell how the lens grows.
    """
    zoomed = ways.travelled(question, tracks, found, True)
    if _unfit(zoomed) < UNFIT or not onward:
        return zoomed
    other = ways.travelled(question, tracks, found, True, fixed)
    return other if other.miss < zoomed.miss else zoomed


def _better(zoomed: Solved, fixed: State, tracks: Tracks, loss: float) -> bool:
    before = missed(fixed, tracks)
    if zoomed.miss > before or not zooming.wide(zoomed.state):
        return False
    return zoomed.miss < BETTER * before or zooming.worth(fixed, zoomed.state, tracks, loss)


def _glance_says_zoom(question: Question, tracks: Tracks, found: diagnosis.Diagnosis, fixed: Solved, curve: Array) -> bool:
    """Whether the stretch of the shot where it would zoom most asks for a zoom: a focal length for each of thousands of views takes minutes."""
    starts = np.arange(question.views - GLANCE + 1)
    start = int(starts[np.argmax([np.ptp(curve[first : first + GLANCE]) for first in starts])])
    part, few = _stretch(fixed.state, tracks, start)
    zoomed = ways.travelled(replace(question, views=GLANCE), few, found, True)
    return _better(zoomed, part, few, question.options.loss)


def _turned_or_travelled(question: Question, tracks: Tracks, found: diagnosis.Diagnosis) -> Solved:
    """A tripod, unless turns leave much that a little travel explains, and that travel is known."""
    turned = ways.turned(question, tracks, found)
    stays = turned.state.errors(tracks)[~tracks.moving]
    much = np.quantile(np.minimum(stays, mapping.COARSE), 0.8) / (max(found.lined, 1e-9) * question.size[0])
    if much < LEFT:
        return turned
    worth = False
    for start in (turned, None) if much < MUCH else (None,):  # small moves about the turns, then a map of its own
        try:
            free = _weighed(question, tracks, found, ways.travelled(question, tracks, found, False, turned=start))
        except (ShotFailure, ChildFailure):
            continue
        gone = left(free.state, tracks)
        brought = np.minimum(gone, mapping.COARSE).mean() < TRAVELS * np.minimum(stays, mapping.COARSE).mean()
        if brought and free.path is not None and free.path < KNOWN:
            return free
        worth = worth or _travel_is_worth(turned, tracks, stays, gone, question.options.loss)
        if free.keys is not turned.keys:  # that was a map of its own already
            break
    return replace(turned, doubt="turns alone leave more than the tracks' noise: the camera may also travel a little") if worth else turned


def _travel_is_worth(turned: Solved, tracks: Tracks, stays: Array, gone: Array, loss: float) -> bool:
    """Whether a place for each view explains more than so many numbers do by chance (Schwarz); px left of the still tracks by turns, and with travel."""
    still = tracks.where(~tracks.moving)
    use = (stays < zooming.AGREES) & (gone < zooming.AGREES)
    start, few = unknowns.of_state(turned.state, still, still.shared(use), len(use))
    count = np.count_nonzero(use) / zooming.alike(start, few, loss)
    return lenses.worth(count * (lenses.unlikely(stays[use], loss) - lenses.unlikely(gone[use], loss)), 3 * len(start.rotation), int(count))


def _unfit(answer: Solved) -> float:
    """Part of the observations of still tracks that fit nowhere."""
    return float((left(answer.state, answer.tracks) > mapping.FINE).mean())


def _suspicious(fixed: Solved) -> bool:
    """Whether much does not fit, or the lens is one that hardly anybody films with: a zoom may have been taken for travel."""
    share = float(np.median(fixed.state.focal)) / max(fixed.state.size)
    return fixed.miss > SUSPECT or not 0.45 < share < 2.2 or abs(fixed.state.distortion[0]) > 0.4


def _if_it_zoomed(fixed: Solved, loss: float) -> tuple[Array, float]:
    """Log focal lengths [V], were there one for each view, and the part of the error left then."""
    state = replace(fixed.state, posed=bundle.spread(fixed.state, TRIED))
    rows = fixed.fits & state.posed[fixed.tracks.view]
    try:
        freed = ways.zoomed(state, fixed.tracks, rows, loss, 6, ways.STEER)
    except (RuntimeError, np.linalg.LinAlgError):
        return np.log(fixed.state.focal), 1.0
    before = state.errors(fixed.tracks)[rows]
    after = bundle.triangulated(freed, fixed.tracks, mapping.FINE).errors(fixed.tracks)[rows]
    some = np.flatnonzero(state.posed)
    curve = np.interp(np.arange(len(state.posed)), some, np.log(freed.focal[some]))
    return curve, float(np.minimum(after, 4).mean() / max(np.minimum(before, 4).mean(), 1e-9))


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
