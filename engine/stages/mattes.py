"""Stage mattes: a soft matte, the foreground colour and animated contours for each thing that moves; imports the mattes room, never bpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ..contract.artifacts import FRAME
from ..contract.options import Mattes
from ..contract.stages import BY_NAME
from ..failures import ShotFailure
from ..mattes import segment, subjects
from ..mattes.layer import Layer
from ..mattes.outline import Outliner
from ..media.flow import Flow
from ..media.frames import Frames, read_png, write_png
from ..stage import Inputs, Report
from ..store import write_json

SHORTEST = 3  # frames: what is seen in fewer is a flicker, not a subject


@dataclass(frozen=True)
class Shot:
    """What the steps of this stage read."""

    frames: Frames
    flow: Flow
    movers: Path
    grow: int  # px that the movers' masks are too wide

    @cached_property
    def neighbours(self) -> dict[int, tuple[int | None, int | None]]:
        """Frame -> the frames before and after it, None across a cut."""
        found: dict[int, tuple[int | None, int | None]] = {}
        for span in self.frames.spans():
            found.update(zip(span, zip([None, *span[:-1]], [*span[1:], None])))
        return found

    def field(self, a: int | None, b: int | None) -> Any:
        """Flow from a to b at working size with its validity, or None."""
        return None if a is None or b is None else self.flow.get(a, b)


def run(inputs: Inputs, options: Mattes, report: Report, room: Path) -> None:
    """<subject>/alpha, <subject>/foreground, <subject>/contours.json, labels/ (ids at working size) and mattes.json."""
    grow = inputs.request.options_of(BY_NAME["movers"]).grow
    shot = Shot(Frames(inputs["frames"]), Flow(inputs["flow"]), inputs["movers"], grow)
    chosen = _choose(_link(shot, report, room / "labels"), shot, options)
    about = []
    for at, (name, (ids, areas)) in enumerate(chosen.items()):
        layer = Layer(shot.frames, shot.flow, room / "labels", ids, options.edge)
        tell = partial(_tell, report, len(chosen), at)
        _write_layer(shot, layer, room / name, partial(tell, 0.0, 0.8))
        figures = _write_contours(shot, options, room / name, partial(tell, 0.8, 0.2))
        share = sum(areas.values()) / len(areas) / (shot.flow.size[0] * shot.flow.size[1])
        about.append({"name": name, "area": round(share, 5), "frames": sorted(areas), "contours": figures})
    report.used = "what moves, linked along flow; colour guided edge; contours carried along flow"
    report.figures["subjects"] = {subject["name"]: subject["contours"] for subject in about}
    write_json(room / "mattes.json", {"method": report.used, "size": list(shot.frames.size), "subjects": about})


def _tell(report: Report, subjects: int, subject: int, before: float, share: float, part: float) -> None:
    report.progress(round(100 + 100 * (subject + before + share * part) / subjects), 200, f"subject {subject + 1} of {subjects}")


def _link(shot: Shot, report: Report, folder: Path) -> dict[int, tuple[set[int], dict[int, int]]]:
    """labels/: one id per thing, the same in every frame; returns id -> (ids in the label maps, area in px per frame)."""
    linker, numbers = subjects.Linker(), shot.frames.numbers
    for done, frame in enumerate(numbers, 1):
        mask = segment.whole(read_png(shot.movers / f"{FRAME % frame}.png") > 127, shot.grow)
        back = shot.field(frame, shot.neighbours[frame][0])
        labels = linker.step(frame, mask, back, shot.frames.rgb8(frame, shot.flow.size))
        if not (path := folder / f"{FRAME % frame}.png").is_file():
            write_png(path, labels)
        report.progress(round(100 * done / len(numbers)), 200, "subjects")
    found: dict[int, tuple[set[int], dict[int, int]]] = {}
    for part, whole in sorted(linker.merged().items()):
        ids, areas = found.setdefault(whole, (set(), {}))
        ids.add(part)
        for frame, area in linker.tracks[part].frames.items():
            areas[frame] = areas.get(frame, 0) + area
    return found


def _choose(found: dict[int, tuple[set[int], dict[int, int]]], shot: Shot, options: Mattes) -> dict[str, tuple[set[int], dict[int, int]]]:
    """The largest subjects, named by rank."""
    least = options.least * shot.flow.size[0] * shot.flow.size[1]
    shortest = min(SHORTEST, len(shot.frames))
    worth = [(ids, areas) for ids, areas in found.values() if len(areas) >= shortest and sum(areas.values()) / len(areas) >= least]
    worth.sort(key=lambda subject: (-sum(subject[1].values()), min(subject[0])))
    if not worth:
        raise ShotFailure(
            "no-movers", "There is nothing to matte.", "Nothing in this shot moves by itself, or it is smaller than the option 'Smallest' allows.",
            "Raise the sensitivity of 'Find what moves', lower 'Smallest', or give own masks.", {"movers": {"sensitivity": 2.0}},
        )
    return {f"subject_{rank}": subject for rank, subject in enumerate(worth[: options.subjects], 1)}


def _write_layer(shot: Shot, layer: Layer, folder: Path, tell: Callable[[float], None]) -> None:
    """alpha/ and foreground/ of one subject."""
    numbers = shot.frames.numbers
    for done, frame in enumerate(numbers, 1):
        alpha_path, colour_path = (folder / kind / f"{FRAME % frame}.png" for kind in ("alpha", "foreground"))
        if not (alpha_path.is_file() and colour_path.is_file()):
            alpha = layer.alpha(frame, [other for other in shot.neighbours[frame] if other is not None])
            write_png(colour_path, layer.colour(frame, alpha))
            write_png(alpha_path, np.round(alpha * 65535).astype(np.uint16))
        tell(done / len(numbers))


def _write_contours(shot: Shot, options: Mattes, folder: Path, tell: Callable[[float], None]) -> dict[str, Any]:
    """contours.json of one subject, from its finished alpha; returns what is worth telling of it."""
    numbers, outliner = shot.frames.numbers, Outliner(shot.frames.size, options.points)
    for done, frame in enumerate(numbers, 1):
        alpha = read_png(folder / "alpha" / f"{FRAME % frame}.png").astype(np.float32) / 65535
        before = shot.neighbours[frame][0]
        outliner.step(frame, alpha, shot.field(before, frame))
        tell(done / len(numbers))
    pieces = [piece.as_json() for piece in outliner.pieces]
    write_json(folder / "contours.json", {"size": list(shot.frames.size), "pieces": pieces})
    points = sum(len(points) for piece in outliner.pieces for points in piece.points.values())
    return {
        "pieces": len(pieces), "points_per_frame": round(points / len(numbers), 1),
        "error_px": round(float(np.mean(outliner.errors)), 3) if outliner.errors else 0.0,
    }
