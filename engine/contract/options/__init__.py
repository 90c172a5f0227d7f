"""The contract's options, one frozen dataclass per stage, one stage per file; standard library only."""

from .cloud import Cloud
from .consistent_depth import ConsistentDepth
from .depth import Depth
from .export import Export
from .flow import Flow
from .frames import Frames
from .interpolate import Interpolate
from .mattes import Mattes
from .movers import Movers
from .orient import Orient
from .prior import Prior
from .retime import Retime
from .scene_movers import SceneMovers
from .solve import Solve

__all__ = [
    "Cloud", "ConsistentDepth", "Depth", "Export", "Flow", "Frames", "Interpolate",
    "Mattes", "Movers", "Orient", "Prior", "Retime", "SceneMovers", "Solve",
]
