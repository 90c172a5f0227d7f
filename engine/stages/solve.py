"""Stage solve: the camera that shot the clip; imports the camera room and geometry, no bpy; pycolmap only in a child, torch only to learn."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import given, judgement, learned, loops
from ..camera import span as spans
from ..camera.following import follow
from ..camera.outcome import Outcome
from ..contract.artifacts import FRAME
from ..contract.options import Solve
from ..contract.options.solve import WIDTHS
from ..failures import ChildFailure, RequestFailure, ShotFailure
from ..geometry import pose, reprojection
from ..geometry.camera import Camera
from ..geometry.evenly import evenly
from ..geometry.similarity import Similarity
from ..media import tags
from ..media.frames import Frames, read_png, working_size
from ..stage import Inputs, Report

Array = NDArray[np.float64]
# The first camera looks along the world's +Y, the world's Z is the picture's up.
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
NEAR = 5.0  # units to the median point from the first camera


def run(inputs: Inputs, options: Solve, report: Report, room: Path) -> None:
    """Solve every span between cuts by itself; a frame without a pose is marked, never left out."""
    frames = Frames(inputs["frames"])
    size = working_size(frames.size, options.size)
    if options.camera_file:
        outcome = _given(frames, inputs["movers"], size, options, report)
        outcome.write(room)
        _say(report, outcome)
        return
    if options.method == "self_supervised":
        outcome = _learned(frames, inputs, size, options, report, room)
        outcome.write(room)
        _say(report, outcome)
        report.warning("The camera was learned, not solved: depth and path are rough. Check them before you build on them.")
        return
    focal, teller = _focal(options, frames, size)
    solved: list[tuple[list[int], spans.Solved]] = []
    refused: list[tuple[list[int], ShotFailure | ChildFailure]] = []
    done = found_again = 0
    for part in frames.spans():
        meter = _Meter(report, done, len(part), len(frames), options.passes)
        tracks = follow(_pictures(frames, part, size), _masks(inputs["movers"], part, size), options.tracks, meter.followed)
        tracks, joined = loops.closed(tracks, len(part), lambda view, part=part: frames.gray(part[view], size))
        found_again += joined
        try:
            solved.append((part, spans.solve(spans.Question(tracks, len(part), size, options, focal, room / "work", meter.solving, teller == "file"))))
        except (ShotFailure, ChildFailure) as failure:
            refused.append((part, failure))
        done += len(part)
    if not solved:
        raise _other_way(max(refused, key=lambda entry: len(entry[0]))[1])
    for part, failure in refused:
        report.warning(f"Frames {part[0]} to {part[-1]} stay without a camera. {failure.what} {failure.why}")
    outcome = _outcome(frames, size, solved, refused, teller, options.interpolate)
    outcome.write(room)
    shutil.rmtree(room / "work", ignore_errors=True)
    _say(report, outcome)
    if found_again:
        report.figures["found_again"] = found_again


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


def _pictures(frames: Frames, part: list[int], size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    for number in part:
        yield frames.gray(number, size)


def _masks(folder: Path, part: list[int], size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    for number in part:
        yield cv2.resize(read_png(folder / f"{FRAME % number}.png"), size, interpolation=cv2.INTER_NEAREST)


def _outcome(
    frames: Frames, size: tuple[int, int], solved: list[tuple[list[int], spans.Solved]], refused: list[tuple[list[int], ShotFailure | ChildFailure]],
    teller: str, interpolate: bool,
) -> Outcome:
    """All spans in one table, at the size of the frames; lost frames between solved ones filled where that is asked for."""
    numbers = np.array(frames.numbers)
    camera = _empty(numbers, frames.size)
    tables, first = [], 0
    for part, answer in solved:
        rows = np.searchsorted(numbers, part)
        table, first = _place(camera, rows, answer, frames.size, first)
        tables.append(table)
        camera = camera.filled(rows) if interpolate else camera
    lead = max(solved, key=lambda entry: len(entry[0]))[1]
    about = {
        "method": lead.method, "motion": lead.motion, "lens": lead.lens, "working_size": list(size), "focal_told_by": teller,
        "diagnosis": {key: round(float(value), 5) for key, value in asdict(lead.diagnosis).items()},
        "keyframes": sorted(int(part[key]) for part, answer in solved for key in answer.keys),
        "spans": [{"first": part[0], "last": part[-1], "solved": True, **_taken_out(answer)} for part, answer in solved]
        + [{"first": part[0], "last": part[-1], "solved": False, "code": failure.code, "why": failure.why} for part, failure in refused],
    }
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
    return _told(frames, camera, tables, about)


def _told(frames: Frames, camera: Camera, tables: list[tuple[Array, ...]], about: dict[str, Any]) -> Outcome:
    """The outcome of a camera and the points, their observations (point, row of the camera, px at the frames' size, px of those that a
    rolling shutter did) of each span."""
    xyz, track, row, xy, shift = (np.concatenate([table[k] for table in tables]) for k in range(5))
    residual = np.linalg.norm(xy - shift - camera.project(row, xyz[track])[0], axis=1)
    length = np.bincount(track, minlength=len(xyz))
    error = np.bincount(track, residual, len(xyz)) / np.maximum(length, 1)
    angle = reprojection.parallax(xyz, camera.place, track, row)
    frame = camera.frame[row]
    report = judgement.report(camera, frame, xy, residual, len(xyz), float(np.median(angle)) if len(angle) else 0.0, about)
    rgb = _colours(frames, frame, track, xy, len(xyz), set(about["keyframes"]))
    return Outcome(camera, xyz, rgb, error, length, track, frame, xy, report, shift if shift.any() else None)


def _readout(answer: spans.Solved, frames: Frames) -> dict[str, Any]:
    """What is said of the shutter: the readout in frames' times and in ms, whether it was taken out, and the part of the error left by that."""
    found = answer.readout
    assert found is not None
    told = {"share": round(found.share, 4), "sigma": round(found.sigma, 4), "read": found.axis, "taken_out": answer.shift is not None}
    if frames.about["kind"] == "video" and len(frames) > 1:  # pictures do not tell how far apart they were taken
        told["ms"] = round(1000 * found.share * float(np.median(np.diff(frames.times))), 2)
    return told if answer.shift is None else {**told, "error_left": round(answer.gain, 3)}


def _taken_out(answer: spans.Solved) -> dict[str, Any]:
    """The readout that a span's camera is freed of, for those who straighten its plates; nothing where rows are exposed at once."""
    found = answer.readout
    return {} if answer.shift is None or found is None else {"readout": round(found.share, 4), "read": found.axis}


def _given(frames: Frames, masks: Path, size: tuple[int, int], options: Solve, report: Report) -> Outcome:
    """The camera of a file, with points where the clip's tracks meet in it."""
    path = Path(options.camera_file)
    camera = given.read(path, frames.numbers, frames.size, _focal(replace(options, lens="auto"), frames, frames.size)[0])
    factor = np.asarray(frames.size, float) / np.asarray(size, float)
    tables: list[tuple[Array, ...]] = []
    agree, first, done = [], 0, 0
    for part in frames.spans():
        meter = _Meter(report, done, len(part), len(frames), 1)
        rows = np.searchsorted(frames.numbers, part)
        tracks = follow(_pictures(frames, part, size), _masks(masks, part, size), options.tracks, meter.followed).long(3)
        xyz, point, seen, share = given.points(camera, rows, tracks, size)
        tables.append((xyz, point + first, rows[seen.view], seen.xy * factor, np.zeros_like(seen.xy)))
        agree.append(share * len(part))
        first, done = first + len(xyz), done + len(part)
    share, still = sum(agree) / len(frames), np.ptp(camera.place[camera.solved], axis=0).max() == 0
    keys = evenly(len(frames), 12)
    about = {
        "method": f"given by {path.name}", "motion": "tripod" if still else "free", "lens": "known", "working_size": list(size), "diagnosis": {},
        "keyframes": [int(frames.numbers[k]) for k in keys], "world": "given" if path.suffix.lower() == ".chan" else "any",
        "spans": [{"first": frames.numbers[0], "last": frames.numbers[-1], "solved": True}], "agreement": round(share, 3),
    }
    return _told(frames, camera, tables, about)


def _other_way(failure: ShotFailure | ChildFailure) -> ShotFailure | ChildFailure:
    """The failure, with learning as its button where nothing else is likely to help."""
    if failure.code in ("no-tracks", "no-solve", "child-died"):
        failure.remedy += " Or let two networks learn camera and depth from the clip alone: rough, but they need no tracks."
        failure.change = {"solve": {"method": "self_supervised"}}
    return failure


def _learned(frames: Frames, inputs: Inputs, size: tuple[int, int], options: Solve, report: Report, room: Path) -> Outcome:
    """A camera that networks learn from the clip, with points where the clip's tracks meet their depth."""
    from ..training import learned_camera  # torch only here

    def after(done: int, total: int, loss: float, look: Path, number: int) -> None:
        report.progress(done, total + 1, "learning", loss)
        report.preview(number, look)

    spans_, curve = learned_camera.learned(frames, options.learning, options.effort, options.start, inputs.device, room / "training", after)
    numbers = np.array(frames.numbers)
    camera, tables, first = _empty(numbers, frames.size), [], 0
    for span in spans_:
        scale = NEAR / max(float(np.median(span.depth[0])), 1e-9)
        span = learned_camera.placed(span, UPRIGHT, scale)
        rows = np.searchsorted(numbers, span.numbers)
        factor = np.asarray(frames.size, float) / (span.depth.shape[2], span.depth.shape[1])
        camera.world_from_camera[rows], camera.solved[rows] = span.world_from_camera, True
        camera.focal[rows], camera.centre[rows] = span.focal * factor, span.centre * factor
        learned.write(room, span.numbers, span.depth, span.motion, curve)
        tracks = follow(_pictures(frames, span.numbers, size), _masks(inputs["movers"], span.numbers, size), options.tracks).long(3)
        tracks = tracks.where(~tracks.moving).long(3)
        xyz = learned.points(camera, rows, span.depth, tracks, size)
        seen = tracks.xy * np.asarray(frames.size, float) / np.asarray(size, float)
        tables.append((xyz, tracks.track + first, rows[tracks.view], seen, np.zeros_like(seen)))
        first += len(xyz)
    keys = evenly(len(frames), 12)
    about = {
        "method": "learned from the clip alone", "motion": "free", "lens": "fixed", "working_size": list(size), "diagnosis": {},
        "keyframes": [int(frames.numbers[k]) for k in keys],
        "spans": [{"first": span.numbers[0], "last": span.numbers[-1], "solved": True} for span in spans_],
    }
    return _told(frames, camera, tables, about)


def _empty(numbers: NDArray[np.int64], size: tuple[int, int]) -> Camera:
    count = len(numbers)
    centre = np.tile(np.asarray(size, float) / 2, (count, 1))
    return Camera(
        numbers, np.tile(pose.pose(UPRIGHT, np.zeros(3)), (count, 1, 1)), np.full((count, 2), 1.2 * max(size)), centre,
        np.zeros((count, 4)), np.zeros(count, bool), size,
    )


def _place(
    camera: Camera, rows: NDArray[np.int64], answer: spans.Solved, size: tuple[int, int], first: int
) -> tuple[tuple[Array, ...], int]:
    """Write a span into the camera's rows, in its own world; returns its points and observations, numbered from `first`."""
    state, tracks = answer.state, answer.tracks.where(answer.fits)
    factor = np.asarray(size, float) / np.asarray(state.size, float)
    world = pose.invert(state.pose)
    start = int(np.flatnonzero(state.posed)[0])
    known, again = np.unique(tracks.track, return_inverse=True)
    xyz = state.points[known]
    local = (xyz - world[start, :3, 3]) @ world[start, :3, :3]
    scale = NEAR / max(float(np.median(np.linalg.norm(local, axis=1))), 1e-9)
    turn = UPRIGHT @ world[start, :3, :3].T
    home = Similarity(scale, turn, -scale * turn @ world[start, :3, 3])
    # A view without a pose holds that of its neighbour, so that no reader stumbles; `solved` says that it is none.
    nearest = np.flatnonzero(state.posed)
    filled = nearest[np.abs(np.arange(len(rows))[:, None] - nearest).argmin(1)]
    camera.world_from_camera[rows] = home.poses(world[filled])
    camera.solved[rows] = state.posed
    camera.focal[rows] = state.focal[filled, None] * factor
    camera.distortion[rows] = state.distortion
    shift = np.zeros_like(tracks.xy) if answer.shift is None else answer.shift[answer.fits]
    return (home.points(xyz), again + first, rows[tracks.view], (tracks.xy + shift) * factor, shift * factor), first + len(known)


def _colours(
    frames: Frames, frame: NDArray[np.int64], track: NDArray[np.int64], xy: Array, count: int, keys: set[int]
) -> NDArray[np.uint8]:
    """The colour [P, 3] of each point in one keyframe that sees it, grey where none does; few pictures are read."""
    rgb = np.full((count, 3), 128, np.uint8)
    open_points = np.ones(count, bool)
    for number in sorted(keys):
        rows = np.flatnonzero((frame == number) & open_points[track])
        if len(rows):
            picture = frames.rgb8(number)
            x, y = np.floor(xy[rows]).astype(int).T
            rgb[track[rows]] = picture[y.clip(0, picture.shape[0] - 1), x.clip(0, picture.shape[1] - 1)]
            open_points[track[rows]] = False
    return rgb


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
