"""Stage export: the camera for other programs; imports the camera room, media and geometry, no bpy, no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..camera import formats, outcome, straight
from ..camera.straight import Rolling
from ..contract.artifacts import FRAME
from ..contract.options import Export
from ..geometry.camera import Camera
from ..media.frames import Frames, write_png
from ..stage import Inputs, Report
from ..store import link


def run(inputs: Inputs, options: Export, report: Report, room: Path) -> None:
    """COLMAP's text, transforms.json and camera.chan of the upright camera, and what was asked for against distortion and rolling shutter."""
    frames, shot = Frames(inputs["frames"]), outcome.read(inputs["orient"])
    camera, read = shot.camera, straight.rolling(shot)
    made = ["COLMAP"]
    for source in sorted((inputs["orient"] / "colmap").iterdir()):
        link(source, room / "colmap" / source.name)
    if options.nerfstudio:
        for row in np.flatnonzero(camera.solved):
            link(frames.path(int(camera.frame[row])), room / "images" / f"{FRAME % int(camera.frame[row])}.png")
        link(inputs["orient"] / "points.ply", room / "points.ply")
        formats.write_transforms(room / "transforms.json", camera, "images", "points.ply")
        made.append("nerfstudio")
    if options.chan:
        formats.write_chan(room / "camera.chan", camera)
        made.append("Nuke .chan")
        if camera.distortion.any() and options.plates == "none":
            report.warning("A .chan file knows no distortion: ask for straight plates or ST maps beside it.")
    if any(read) and options.plates == "none":
        report.warning("The camera is that of each picture's middle row: ask for straight plates or ST maps, which take out the rolling shutter's shear.")
    if options.plates in ("maps", "both"):
        _maps(camera, read, frames, room / "maps")
        made.append("ST maps")
    if options.plates in ("frames", "both"):
        _plates(camera, read, frames, room, report)
        made.append("straight plates")
    report.used = ", ".join(made)
    report.figures.update(frames=int(camera.posed.sum()))
    report.progress(1, 1)


def _changes(camera: Camera, read: list[Rolling | None]) -> bool:
    """Whether each frame needs a map of its own."""
    lenses = np.concatenate([camera.focal, camera.centre, camera.distortion], 1)[camera.solved]
    return any(read) or bool(np.ptp(lenses, axis=0).max() > 0)


def _maps(camera: Camera, read: list[Rolling | None], frames: Frames, folder: Path) -> None:
    """One pair of maps for the shot, or for each frame where the lens changes or a rolling shutter shears each in its own way."""
    rows, each = np.flatnonzero(camera.posed), _changes(camera, read)
    for row in rows if each else rows[:1]:
        ending = f"/{FRAME % int(camera.frame[row])}.exr" if each else ".exr"
        straight.write_map(folder / f"straighten{ending}", straight.straighten(camera, int(row), frames.size, read[row]))
        straight.write_map(folder / f"bend{ending}", straight.bend(camera, int(row), frames.size, read[row]))


def _plates(camera: Camera, read: list[Rolling | None], frames: Frames, room: Path, report: Report) -> None:
    """Every frame straightened, those that lie there from an earlier run left alone; and transforms.json for them."""
    rows, field, each = np.flatnonzero(camera.posed), None, _changes(camera, read)
    for done, row in enumerate(rows):
        number = int(camera.frame[row])
        path = room / "straight" / f"{FRAME % number}.png"
        if not path.is_file():
            if field is None or each:
                field = straight.straighten(camera, int(row), frames.size, read[row])
            write_png(path, straight.fetch(frames.rgb(number), field))
        report.progress(done, len(rows), "straightening plates")
    formats.write_transforms(room / "straight" / "transforms.json", replace(camera, distortion=np.zeros_like(camera.distortion)), ".")
