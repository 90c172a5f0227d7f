"""The solve's report card, drawn over the footage: tracks coloured by their error, errors along the shot, the verdict. Imports bpy, numpy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .clips import behind, in_editor
from .importers import camera as cameras
from .importers import place
from .languages import say
from .languages.sentences import told

GOOD, FAIR, BAD, PLAIN = (0.25, 0.85, 0.35, 0.9), (0.95, 0.75, 0.2, 0.9), (0.95, 0.25, 0.2, 0.95), (0.9, 0.9, 0.9, 0.9)
VERDICTS = {"good": GOOD, "fair": FAIR, "doubtful": BAD}
HEIGHT = 44  # px of the strip of errors
_handle: Any = None


@dataclass(frozen=True)
class Card:
    """What is drawn of one solve."""

    frames: np.ndarray  # [T] the clip's numbers
    errors: np.ndarray  # [T] px, NaN where lost
    distrust: frozenset[int]
    interpolated: frozenset[int]
    verdict: str  # good, fair, doubtful
    words: tuple[str, ...]
    track_frame: np.ndarray  # [N]
    track_xy: np.ndarray  # [N, 2] parts of the picture, y up
    track_error: np.ndarray  # [N] px


@lru_cache(maxsize=4)
def read(folder: str, stamp: float, language: str) -> Card:
    """The card of a camera's folder; `stamp` and `language` make a changed file and other words a new question."""
    about = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
    camera = cameras.read(Path(folder))
    per_frame = about.get("error", {}).get("frames", {}) if isinstance(about.get("error"), dict) else {}
    errors = np.array([per_frame.get(str(int(number))) if per_frame.get(str(int(number))) is not None else np.nan for number in camera.frame], float)
    track_frame, xy, error = _tracks(Path(folder), camera)
    distrust, interpolated = (frozenset(about.get(name, [])) for name in ("distrust", "interpolated"))
    return Card(camera.frame, errors, distrust, interpolated, about.get("verdict", "unjudged"), tuple(_words(about)), track_frame, xy, error)


def _words(about: dict[str, Any]) -> list[str]:
    error, focal = about.get("error"), about.get("focal", {})
    mean = error.get("mean") if isinstance(error, dict) else error
    verdict = say(about.get("verdict", "unjudged"))
    lines = [say("Camera {verdict}, error {mean} px", verdict=verdict, mean=f"{mean:.2f}") if mean is not None else verdict]
    if "solved" in about:
        counts = {name: about.get(name, 0) for name in ("solved", "total", "points")}
        lines.append(say("{solved} of {total} frames, {points} points, scale {scale}", **counts, scale=say(about.get("scale", "unknown"))))
    if focal:
        lines.append(say("Focal length {px} px ({mm} mm on 36 mm)", px=f"{focal.get('px', 0):.0f}", mm=f"{focal.get('mm36', 0):.1f}"))
    shutter = about.get("readout", {})
    if shutter.get("taken_out"):
        axis = say("rows") if shutter.get("read") == "rows" else say("columns")
        found = {"share": f"{shutter['share']:.2f}", "sigma": f"{shutter['sigma']:.2f}", "left": f"{100 * shutter['error_left']:.0f}"}
        lines.append(say("Rolling shutter taken out: {axis} read over {share} ± {sigma} of a frame, {left} % of the error left", axis=axis, **found))
    return [*lines, *(told(f"{line[:1].upper()}{line[1:]}.") for line in map(str, about.get("warnings", [])))]


def _tracks(folder: Path, camera: cameras.Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every observation's frame, place and reprojection error."""
    if not (folder / "tracks.npz").is_file() or not (folder / "points.npz").is_file():
        return np.empty(0, int), np.empty((0, 2)), np.empty(0)
    with np.load(folder / "tracks.npz", allow_pickle=False) as seen, np.load(folder / "points.npz", allow_pickle=False) as points:
        track, frame, xy, xyz = seen["track"], seen["frame"], seen["xy"], points["xyz"]
        straight = xy - seen["shift"] if "shift" in seen else xy  # freed of a rolling shutter
    row = np.searchsorted(camera.frame, frame)
    error = np.linalg.norm(cameras.project(camera, row, xyz[track]) - straight, axis=1)
    width, height = camera.size
    return frame, np.stack([xy[:, 0] / width, 1 - xy[:, 1] / height], -1), error


def card_of(clip: bpy.types.MovieClip) -> Card | None:
    """The card of the camera that was imported for this clip."""
    memory = clip.unflatten.made.get("camera")
    path = Path(memory.path) / "report.json" if memory and memory.path else None
    if path is None or not path.is_file():
        return None
    try:
        return read(str(path.parent), path.stat().st_mtime, bpy.app.translations.locale)
    except (OSError, ValueError, KeyError):
        return None  # a result that is being replaced; the next redraw sees it whole


def draw() -> None:
    """Called by Blender for every redraw of a Movie Clip Editor."""
    context = bpy.context
    shown, region = in_editor(context), context.region
    clip = behind(shown) if shown else None
    if clip is None or not clip.unflatten.show_report:
        return
    card = card_of(clip)
    if card is None:
        return
    number = context.scene.frame_current - place.frame_shift(clip)
    import gpu

    gpu.state.blend_set("ALPHA")
    _draw_tracks(card, number, region)
    _draw_strip(card, number, region)
    _draw_words(card, number, region)
    gpu.state.blend_set("NONE")


def _draw_tracks(card: Card, number: int, region: bpy.types.Region) -> None:
    here = card.track_frame == number
    if not here.any():
        return
    corner, far = np.array(region.view2d.view_to_region(0, 0, clip=False)), np.array(region.view2d.view_to_region(1, 1, clip=False))
    at, error = corner + card.track_xy[here] * (far - corner), card.track_error[here]
    for low, high, colour in ((0, 0.5, GOOD), (0.5, 1.5, FAIR), (1.5, np.inf, BAD)):
        some = at[(error >= low) & (error < high)]
        arms = some[:, None] + np.array([(-3, 0), (3, 0), (0, -3), (0, 3)])
        fill("LINES", arms.reshape(-1, 2), colour)


def _draw_strip(card: Card, number: int, region: bpy.types.Region) -> None:
    """Errors along the shot: one bar for each frame; distrusted ones red, the current one marked."""
    left, width, foot = 20.0, max(60.0, region.width - 40.0), 30.0
    fill("TRIS", box(left, foot, width, HEIGHT), (0.0, 0.0, 0.0, 0.45))
    known = np.where(np.isfinite(card.errors), card.errors, 0.0)
    top = max(1.0, float(known.max(initial=0.0)))
    step = width / max(1, len(card.frames))
    bars: dict[tuple, list[np.ndarray]] = {GOOD: [], FAIR: [], BAD: []}
    for index, frame in enumerate(card.frames):
        lost = not np.isfinite(card.errors[index])
        tall = HEIGHT if lost else max(1.0, known[index] / top * HEIGHT)
        colour = FAIR if int(frame) in card.interpolated else BAD if int(frame) in card.distrust or lost else GOOD
        bars[colour].append(box(left + index * step, foot, max(1.0, step * 0.85), tall))
    for colour, boxes in bars.items():
        if boxes:
            fill("TRIS", np.concatenate(boxes), colour)
    if card.frames[0] <= number <= card.frames[-1]:
        x = left + (np.searchsorted(card.frames, number) + 0.5) * step
        fill("LINES", np.array([(x, foot), (x, foot + HEIGHT + 6)]), PLAIN)


def _draw_words(card: Card, number: int, region: bpy.types.Region) -> None:
    import blf

    row = np.searchsorted(card.frames, number)
    here = card.frames[row] == number if row < len(card.frames) else False
    tail = []
    if here and np.isfinite(card.errors[row]):
        tail = [say("Frame {number}: {error} px", number=number, error=f"{card.errors[row]:.2f}")]
    elif here and number in card.interpolated:
        tail = [say("Frame {number}: interpolated", number=number)]
    elif here:
        tail = [say("Frame {number}: lost", number=number)]
    size = 11 * (bpy.context.preferences.system.ui_scale or 1.0)
    blf.size(0, size)
    lines = [*reversed([*card.words, *tail])]
    widest = max(blf.dimensions(0, line)[0] for line in lines)
    fill("TRIS", box(14, 30 + HEIGHT + 6, widest + 12, len(lines) * size * 1.5 + 4), (0.0, 0.0, 0.0, 0.45))
    for index, line in enumerate(lines):
        blf.position(0, 20, 30 + HEIGHT + 12 + index * size * 1.5, 0)
        blf.color(0, *(VERDICTS.get(card.verdict, PLAIN) if index == len(lines) - 1 else PLAIN))
        blf.draw(0, line)


def box(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Two triangles, [6, 2] px."""
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y), (x + width, y + height), (x, y + height)])


def fill(kind: str, points: np.ndarray, colour: tuple[float, ...]) -> None:
    """LINES or TRIS of points [N, 2] px in one colour."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    if not len(points):
        return
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    batch = batch_for_shader(shader, kind, {"pos": np.ascontiguousarray(points, np.float32)})
    shader.uniform_float("color", colour)
    batch.draw(shader)


def register() -> None:
    """Draw over every Movie Clip Editor."""
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceClipEditor.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Draw no more."""
    global _handle
    if _handle is not None:
        bpy.types.SpaceClipEditor.draw_handler_remove(_handle, "WINDOW")
    _handle = None
    read.cache_clear()
