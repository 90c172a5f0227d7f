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
    deinterlace: bool = option(
        False, "Deinterlace", "Make whole frames of interlaced ones, as their first field shows it; for footage that looks combed where it moves",
        advanced=True,
    )
    cuts: bool = option(True, "Find cuts", "Find hard cuts, so that nothing is tracked or interpolated across them")
    duplicates: bool = option(
        True, "Find duplicates", "Find repeated frames, so that they count as time and not as motion", advanced=True,
    )
