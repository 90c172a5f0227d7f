"""Camera room: whether a lens zooms: what a focal length for each view explains, against what so many may explain by chance; numpy.

Schwarz's criterion on one choice of observations, which both lenses fit from their own best start. A zoom is held smooth, so it has
fewer free focal lengths than views: as many as the tracks tell apart. Errors of one track hang together: it counts as so many
observations as its errors' likeness from view to view leaves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from . import normal, unknowns
from .adjust import adjust
from .bundle import State
from .equations import System, repeats
from .focal import FOOTAGE
from .lenses import unlikely
from .tracks import Tracks
from .unknowns import Bundle

Array = NDArray[np.float64]
PER_VIEW, ROUNDS = 120, 15  # observations of a view that decide, and rounds of each adjustment
ENDS = 0.05, 0.95  # parts of the views between which focal lengths are compared: those at the ends are told by their tracks' last words
AGREES = 4.0  # px by which an observation may miss its point under both lenses


def wide(state: State) -> bool:
    """Whether the focal lengths of the posed views differ by more than any of them is known to."""
    return bool(np.ptp(np.quantile(np.log(state.focal[state.posed]), ENDS)) > FOOTAGE)


def worth(fixed: State, zoomed: State, tracks: Tracks, loss: float) -> bool:
    """Whether the tracks ask for the `zoomed` lens rather than for the `fixed` one; `loss` in px, no more than some hundred views."""
    posed = fixed.posed & zoomed.posed
    few, best = tracks, []
    use = (fixed.errors(tracks) < AGREES) & (zoomed.errors(tracks) < AGREES)
    for state, more in ((zoomed, {"zooming": True}), (fixed, {"free": fixed.bends})):
        start, few = unknowns.of_state(replace(state, posed=posed), tracks, tracks.shared(use & posed[tracks.view]), PER_VIEW, **more)
        best.append(adjust(start, few, loss, ROUNDS))
    error = [np.linalg.norm(bundle.residuals(few), axis=1) for bundle in best]
    likeness = min(alike(best[0], few, loss), repeats(few))
    count = len(few.track) / likeness
    gain = count * (unlikely(error[1], loss) - unlikely(error[0], loss))
    return gain > 0.5 * _told_apart(best[0], few, loss, likeness) * np.log(count)


def alike(bundle: Bundle, tracks: Tracks, loss: float) -> float:
    """Observations that tell as much as one would by itself: errors of a track that are alike from view to view tell the same again."""
    order = np.lexsort((tracks.view, tracks.track))
    error = bundle.residuals(tracks)
    error = (error / np.sqrt(1 + (error**2).sum(1, keepdims=True) / loss**2))[order]
    on = (np.diff(tracks.track[order]) == 0) & (np.diff(tracks.view[order]) == 1)
    before, after = error[:-1][on], error[1:][on]
    like = float((before * after).sum() / max(np.sqrt((before**2).sum() * (after**2).sum()), 1e-12))
    return (1 + like) / max(1 - like, 1e-3) if like > 0 else 1.0


def _told_apart(bundle: Bundle, tracks: Tracks, loss: float, alike: float) -> float:
    """Focal lengths that the tracks tell beyond one for all: the trace of what they say against what they and smoothness say together.

    `alike` observations tell as much as one.
    """
    system = System(bundle, tracks, loss)
    held, at = normal.dense(system.held), system.focals
    both = np.linalg.inv((normal.dense(system.reduced(0.0)) - held) / alike + held)
    return max(len(at) - float((both * held)[np.ix_(at, at)].sum()) - 1, 1.0)
