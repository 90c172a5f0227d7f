"""Camera room: the report card as a picture that can be read at a glance; OpenCV draws it, no torch, no pycolmap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..media.frames import write_png

if TYPE_CHECKING:
    from .outcome import Outcome

Canvas = NDArray[np.uint8]  # [H, W, 3] BGR
Box = tuple[int, int, int, int]  # left, top, width, height
BACK, PANEL, LINE, INK, DIM = (30, 28, 27), (43, 40, 38), (70, 66, 63), (235, 232, 230), (160, 155, 150)
GOOD, WARN, BAD, PATH = (120, 200, 110), (60, 180, 245), (90, 90, 240), (245, 170, 80)
WIDTH, HEIGHT, EDGE = 1280, 800, 20


def write(path: Path, outcome: Outcome) -> None:
    """Draw report.png: title, error and track count over the frames, coverage of the picture, the path from above."""
    canvas = np.full((HEIGHT, WIDTH, 3), BACK, np.uint8)
    _title(canvas, outcome.report)
    half = (WIDTH - 3 * EDGE) // 2
    _errors(canvas, (EDGE, 120, WIDTH - 2 * EDGE, 270), outcome)
    _coverage(canvas, (EDGE, 410, half, 370), outcome)
    _from_above(canvas, (2 * EDGE + half, 410, half, 370), outcome)
    write_png(path, cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB))


def _write(canvas: Canvas, text: str, at: tuple[int, int], size: float = 0.45, colour: tuple[int, int, int] = INK) -> None:
    """Text that ends before the picture does, smaller if it must be."""
    plain = text.encode("ascii", "replace").decode()
    long = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0]
    size *= min(1.0, (canvas.shape[1] - EDGE - at[0]) / max(long, 1))
    cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _panel(canvas: Canvas, box: Box, title: str) -> Box:
    x, y, w, h = box
    cv2.rectangle(canvas, (x, y), (x + w, y + h), PANEL, -1)
    _write(canvas, title, (x + 12, y + 22), 0.48, DIM)
    return x + 14, y + 36, w - 28, h - 50


def _title(canvas: Canvas, report: dict[str, Any]) -> None:
    distrust = report["distrust"]
    verdict = report["verdict"]
    colour = {"good": GOOD, "fair": WARN}.get(verdict, BAD)
    cv2.circle(canvas, (EDGE + 12, 40), 11, colour, -1, cv2.LINE_AA)
    _write(canvas, f"{verdict}: {report['method']}", (EDGE + 34, 48), 0.75)
    lens = f"focal {report['focal']['px']:.0f} px ({report['focal']['mm36']:.1f} mm on 36 mm)"
    if report["focal"].get("sigma_percent") is not None:
        lens += f" +- {report['focal']['sigma_percent']:.1f} %"
    facts = (f"{report['solved']} of {report['total']} frames", f"error {report['error']['mean']:.2f} px",
             f"{report['points']} points", lens, f"scale {report['scale']}")
    if report.get("scale_drift_percent") is not None:
        facts = (*facts, f"drift +- {report['scale_drift_percent']:.1f} %")
    shutter = report.get("readout", {})
    if shutter.get("taken_out"):
        facts = (*facts, f"{shutter['read']} read over {shutter['share']:.2f} +- {shutter['sigma']:.2f} of a frame")
    _write(canvas, "    ".join(facts), (EDGE, 80), 0.5, DIM)
    words = "; ".join(report["warnings"]) or ("no frame to distrust" if not distrust else f"distrust {len(distrust)} frames")
    _write(canvas, words[:150], (EDGE, 104), 0.5, WARN if report["warnings"] or distrust else GOOD)


def _errors(canvas: Canvas, box: Box, outcome: Outcome) -> None:
    report, frames = outcome.report, outcome.camera.frame
    x, y, w, h = _panel(canvas, box, "reprojection error in px (line) and tracks (bars) over the frames; distrusted frames in red")
    error = np.array([report["error"]["frames"].get(str(f), np.nan) or np.nan for f in frames], float)
    count = np.array([report["tracks"].get(str(f), 0) for f in frames], float)
    top = _above(float(np.nanmax(error))) if np.isfinite(error).any() else 1.0
    across = x + 34 + (np.arange(len(frames)) + 0.5) / len(frames) * (w - 34)
    step = max(1, int((w - 34) / len(frames)) - 1)
    bad = set(report["distrust"])
    for at, frame, tracks in zip(across, frames, count):
        height = int((h - 20) * 0.9 * tracks / max(count.max(), 1))
        colour = (60, 50, 110) if int(frame) in bad else LINE
        cv2.rectangle(canvas, (int(at - step / 2), y + h - 20 - height), (int(at + step / 2), y + h - 20), colour, -1)
    points = np.stack([across, y + (h - 20) * (1 - error / top)], 1)
    for a, b in zip(points[:-1], points[1:]):
        if np.isfinite(a).all() and np.isfinite(b).all():
            cv2.line(canvas, tuple(a.astype(int).tolist()), tuple(b.astype(int).tolist()), PATH, 2, cv2.LINE_AA)
    for value in np.linspace(0, top, 5):
        _write(canvas, f"{value:g}", (x, int(y + (h - 20) * (1 - value / top)) + 4), 0.38, DIM)
    for k in np.unique(np.linspace(0, len(frames) - 1, min(len(frames), 12)).astype(int)):
        _write(canvas, str(int(frames[k])), (int(across[k]) - 8, y + h), 0.38, DIM)
    _write(canvas, f"most tracks {int(count.max()) if len(count) else 0}", (x + w - 130, y - 12), 0.4, DIM)


def _above(error: float) -> float:
    """The top of a scale of four equal round steps, in px, that `error` stays below."""
    return next(digit * 10.0**power for power in range(9) for digit in (1, 2, 4) if digit * 10.0**power > error)


def _coverage(canvas: Canvas, box: Box, outcome: Outcome) -> None:
    x, y, w, h = _panel(canvas, box, "where the picture carries tracks, over the whole shot")
    width, height = outcome.camera.size
    scale = min(w / width, h / height)
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    cells = np.histogram2d(outcome.xy[:, 1], outcome.xy[:, 0], (27, 48), [[0, height], [0, width]])[0]
    per_frame = cells / max(int(outcome.camera.solved.sum()), 1)
    shown = cv2.resize(np.clip(per_frame * 160, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
    left, top = x + (w - size[0]) // 2, y + (h - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = cv2.applyColorMap(shown, cv2.COLORMAP_VIRIDIS)


def _from_above(canvas: Canvas, box: Box, outcome: Outcome) -> None:
    x, y, w, h = _panel(canvas, box, "points and camera path from above; the path begins at the ring")
    camera, cloud = outcome.camera, outcome.xyz[:, :2]
    path = camera.place[camera.solved][:, :2]
    if not len(path):
        return
    far = np.linalg.norm(cloud - np.median(cloud, 0), axis=1) if len(cloud) else np.zeros(0)
    near = cloud[far < 4 * np.median(far) + 1e-9] if len(cloud) else cloud  # a camera of a file may have no points
    every = np.concatenate([path, near])
    low, high = every.min(0), every.max(0)
    scale = min(w, h) / max(float((high - low).max()), 1e-9) * 0.95
    middle = (low + high) / 2

    def place(flat: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.stack([x + w / 2 + (flat[:, 0] - middle[0]) * scale, y + h / 2 - (flat[:, 1] - middle[1]) * scale], 1).astype(np.int64)

    spots = place(cloud)
    inside = (spots[:, 0] >= x) & (spots[:, 0] < x + w) & (spots[:, 1] >= y) & (spots[:, 1] < y + h)
    canvas[spots[inside, 1], spots[inside, 0]] = np.maximum(outcome.rgb[inside][:, ::-1], 90)
    line = place(path)
    cv2.polylines(canvas, [line.astype(np.int32)], False, PATH, 2, cv2.LINE_AA)
    cv2.circle(canvas, tuple(line[0].tolist()), 6, INK, 1, cv2.LINE_AA)
    turn = camera.world_from_camera[camera.solved]
    for k in np.unique(np.linspace(0, len(path) - 1, 7).astype(int)):
        ahead = turn[k, :2, 2] / max(np.linalg.norm(turn[k, :2, 2]), 1e-9) * 16 * [1, -1]
        cv2.line(canvas, tuple(line[k].tolist()), tuple((line[k] + ahead).astype(int).tolist()), WARN, 1, cv2.LINE_AA)
