"""Stage mattes: a soft matte, the foreground colour and animated contours for each subject; imports the mattes room, never bpy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ..contract.artifacts import FRAME
from ..contract.options import Mattes
from ..failures import RequestFailure
from ..mattes import carry, preview, segment, subjects
from ..mattes.choice import Subject, choose, joined
from ..mattes.layer import Layer
from ..mattes.outline import Outliner
from ..media.flow import Flow
from ..media.frames import Frames, read_png, write_png
from ..stage import Inputs, Report
from ..store import read_json, write_json

HALF = 100  # progress: finding the subjects is the first hundred, writing them the second


@dataclass(frozen=True)
class Shot:
    """What the steps of this stage read, and where they write."""

    frames: Frames
    flow: Flow
    options: Mattes
    room: Path

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

    @property
    def labels(self) -> Path:
        """Ids at working size."""
        return self.room / "labels"


def run(inputs: Inputs, options: Mattes, report: Report, room: Path) -> None:
    """<subject>/alpha, <subject>/foreground, <subject>/contours.json and mattes.json; labels/ (ids at working size)."""
    colour = preview.read_colour(options.preview) if options.preview else None
    shot = Shot(Frames(inputs["frames"]), Flow(inputs["flow"]), options, room)
    if options.method == "people":
        chosen = _people(shot, inputs, report)
    elif options.method == "drawn":
        chosen = _drawn(shot, inputs, report)
    else:
        chosen = _moving(shot, inputs, report)
    about = []
    for at, (name, subject) in enumerate(chosen.items()):
        tell = partial(_tell, report, len(chosen), at)
        if options.method != "people":
            _write_layer(shot, Layer(shot.frames, shot.flow, shot.labels, set(subject.ids), options.edge), room / name, partial(tell, 0.0, 0.8))
        figures = _write_contours(shot, room / name, partial(tell, 0.8, 0.2))
        pixels = shot.frames.size if options.method == "people" else shot.flow.size
        share = round(subject.mean_area / (pixels[0] * pixels[1]), 5)
        about.append({"name": name, "area": share, "frames": sorted(subject.areas), "contours": figures})
    if colour is not None:
        preview.write(shot.frames, [room / name for name in chosen], colour, room / "preview.mp4")
    report.figures["subjects"] = {subject["name"]: subject["contours"] for subject in about}
    write_json(room / "mattes.json", {"method": report.used, "size": list(shot.frames.size), "subjects": about})
    for folder in segment.WORK:
        shutil.rmtree(room / folder, ignore_errors=True)


def _tell(report: Report, subjects: int, subject: int, before: float, share: float, part: float) -> None:
    report.progress(round(HALF + HALF * (subject + before + share * part) / subjects), 2 * HALF, f"subject {subject + 1} of {subjects}")


def _people(shot: Shot, inputs: Inputs, report: Report) -> dict[str, Subject]:
    """Everybody in the shot as one subject."""
    from ..mattes import people

    folder, numbers = shot.room / "subject_1", shot.frames.numbers
    weights = people.find_weights(shot.options.weights)
    report.used = people.write(
        shot.frames, weights, shot.options.ratio, inputs.device, folder, lambda done: report.progress(round(HALF * done / len(numbers)), 2 * HALF, "people"),
    )
    return choose([Subject(frozenset({1}), people.area(folder, numbers))], shot.frames.size[0] * shot.frames.size[1], len(numbers), shot.options)


def _drawn(shot: Shot, inputs: Inputs, report: Report) -> dict[str, Subject]:
    """The artist's masks, carried: one subject, or one for each folder within the folder."""
    if not shot.options.drawn:
        raise RequestFailure("masks-missing", "There are no drawn masks to carry.", "No folder was given.", "Choose the folder of the drawn masks.")
    root = Path(shot.options.drawn)
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    evidence = inputs["movers"] / "evidence"
    carriers = []
    for at, folder in enumerate(folders or [root], 1):
        keys = carry.find_keys(folder, shot.frames.numbers)
        carriers.append(carry.Carrier(shot.frames, shot.flow, keys, shot.room / "carried" / str(at), evidence if evidence.is_dir() else None))
    total = len(shot.frames) * len(carriers)
    for at, carrier in enumerate(carriers):
        carrier.prepare(lambda done, at=at: report.progress(round(0.9 * HALF * min(1, (at * len(shot.frames) + done) / total)), 2 * HALF, "drawn masks"))
    areas: list[dict[int, int]] = [{} for _ in carriers]
    for frame in shot.frames.numbers:
        likely = np.stack([np.full(shot.flow.size[::-1], 0.5, np.float32), *(carrier.likely(frame) for carrier in carriers)])
        labels = likely.argmax(0).astype(np.uint8)
        write_png(shot.labels / f"{FRAME % frame}.png", labels)
        for at, count in enumerate(np.bincount(labels.ravel(), minlength=len(carriers) + 1)[1:]):
            if count:
                areas[at][frame] = int(count)
    keys_used = ", ".join(str(frame) for carrier in carriers for frame in carrier.keys)
    report.used = f"masks drawn on frames {keys_used}, carried along flow and colours; colour guided edge"
    return {f"subject_{at}": Subject(frozenset({at}), area) for at, area in enumerate(areas, 1) if area}


def _moving(shot: Shot, inputs: Inputs, report: Report) -> dict[str, Subject]:
    """What moves by itself, linked over time."""
    numbers = shot.frames.numbers
    grown = read_json(inputs["movers"] / "movers.json")["grow"]
    masks = segment.Segmenter(shot.frames, shot.flow, inputs["movers"], grown, shot.room, inputs.get("scene_movers"))
    masks.prepare(lambda done: report.progress(round(0.4 * HALF * done / len(numbers)), 2 * HALF, "edges of what moves"))
    linker = subjects.Linker()
    for done, frame in enumerate(numbers, 1):
        labels = linker.step(frame, masks.mask(frame), shot.field(frame, shot.neighbours[frame][0]), shot.frames.rgb8(frame, shot.flow.size))
        write_png(shot.labels / f"{FRAME % frame}.png", labels)
        report.progress(round(0.8 * HALF + 0.2 * HALF * done / len(numbers)), 2 * HALF, "subjects")
    report.used = "what moves, by motion, colour and the scenery behind, linked along flow; colour guided edge"
    parts: dict[int, list[Subject]] = {}
    for part, whole in sorted(linker.merged().items()):
        track = linker.tracks[part]
        middle = (track.centre[0] / shot.flow.size[0], track.centre[1] / shot.flow.size[1])
        parts.setdefault(whole, []).append(Subject(frozenset({part}), {f: a for f, a in track.frames.items() if a}, middle))
    return choose([joined(found) for found in parts.values()], shot.flow.size[0] * shot.flow.size[1], len(numbers), shot.options)


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


def _write_contours(shot: Shot, folder: Path, tell: Callable[[float], None]) -> dict[str, Any]:
    """contours.json of one subject, from its finished alpha; returns what is worth telling of it."""
    numbers, outliner = shot.frames.numbers, Outliner(shot.frames.size, shot.options.points)
    for done, frame in enumerate(numbers, 1):
        alpha = read_png(folder / "alpha" / f"{FRAME % frame}.png").astype(np.float32) / 65535
        outliner.step(frame, alpha, shot.field(shot.neighbours[frame][0], frame))
        tell(done / len(numbers))
    pieces = [piece.as_json() for piece in outliner.pieces]
    write_json(folder / "contours.json", {"size": list(shot.frames.size), "pieces": pieces})
    points = sum(len(points) for piece in outliner.pieces for points in piece.points.values())
    return {
        "pieces": len(pieces), "points_per_frame": round(points / len(numbers), 1),
        "error_px": round(float(np.mean(outliner.errors)), 3) if outliner.errors else 0.0,
    }
