"""Options of the stage 'scene_movers'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class SceneMovers:
    """What moves by itself, told again once the camera is known."""

    sensitivity: float = option(1.0, "Sensitivity", "Higher finds slower movers, and more that is none", low=0.1, high=10.0)
