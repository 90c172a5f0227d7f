"""Options of the stage 'retime'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Retime:
    """Camera, depth and mattes at the times of the frames in between."""

    depth: bool = option(True, "Depth", "Also write depth at the new times")
    mattes: bool = option(True, "Mattes", "Also write mattes at the new times")
