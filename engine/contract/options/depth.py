"""Options of the stage 'depth'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Depth:
    """Depth of every frame under the solved camera."""

    noise: float = option(0.5, "Flow noise", "Pixels of flow error beyond which a neighbour is trusted less", low=0.05, high=10.0, unit="px", advanced=True)
    fill: float = option(1.0, "Fill", "How strongly unsure pixels follow sure ones of the same colour", low=0.0, high=10.0)
    trust: float = option(
        1.0, "Network trust", "How much the network's depth counts against parallax; 0 leaves it out", low=0.0, high=100.0,
    )
