"""Options of the stage 'consistent_depth'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class ConsistentDepth:
    """Depth that agrees with itself over time."""

    method: str = option(
        "temporal", "Method", "How frames are brought to agree",
        choices=(
            ("temporal", "Along flow", "Robust averaging along optical flow, in seconds"),
        ),
    )
    strength: float = option(1.0, "Strength", "Weight of the neighbours against the frame itself", low=0.0, high=10.0)
    reach: int = option(2, "Reach", "How many frames each way are averaged", low=0, high=16, unit="frames")
