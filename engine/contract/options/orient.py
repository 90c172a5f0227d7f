"""Options of the stage 'orient'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Orient:
    """Upright and to scale."""

    up: str = option(
        "auto", "Upright", "Where up comes from",
        choices=(
            ("auto", "Automatic", "From the camera's level, straight edges and planes, weighed together"),
            ("none", "Leave as solved", "The first camera looks along the world's Y axis"),
        ),
    )
    height: float = option(1.6, "Camera height", "Assumed height of the camera above the floor, which sets the scale", low=0.01, high=10000.0, unit="m")
