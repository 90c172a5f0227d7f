"""Camera room: how far a solve can be believed, frame by frame and as a whole; numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..geometry.lens import millimetres

Array = NDArray[np.float64]
GRID = (8, 6)  # cells across and down in which coverage is counted
AGREE = 0.5  # part of what was followed that must agree with a camera from elsewhere
LOOSE, VAGUE = 1.0, 6.0  # % of the path's length, and of the focal length, from which either is called loosely known
DRIFTS = 3.0  # %
ROLLS, SURE = 0.05, 4.0  # readout in frames' times, and in standard errors, from which a shutter is taken for a rolling one
LONGEST = 1.15  # of a frame's time: no sensor reads longer than until the next
FEW, NARROW = 25, 0.2  # tracks and coverage below which a frame is not to be trusted


def report(
    camera: Camera, frame: NDArray[np.int64], xy: Array, residual: Array, points: int, angle: float, about: dict[str, Any]
) -> dict[str, Any]:
    """report.json: figures of each frame, frames to distrust, and a verdict in one word.

    `frame`, `xy`, `residual` [N] are the observations at the camera's size; `angle` is the median parallax of the points in radians.
    """
    row = np.searchsorted(camera.frame, frame)
    total = len(camera.frame)
    count = np.bincount(row, minlength=total)
    error = np.bincount(row, residual, total) / np.maximum(count, 1)
    covered = _coverage(camera, row, xy)
    starts = [span["first"] for span in about.get("spans", [])]
    distrust = _distrusted(camera, count, error, covered, starts) | np.isin(camera.frame, about.get("astray", []))
    width = camera.size[0]
    good = camera.solved
    focal = camera.focal[good, 0] if good.any() else camera.focal[:, 0]
    out = {
        "scale": "arbitrary", "total": total, "solved": int(good.sum()), "points": points, "size": list(camera.size),
        "lost": camera.frame[~camera.posed].tolist(), "interpolated": camera.frame[camera.posed & ~good].tolist(), "distrust": camera.frame[distrust].tolist(),
        "error": {"mean": _short(residual.mean() if len(residual) else 0), "median": _short(np.median(residual) if len(residual) else 0),
                  "frames": {str(f): _short(e) if n else None for f, e, n in zip(camera.frame, error, count)}},
        "tracks": {str(f): int(n) for f, n in zip(camera.frame, count)},
        "coverage": {str(f): _short(c) for f, c in zip(camera.frame, covered)},
        "parallax_degrees": _short(np.degrees(angle)),
        "focal": {"px": _short(np.median(focal)), "first": _short(focal[0]), "last": _short(focal[-1]),
                  "mm36": _short(millimetres(float(np.median(focal)), width))},
        "distortion": dict(zip(("k1", "k2", "p1", "p2"), (_short(v, 6) for v in np.median(camera.distortion, axis=0)))),
        "warnings": [], **about,
    }
    out["focal"].update(about.get("focal_sigma", {}))
    out.pop("focal_sigma", None)
    out["warnings"] = [*out["warnings"], *_warnings(out, error[good], width)]
    out["verdict"] = _verdict(out)
    return out


def _coverage(camera: Camera, row: NDArray[np.int64], xy: Array) -> Array:
    """Part of the picture's cells that hold a track, for each frame [T]."""
    cell = np.clip((xy / np.asarray(camera.size) * GRID).astype(int), 0, np.asarray(GRID) - 1)
    seen = np.zeros((len(camera.frame), *GRID), bool)
    seen[row, cell[:, 0], cell[:, 1]] = True
    return seen.mean((1, 2))


def _distrusted(camera: Camera, count: Array, error: Array, covered: Array, starts: list[int]) -> NDArray[np.bool_]:
    """Lost frames, frames held by too few tracks or too small a part of the picture, errors and jumps out of line."""
    good = camera.solved
    usual = float(np.median(error[good])) if good.any() else 0.0
    loud = error > max(3 * usual, 1.5e-3 * camera.size[0])
    return ~good | (count < FEW) | (covered < NARROW) | loud | _jumps(camera, starts)


def _jumps(camera: Camera, starts: list[int]) -> NDArray[np.bool_]:
    """Frames where the path breaks away from the line of its neighbours far more than it usually does.

    Across a cut, to where a span begins in a world of its own (frame numbers `starts`), there is no line.
    """
    out = np.zeros(len(camera.frame), bool)
    rows = np.flatnonzero(camera.solved)
    if len(rows) < 8:
        return out
    place = camera.place[rows]
    bend = np.linalg.norm(place[2:] - 2 * place[1:-1] + place[:-2], axis=1)
    on = (np.diff(rows) == 1) & ~np.isin(camera.frame[rows[1:]], starts)
    even = on[1:] & on[:-1]
    usual = np.median(bend) + 0.25 * np.median(np.linalg.norm(np.diff(place, axis=0), axis=1))
    out[rows[1:-1]] = even & (bend > 10 * usual + 1e-9)
    return out


def _warnings(report: dict[str, Any], error: Array, width: int) -> list[str]:
    found = []
    agreement = report.get("agreement", 1.0)
    if agreement < AGREE:
        found.append(f"the given camera does not fit this clip: only {100 * agreement:.0f} % of what was followed agrees with it")
    if report["lost"]:
        found.append(f"{len(report['lost'])} frames could not be placed")
    if report["interpolated"]:
        found.append(f"{len(report['interpolated'])} frames could not be placed and are interpolated")
    if len(error) and report["error"]["mean"] > 1.2e-3 * width:
        found.append("the error is large for this picture size")
    sigma = report["focal"].get("sigma_percent")
    loose = sigma is not None and sigma > VAGUE
    path = report.get("path_sigma_percent", 0.0)
    if report["parallax_degrees"] < 1.5 and report.get("motion") != "tripod" and not loose and path <= LOOSE:  # else that is said below, in figures
        found.append("little parallax: distances and focal length are loose")
    if report["points"] < 100:
        found.append("few points carry the solve")
    if path > LOOSE:
        found.append(f"the camera's path is only known to {path:.1f} % of its length")
    drift = report.get("scale_drift_percent", 0.0)
    if drift > DRIFTS:
        found.append(f"the scale may drift by {drift:.0f} % from the first half of the shot to the second")
    if report.get("readout", {}).get("error_left", 0.0) > 1:
        found.append("the readout that was given does not fit: the error has grown")
    if loose:
        found.append(f"the focal length is only known to {sigma:.0f} %")
    if loose and sigma > 15:
        found.append("give the focal length if you know it")
    return found


def rolls(share: float, sigma: float) -> bool:
    """Whether a readout, in frames' times, is surely that of a rolling shutter."""
    return LONGEST > abs(share) > max(ROLLS, SURE * sigma)


def _verdict(report: dict[str, Any]) -> str:
    """good, fair or doubtful."""
    part = len(report["distrust"]) / max(report["total"], 1)
    if part > 0.3 or len(report["warnings"]) > 1 or report.get("agreement", 1.0) < AGREE:
        return "doubtful"
    return "fair" if part > 0.05 or report["warnings"] else "good"


def _short(value: Any, digits: int = 4) -> float:
    return round(float(value), digits)
