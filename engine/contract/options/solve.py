"""Options of the stage 'solve'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Solve:
    """The camera that shot the clip."""

    lens: str = option(
        "auto", "Lens", "What is known of the lens",
        choices=(
            ("auto", "Automatic", "Look at the shot, then choose"),
            ("fixed", "Fixed", "One focal length for the whole shot, found by the solve"),
            ("zoom", "Zoom", "A focal length for every frame"),
            ("known", "Known", "The focal length given below is kept"),
        ),
    )
    focal: float = option(0.0, "Focal length", "Known focal length in pixels of the clip's width; 0 is unknown", low=0.0, high=1e6, unit="px")
    motion: str = option(
        "auto", "Motion", "How the camera moves",
        choices=(
            ("auto", "Automatic", "Look at the shot, then choose"),
            ("free", "Free", "The camera travels"),
            ("tripod", "Tripod", "The camera only turns"),
        ),
    )
    camera_file: str = option(
        "", "Camera file", "A camera from elsewhere in place of a solve: images.txt of a COLMAP text model, or a Nuke .chan (Y up, order ZXY)", kind="file",
    )
    size: int = option(1280, "Working size", "Longest side at which features are tracked", low=160, high=8192, unit="px")
    tracks: int = option(800, "Tracks", "How many features are followed at a time", low=50, high=20000)
    passes: int = option(2, "Passes", "Solve, find what moves, solve again without it", low=1, high=4, advanced=True)
    loss: float = option(0.3, "Robust loss", "Scale of the Cauchy loss of the bundle adjustment", low=0.01, high=10.0, unit="px", advanced=True)
