"""Options of the stage 'flow'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Flow:
    """Dense optical flow between frames."""

    size: int = option(
        640, "Working size", "Longest side at which flow, movers and depth are computed", low=64, high=4096, unit="px",
    )
    preset: str = option(
        "medium", "Quality", "How long the flow may take",
        choices=(
            ("fast", "Fast", "About a fifth of the time, less exact at thin things"),
            ("medium", "Medium", "The best value for time"),
            ("fine", "Fine", "Three times slower, with two thirds of the error"),
        ),
    )
    gaps: str = option(
        "1,2,4,8", "Gaps", "Distances in frames between which flow is computed, separated by commas", advanced=True,
    )
