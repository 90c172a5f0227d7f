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
            ("scene_flow", "Scene flow", "Learns where what moves is from how it must have moved, in minutes; the still scene as along flow"),
        ),
    )
    strength: float = option(1.0, "Strength", "Weight of the neighbours against the frame itself", low=0.0, high=10.0)
    reach: int = option(2, "Reach", "How many frames each way are averaged", low=0, high=16, unit="frames")
    effort: float = option(1.0, "Effort", "Scene flow: how long it is learned, against the usual", low=0.05, high=20.0)
    size: int = option(384, "Learning size", "Scene flow: longest side at which it is learned", low=64, high=2048, unit="px", advanced=True)
    gaps: str = option("1,2,4,6,8", "Gaps", "Scene flow: distances in frames that are compared, separated by commas", advanced=True)
    flow_weight: float = option(1.0, "Flow", "Scene flow: weight of being seen where the optical flow says", low=0.0, high=100.0, advanced=True)
    disparity_weight: float = option(1.0, "Disparity", "Scene flow: weight of the depth that the other frame has", low=0.0, high=100.0, advanced=True)
    acceleration_weight: float = option(1.0, "Acceleration", "Scene flow: weight of moving steadily", low=0.0, high=100.0, advanced=True)
    expansion_weight: float = option(
        1.0, "Expansion", "Scene flow: weight of growing in the picture when coming nearer", low=0.0, high=100.0, advanced=True,
    )
    start_weight: float = option(0.1, "Start", "Scene flow: weight of the depth that it starts from", low=0.0, high=100.0, advanced=True)
    film: bool = option(False, "Film", "Also write the depth as a coloured film, depth.mp4")
    npz: bool = option(False, "Arrays", "Also write picture, depth, camera and flow of each frame as NumPy arrays", advanced=True)
