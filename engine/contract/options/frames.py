"""Options of the stage 'frames'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Frames:
    """How the clip is read."""

    size: int = option(
        0, "Size", "Longest side of the frames that every stage reads; 0 keeps the clip's own size",
        low=0, high=16384, unit="px",
    )
    cuts: bool = option(True, "Find cuts", "Find hard cuts, so that nothing is tracked or interpolated across them")
    duplicates: bool = option(
        True, "Find duplicates", "Find repeated frames, so that they count as time and not as motion", advanced=True,
    )
