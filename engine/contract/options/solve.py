"""Options of the stage 'solve'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option

WIDTHS = {"full": 36.0, "super35": 24.9, "aps_c": 23.5, "aps_c_canon": 22.3, "four_thirds": 17.3, "one_inch": 13.2, "super16": 12.5}  # mm


@dataclass(frozen=True)
class Solve:
    """The camera that shot the clip."""

    method: str = option(
        "tracks", "Method", "How the camera is found",
        choices=(
            ("tracks", "Tracks", "Points are followed and solved exactly"),
            (
                "self_supervised", "Learned",
                "Two networks learn camera, depth and motion from this clip alone: rough, and minutes long, where tracks find no camera",
            ),
        ),
    )
    effort: float = option(
        1.0, "Effort", "Learned: how long, against the usual", low=0.02, high=50.0, only=("method", "self_supervised"),
    )
    learning: int = option(
        192, "Learning size", "Learned: longest side of the pictures", low=64, high=1024, unit="px", advanced=True, only=("method", "self_supervised"),
    )
    start: str = option(
        "", "Start from", "Learned: last.npz of networks trained on more footage by 'train depth_motion'", kind="file", advanced=True,
        only=("method", "self_supervised"),
    )
    lens: str = option(
        "auto", "Lens", "What is known of the lens",
        choices=(
            ("auto", "Automatic", "Look at the shot, then choose"),
            ("fixed", "Fixed", "One focal length for the whole shot, found by the solve"),
            ("zoom", "Zoom", "A focal length for every frame"),
            ("known", "Known", "The focal length given below is kept, or the one that the file tells"),
        ),
    )
    focal: float = option(0.0, "Focal length", "Known focal length in pixels of the clip's width; 0 is unknown", low=0.0, high=1e6, unit="px")
    focal_mm: float = option(0.0, "Or in mm", "Known focal length in millimetres on the sensor below; 0 is unknown", low=0.0, high=5000.0, unit="mm")
    sensor: str = option(
        "full", "Sensor", "What the millimetres belong to",
        choices=(
            ("full", "Full frame, 36 mm", "Also for lengths that are said as 35 mm equivalents"),
            ("super35", "Super 35, 24.9 mm", "Digital cinema cameras"),
            ("aps_c", "APS-C, 23.5 mm", "Most small system cameras"),
            ("aps_c_canon", "APS-C of Canon, 22.3 mm", "Somewhat smaller"),
            ("four_thirds", "Four Thirds, 17.3 mm", "Micro Four Thirds"),
            ("one_inch", "1 inch, 13.2 mm", "Large compact cameras and drones"),
            ("super16", "Super 16, 12.5 mm", "Film and pocket cinema cameras"),
            ("own", "Own width", "Given below"),
        ),
        advanced=True,
    )
    sensor_width: float = option(36.0, "Sensor width", "Width of the sensor that the picture fills", low=0.5, high=200.0, unit="mm", advanced=True)
    motion: str = option(
        "auto", "Motion", "How the camera moves",
        choices=(
            ("auto", "Automatic", "Look at the shot, then choose"),
            ("free", "Free", "The camera travels"),
            ("tripod", "Tripod", "The camera only turns"),
        ),
    )
    shutter: str = option(
        "auto", "Shutter", "Whether the rows of a picture are exposed at once or one after another",
        choices=(
            ("auto", "Automatic", "A rolling shutter is taken out where the shot surely shows one"),
            ("global", "Global", "All rows at once: film, made pictures, a few sensors"),
            ("rolling", "Rolling", "One row after another: most sensors, phones above all"),
        ),
    )
    readout: float = option(
        0.0, "Readout", "Part of the time from frame to frame over which a picture is read, negative from the bottom up; 0 finds it",
        low=-1.5, high=1.5, only=("shutter", "rolling"),
    )
    camera_file: str = option(
        "", "Camera file", "A camera from elsewhere in place of a solve: images.txt of a COLMAP text model, or a Nuke .chan (Y up, order ZXY)", kind="file",
    )
    size: int = option(1280, "Working size", "Longest side at which features are tracked", low=160, high=8192, unit="px")
    tracks: int = option(800, "Tracks", "How many features are followed at a time", low=50, high=20000)
    smooth: float = option(
        0.0, "Smooth path", "Movement of this many frames is halved, quicker is taken out, slower stays; 0 leaves the path as the tracks have it",
        low=0.0, high=200.0, unit="frames", advanced=True,
    )
    interpolate: bool = option(
        False, "Fill lost frames",
        "Frames that could not be solved get a pose between those of their solved neighbours, marked as interpolated; none before the first or after the last",
    )
    passes: int = option(2, "Passes", "Solve, find what moves, solve again without it", low=1, high=4, advanced=True)
    loss: float = option(0.3, "Robust loss", "Scale of the Cauchy loss of the bundle adjustment", low=0.01, high=10.0, unit="px", advanced=True)
