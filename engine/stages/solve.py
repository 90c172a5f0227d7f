"""Stage solve: the camera that shot the clip: solved by tracks, read from a file, or learned; imports the camera room, no bpy; torch only to learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..camera import given, spans
from ..camera.footage import Footage
from ..camera.outcome import Outcome
from ..contract.options import Solve
from ..contract.options.solve import WIDTHS
from ..failures import RequestFailure
from ..media import tags
from ..media.frames import Frames, working_size
from ..stage import Inputs, Report


def run(inputs: Inputs, options: Solve, report: Report, room: Path) -> None:
    """The outcome of one of three ways; a frame without a pose is marked, never left out."""
    frames = Frames(inputs["frames"])
    footage = Footage(frames, inputs["movers"], working_size(frames.size, options.size))
    if options.camera_file:
        focal, _ = _focal(replace(options, lens="auto"), frames, frames.size)
        outcome = given.outcome(footage, Path(options.camera_file), focal, options.tracks, report)
    elif options.method == "self_supervised":
        from ..camera import learning  # torch only here

        outcome = learning.outcome(footage, options, inputs.device, report, room)
        report.warning("The camera was learned, not solved: depth and path are rough. Check them before you build on them.")
    else:
        outcome = spans.solve(footage, options, *_focal(options, frames, footage.size), report, room / "work")
    outcome.write(room)
    _say(report, outcome)


def _focal(options: Solve, frames: Frames, size: tuple[int, int]) -> tuple[float, str]:
    """The focal length in px at `size`, 0 where nobody tells it, and who tells it: you, file or nobody."""
    if options.focal:
        return options.focal * size[0] / frames.clip_width, "you"
    if options.focal_mm:
        return options.focal_mm / WIDTHS.get(options.sensor, options.sensor_width) * size[0], "you"
    told = frames.about.get("focal_35mm")
    if told:
        return tags.pixels(told, size), "file"
    if options.lens == "known":
        raise RequestFailure(
            "wrong-option", "The lens is said to be known, but no focal length is given, and the file tells none.", "solve.focal and solve.focal_mm are 0.",
            "Give the focal length in pixels of the clip's width or in millimetres, or choose another lens.", {"solve": {"lens": "auto"}},
        )
    return 0.0, "nobody"


def _say(report: Report, outcome: Outcome) -> None:
    about = outcome.report
    report.used = about["method"]
    report.figures.update(
        solved=about["solved"], total=about["total"], error_px=about["error"]["mean"], points=about["points"],
        focal_px=about["focal"]["px"], focal_mm36=about["focal"]["mm36"], distrust=len(about["distrust"]), verdict=about["verdict"],
        scale=about["scale"],
    )
    for text in about["warnings"]:
        report.warning(text[0].upper() + text[1:] + ".")
