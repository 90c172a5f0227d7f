"""Options of the stage 'movers'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Movers:
    """What moves by itself and must not steer the camera."""

    masks: str = option("", "Own masks", "Folder of images, white on what moves, in place of the search", kind="folder")
    sensitivity: float = option(1.0, "Sensitivity", "Higher finds slower movers, and more that is none", low=0.1, high=10.0)
    grow: int = option(4, "Grow", "Widen each mask by this much at working size", low=0, high=64, unit="px")
