"""Camera room: a shot solved by the tracks of its points, every span between cuts by itself; no torch, no pycolmap."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.options import Solve
from ..failures import ChildFailure, ShotFailure
from ..geometry import pose
from ..geometry.camera import Camera
from ..geometry.evenly import nearest
from ..geometry.similarity import Similarity
from ..media.frames import Frames
from ..stage import Report
from . import loops, span, standing, telling
from .answer import Question, Solved
from .footage import Footage
from .outcome import Outcome

Part = list[int]  # the frames of a span


def solve(footage: Footage, options: Solve, focal: float, teller: str, report: Report, work: Path) -> Outcome:
    """The shot's camera and points; a frame without a pose is marked, never left out.

    `focal` in px at the footage's size, 0 where nobody tells it; `teller`: you, file or nobody. Raises ShotFailure where no span can be solved.
    """
    frames = footage.frames
    solved: list[tuple[Part, Solved]] = []
    refused: list[tuple[Part, ShotFailure | ChildFailure]] = []
    done = found_again = standing_still = 0
    for part in frames.spans():
        meter = _Meter(report, done, len(part), len(frames), options.passes)
        tracks = footage.followed(part, options.tracks, meter.followed)

        def picture(view: int, part: Part = part) -> NDArray[np.uint8]:
            return footage.gray(part[view])

        tracks, joined = loops.closed(tracks, len(part), picture)
        tracks, fixed = standing.without(tracks)
        found_again, standing_still = found_again + joined, standing_still + fixed
        try:
            question = Question(tracks, len(part), footage.size, options, focal, work, meter.solving, teller == "file", picture)
            solved.append((part, span.solve(question)))
        except (ShotFailure, ChildFailure) as failure:
            refused.append((part, failure))
        done += len(part)
    if not solved:
        raise _other_way(max(refused, key=lambda entry: len(entry[0]))[1])
    for part, failure in refused:
        report.warning(f"Frames {part[0]} to {part[-1]} stay without a camera. {failure.what} {failure.why}")
    shutil.rmtree(work, ignore_errors=True)
    if found_again:
        report.figures["found_again"] = found_again
    if standing_still:
        report.figures["standing_still"] = standing_still
    return _together(footage, solved, refused, teller, options.interpolate)


class _Meter:
    """Progress of one span: half for following points, half for the steps of the solve."""

    def __init__(self, report: Report, done: int, views: int, total: int, passes: int) -> None:
        self._report, self._start, self._views, self._total = report, 2 * done, views, 2 * total
        self._step, self._steps = 0, 3 * passes + 1

    def followed(self, view: int) -> None:
        self._report.progress(self._start + view, self._total, "following points")

    def solving(self) -> None:
        self._step = min(self._step + 1, self._steps)
        self._report.progress(self._start + self._views + self._views * self._step // self._steps, self._total, "solving")


def _together(
    footage: Footage, solved: list[tuple[Part, Solved]], refused: list[tuple[Part, ShotFailure | ChildFailure]], teller: str, interpolate: bool
) -> Outcome:
    """All spans in one table, at the size of the frames; lost frames between solved ones filled where that is asked for."""
    frames = footage.frames
    camera = telling.unplaced(frames.numbers, frames.size)
    tables: list[telling.Table] = []
    first = 0
    for part, answer in solved:
        rows = np.searchsorted(frames.numbers, part)
        table, first = _place(camera, rows, answer, frames.size, first)
        tables.append(table)
        camera = camera.filled(rows) if interpolate else camera
    lead = max(solved, key=lambda entry: len(entry[0]))[1]
    about = {
        "method": lead.method, "motion": lead.motion, "lens": lead.lens, "working_size": list(footage.size), "focal_told_by": teller,
        "diagnosis": {key: round(float(value), 5) for key, value in asdict(lead.diagnosis).items()},
        "keyframes": sorted(int(part[key]) for part, answer in solved for key in answer.keys),
        "spans": [{"first": part[0], "last": part[-1], "solved": True, **_taken_out(answer)} for part, answer in solved]
        + [{"first": part[0], "last": part[-1], "solved": False, "code": failure.code, "why": failure.why} for part, failure in refused],
    }
    astray = [frame for part, answer in solved for frame, lost in zip(part, answer.astray.tolist()) if lost]
    if astray:
        about["astray"] = astray
    if lead.sigma is not None:
        about["focal_sigma"] = {"sigma_percent": round(100 * lead.sigma, 3)}
    if lead.path is not None:
        about["path_sigma_percent"] = round(100 * lead.path, 3)
    if lead.drift is not None:
        about["scale_drift_percent"] = round(100 * lead.drift, 3)
    if lead.readout is not None:
        about["readout"] = _readout(lead, frames)
    about["warnings"] = [answer.doubt for _, answer in solved if answer.doubt]
    if len(solved) > 1:
        about["warnings"].append("the spans between cuts each have a world of their own")
    return telling.told(frames, camera, tables, about)


def _place(camera: Camera, rows: NDArray[np.int64], answer: Solved, size: tuple[int, int], first: int) -> tuple[telling.Table, int]:
    """Write a span into the camera's rows, in its own world; returns its points and observations, numbered from `first`."""
    state, tracks = answer.state, answer.tracks.where(answer.fits)
    factor = np.asarray(size, float) / np.asarray(state.size, float)
    world = pose.invert(state.pose)
    start = int(np.flatnonzero(state.posed)[0])
    known, again = np.unique(tracks.track, return_inverse=True)
    xyz = state.points[known]
    local = (xyz - world[start, :3, 3]) @ world[start, :3, :3]
    scale = telling.NEAR / max(float(np.median(np.linalg.norm(local, axis=1))), 1e-9)
    turn = telling.UPRIGHT @ world[start, :3, :3].T
    home = Similarity(scale, turn, -scale * turn @ world[start, :3, 3])
    # A view without a pose holds that of its neighbour, so that no reader stumbles; `solved` says that it is none.
    filled = nearest(state.posed)
    camera.world_from_camera[rows] = home.poses(world[filled])
    camera.solved[rows] = state.posed
    camera.focal[rows] = state.focal[filled, None] * factor
    camera.distortion[rows] = state.distortion
    shift = np.zeros_like(tracks.xy) if answer.shift is None else answer.shift[answer.fits]
    return (home.points(xyz), again + first, rows[tracks.view], (tracks.xy + shift) * factor, shift * factor), first + len(known)


def _readout(answer: Solved, frames: Frames) -> dict[str, Any]:
    """What is said of the shutter: the readout in frames' times and in ms, whether it was taken out, and the part of the error left by that."""
    found = answer.readout
    assert found is not None
    told = {"share": round(found.share, 4), "sigma": round(found.sigma, 4), "read": found.axis, "taken_out": answer.shift is not None}
    if frames.about["kind"] == "video" and len(frames) > 1:  # pictures do not tell how far apart they were taken
        told["ms"] = round(1000 * found.share * float(np.median(np.diff(frames.times))), 2)
    return told if answer.shift is None else {**told, "error_left": round(answer.gain, 3)}


def _taken_out(answer: Solved) -> dict[str, Any]:
    """The readout that a span's camera is freed of, for those who straighten its plates; nothing where rows are exposed at once."""
    found = answer.readout
    return {} if answer.shift is None or found is None else {"readout": round(found.share, 4), "read": found.axis}


def _other_way(failure: ShotFailure | ChildFailure) -> ShotFailure | ChildFailure:
    """The failure, with learning as its button where nothing else is likely to help."""
    if failure.code in ("no-tracks", "no-solve", "child-died"):
        failure.remedy += " Or let two networks learn camera and depth from the clip alone: rough, but they need no tracks."
        failure.change = {"solve": {"method": "self_supervised"}}
    return failure
