"""Options of the stage 'cloud'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Cloud:
    """Coloured points."""

    step: int = option(2, "Step", "One point for every so many pixels of depth", low=1, high=64, unit="px")
    neighbours: int = option(30, "Neighbours", "Points that are looked at to find outliers", low=2, high=500, advanced=True)
    deviation: float = option(0.75, "Deviation", "Standard deviations beyond which a point is an outlier", low=0.05, high=10.0)
    confidence: float = option(0.3, "Confidence", "Depth less sure than this stays out", low=0.0, high=1.0)
    frames: int = option(24, "Frames", "How many frames, evenly spread, are fused; all get a cloud of their own on request", low=1, high=10000)
    per_frame: bool = option(False, "Every frame", "Also write one cloud for each frame")
    film: bool = option(False, "Film", "Also write cloud.mp4: the points of every frame, what moves among them, seen by a camera that swings to and fro")
