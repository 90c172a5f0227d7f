"""Camera room: a span solved again without its rolling shutter, where it surely has one; no torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..contract.options import Solve
from ..failures import ChildFailure, ShotFailure
from . import bundle, judgement, lenses, mapping, shutter, ways
from .answer import Question, Solved
from .answer import left as misses
from .bundle import State
from .shutter import Readout
from .tracks import Tracks

STRAIGHTER = 3  # solves with the readout taken out, at most
SETTLED = 0.02  # change of the readout that calls for no further one


def straightened(question: Question, rolling: Solved) -> Solved:
    """The answer solved again from tracks freed of the rolling shutter, where there surely is one or the artist says so."""
    options, raw = question.options, rolling.tracks
    given = options.shutter == "rolling" and options.readout != 0
    if given:
        readout = Readout(options.readout, 0.0, _axes(question)[0])
    else:
        looks = [_told(rolling, raw, Readout(0.0, 0.0, axis), options) for axis in _axes(question)]
        readout, left, right = max(looks, key=lambda look: look[0].surely)
        if options.shutter == "auto" and not (judgement.rolls(readout.share, readout.sigma) and _foreseen(rolling, left, right, readout, options.loss)):
            return _left_in(rolling, readout, left, right)
    before, answer, sure = rolling.miss, rolling, options.shutter == "rolling"
    for _ in range(STRAIGHTER):
        tracks = shutter.straightened(answer.state, raw, readout)
        try:
            answer = _solved_again(replace(question, tracks=tracks), answer)
        except (ShotFailure, ChildFailure):
            doubt = "the rolling shutter is left in: without it no camera was found" if sure else rolling.doubt
            return replace(rolling, readout=readout, doubt=doubt)
        gain = answer.miss / max(before, 1e-9)
        fits = sure or (gain < 1 and _explains((rolling.state, raw), (answer.state, answer.tracks), options.loss))
        found = readout if given or not fits else _told(answer, raw, readout, options)[0]
        if not fits or not (sure or judgement.rolls(found.share, found.sigma)):
            return _left_in(rolling, found, left, right)
        settled, readout = abs(found.share - readout.share) < max(SETTLED, 0.5 * found.sigma), found
        if settled:
            break
    method = f"{rolling.method}; rolling shutter taken out"
    return replace(answer, method=method, readout=readout, shift=raw.xy - tracks.xy, gain=gain, doubt=rolling.doubt)


def _left_in(rolling: Solved, readout: Readout, left: State, right: State) -> Solved:
    """The answer with the readout left in it: its focal length is as unsure as taking that out would change it."""
    change = float(np.log(right.focal[right.posed] / left.focal[right.posed]).mean())
    return replace(rolling, readout=readout, sigma=rolling.sigma and float(np.hypot(rolling.sigma, change)))


def _solved_again(question: Question, before: Solved) -> Solved:
    """The answer solved again from tracks that have shifted a little: what kind of shot it is, and where it leads, is known."""
    tracks = replace(question.tracks, moving=before.tracks.moving)
    if before.motion == "tripod":
        return ways.turned(question, tracks, before.diagnosis)
    return ways.travelled(question, tracks, before.diagnosis, before.lens == "zoom", before)


def _axes(question: Question) -> tuple[str, ...]:
    """What may be read one after another: the rows, or of an upright picture, which a phone held upright takes, the columns."""
    return ("columns", "rows") if question.size[1] > question.size[0] else ("rows",)


def _told(answer: Solved, raw: Tracks, start: Readout, options: Solve) -> tuple[Readout, State, State]:
    zoom, known, turning = answer.lens == "zoom", answer.lens == "known", answer.motion == "tripod"
    return shutter.told(answer.state, raw, options.loss, mapping.FINE, start, zoom=zoom, known=known, turning=turning)


def _foreseen(rolling: Solved, left: State, right: State, readout: Readout, loss: float) -> bool:
    """Whether taking the readout out is likely to explain the tracks better, by an adjustment of a part."""
    if rolling.motion == "tripod":
        return True
    raw = rolling.tracks.where(left.posed[rolling.tracks.view])
    both = ((left, raw), (right, shutter.straightened(right, raw, readout)))
    return _explains(*((bundle.triangulated(state, tracks, mapping.FINE), tracks) for state, tracks in both), loss)


def _explains(before: tuple[State, Tracks], after: tuple[State, Tracks], loss: float) -> bool:
    """Whether all still tracks are likelier by as much as one more unknown must be worth.

    What moves or slips can look like a readout too, but taking that out explains nothing.
    """
    count = np.unique(before[1].track[~before[1].moving]).size
    unlikely = [lenses.unlikely(misses(state, tracks), loss) for state, tracks in (before, after)]
    return lenses.worth(count * (unlikely[0] - unlikely[1]), 1, count)
