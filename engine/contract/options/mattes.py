"""Options of the stage 'mattes'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Mattes:
    """Soft mattes and editable contours."""

    subjects: int = option(4, "Subjects", "At most so many subjects, largest first", low=1, high=64)
    edge: int = option(8, "Edge", "Half width of the band in which the edge is soft, at working size; 0 keeps it hard", low=0, high=128, unit="px")
    least: float = option(0.002, "Smallest", "Subjects smaller than this part of the picture are dropped", low=0.0, high=1.0)
    points: int = option(128, "Contour points", "At most so many points for each animated contour; it takes as few as describe the edge", low=8, high=512)
