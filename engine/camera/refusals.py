"""Camera room: when a span has no answer, and why; no torch, no pycolmap."""

from __future__ import annotations

from ..contract.options import Solve
from ..failures import Failure, ShotFailure
from .diagnosis import Diagnosis


def refuse(found: Diagnosis, views: int, options: Solve) -> Failure | None:
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
