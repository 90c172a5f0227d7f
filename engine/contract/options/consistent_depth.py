"""Options of the stage 'consistent_depth'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option

LEARNED = ("method", ("scene_flow", "published"))


@dataclass(frozen=True)
class ConsistentDepth:
    """Depth that agrees with itself over time."""

    method: str = option(
        "growth", "Method", "How frames are brought to agree",
        choices=(
            ("growth", "Along flow, movers by growth", "Robust averaging; how a moving thing grows in the picture tells how near it comes; in seconds"),
            ("temporal", "Along flow", "Robust averaging along optical flow, in seconds"),
            ("scene_flow", "Scene flow", "Learns where moving things are from how they must have moved, in minutes"),
            ("published", "Scene flow, as published", "Fine-tunes a depth network on whole frames, in hours; wants a GPU"),
        ),
    )
    strength: float = option(1.0, "Strength", "Weight of the neighbours against the frame itself", low=0.0, high=10.0)
    reach: int = option(3, "Reach", "How many frames each way are averaged", low=0, high=16, unit="frames")
    effort: float = option(1.0, "Effort", "Scene flow: how long it is learned, against the usual", low=0.05, high=20.0, only=LEARNED)
    size: int = option(384, "Learning size", "Scene flow: longest side at which it is learned", low=64, high=2048, unit="px", advanced=True, only=LEARNED)
    gaps: str = option("1,2,4,8", "Gaps", "Scene flow: distances in frames that are compared, separated by commas", advanced=True, only=LEARNED)
    weights: str = option(
        "", "Weights", "Scene flow: other weights of its losses, like flow=1, disparity=1, acceleration=1, expansion=1, vote=1", advanced=True,
        only=LEARNED,
    )
    film: bool = option(False, "Film", "Also write the depth as a coloured film, depth.mp4")
    page: bool = option(
        False, "Report page", "Also write report/report.html: pictures side by side, a column over time, the camera's path and the world to turn",
    )
    npz: bool = option(False, "Arrays", "Also write picture, depth, camera and flow of each frame as NumPy arrays", advanced=True)
