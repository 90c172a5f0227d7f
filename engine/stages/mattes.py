"""Stage mattes: a soft matte, the foreground colour and animated contours for each subject; imports the mattes room, never bpy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Callable

import numpy as np

from .. import pretrained
from ..contract.artifacts import FRAME
from ..contract.options import Mattes
from ..contract.stages import BY_NAME
from ..mattes import apart, carry, closed_form, edge, keys, linking, portrait, preview, segment
from ..mattes.choice import Subject, called, choose
from ..mattes.layer import Layer, Within
from ..mattes.outline import Outliner
from ..mattes.reuse import Reuse
from ..media import sound
from ..media.flow import Flow
from ..media.frames import Frames, read_png, write_png
from ..stage import Inputs, Report
from ..store import read_json, write_json

EVERYBODY = "everybody"  # folder of the matte that is told apart
HALF = 100  # progress: finding the subjects is the first hundred, writing them the second


@dataclass(frozen=True)
class Shot:
    """What the steps of this stage read, and where they write."""

    frames: Frames
    flow: Flow
    options: Mattes
    room: Path
    reuse: Reuse

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
    """<subject>/alpha, <subject>/foreground, <subject>/contours.json, <subject>/picture.png and mattes.json; labels/ (ids at working size)."""
    colour = preview.read_colour(options.preview) if options.preview else None
    ground = [str(BY_NAME["mattes"].version), *(inputs[name].name for name in ("frames", "flow", "movers"))]
    shot = Shot(Frames(inputs["frames"]), Flow(inputs["flow"]), options, room, Reuse(room, " ".join(ground)))
    if options.method == "people":
        chosen = _people(shot, inputs, report)
    elif options.method == "drawn":
        chosen = _drawn(shot, inputs, report)
    else:
        chosen = _moving(shot, inputs, report)
    within, made_by = _edges(options, inputs, report) if options.method != "people" else (edge.within, "")
    given = keys.soft_keys(shot.frames, options.drawn, options.prompts) if options.method == "drawn" else {}
    about = []
    for at, (name, subject) in enumerate(chosen.items()):
        tell = partial(_tell, report, len(chosen), at)
        if options.method == "people" and options.split:
            apart.write(shot.frames, room / EVERYBODY, shot.labels, subject.ids, room / name)
        elif options.method != "people":
            layer = Layer(shot.frames, shot.flow, shot.labels, set(subject.ids), options.edge, within, given.get(min(subject.ids)))
            _write_layer(shot, layer, made_by, room / name, partial(tell, 0.0, 0.8))
        figures = _write_contours(shot, room / name, partial(tell, 0.8, 0.2))
        pixels = shot.frames.size if options.method == "people" and not options.split else shot.flow.size
        share = round(subject.mean_area / (pixels[0] * pixels[1]), 5)
        portrait.write(room / name, max(subject.areas, key=lambda frame: (subject.areas[frame], -frame)))
        about.append({"name": name, "area": share, "frames": sorted(subject.areas), "contours": figures})
    if colour is not None or options.behind:
        _preview(shot, [room / name for name in chosen], preview.backdrops(shot.frames.size, colour, options.behind), report)
    if options.films != "none":
        for name in chosen:
            preview.write_films(shot.frames, room / name, preview.Film(options.films, options.quality))
    report.figures["subjects"] = {subject["name"]: subject["contours"] for subject in about}
    write_json(room / "mattes.json", {"method": report.used, "size": list(shot.frames.size), "subjects": about})
    shot.reuse.close()
    for folder in (*segment.WORK, EVERYBODY):
        shutil.rmtree(room / folder, ignore_errors=True)


def _edges(options: Mattes, inputs: Inputs, report: Report) -> tuple[Within, str]:
    """What finds alpha within the band of an edge, and the weights it is made by."""
    if options.soft == "guided" or not options.edge:
        return edge.within, ""
    if options.soft == "closed":
        report.used = report.used.replace("colour guided edge", "edge in closed form")
        return closed_form.within, "closed form"
    from ..mattes import vitmatte

    folder = pretrained.find(options.vitmatte, "vitmatte", "ViTMatte", {"mattes": {"soft": "guided"}})
    matter = vitmatte.Matter(folder, inputs.device)
    report.used = report.used.replace("colour guided edge", f"edge by ViTMatte ({folder.name})")
    return lambda picture, sure, maybe, guess, width: matter.within(picture, sure, maybe), matter.mark


def _tell(report: Report, subjects: int, subject: int, before: float, share: float, part: float) -> None:
    report.progress(round(HALF + HALF * (subject + before + share * part) / subjects), 2 * HALF, f"subject {subject + 1} of {subjects}")


def _preview(shot: Shot, layers: list[Path], backdrops: Iterator[np.ndarray], report: Report) -> None:
    """preview.mp4, with the clip's sound where every frame was taken."""
    film, numbers = preview.Film(shot.options.films if shot.options.films != "none" else "h264", shot.options.quality), shot.frames.numbers
    path = film.path(shot.room / "preview.mp4")
    preview.write(shot.frames, layers, backdrops, film, path)
    if not shot.frames.about["audio"]:
        return
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        sound.lay_under(path, shot.frames.folder / "sound.flac")
    else:
        report.warning("The preview is silent, since frames were left out.")


def _people(shot: Shot, inputs: Inputs, report: Report) -> dict[str, Subject]:
    """Everybody in the shot as one subject, or each who stands apart."""
    from ..mattes import people

    folder, numbers, split = shot.room / (EVERYBODY if shot.options.split else called(1, shot.options.names)), shot.frames.numbers, shot.options.split
    weights = people.find_weights(shot.options.weights)
    report.used = people.write(
        shot.frames, weights, shot.options.ratio, inputs.device, folder,
        lambda done: report.progress(round(0.9 * HALF * done / len(numbers)), 2 * HALF, "people"),
    )
    if not split:
        return choose([Subject(frozenset({1}), people.area(folder, numbers))], shot.frames.size[0] * shot.frames.size[1], len(numbers), shot.options)
    report.used += ", told apart along flow"
    found = linking.link(
        shot.frames, shot.flow, lambda frame: apart.core(read_png(folder / "alpha" / f"{FRAME % frame}.png"), shot.flow.size), shot.labels,
        lambda done: report.progress(round(0.9 * HALF + 0.1 * HALF * done / len(numbers)), 2 * HALF, "subjects"),
    )
    return choose(found, shot.flow.size[0] * shot.flow.size[1], len(numbers), shot.options)


def _drawn(shot: Shot, inputs: Inputs, report: Report) -> dict[str, Subject]:
    """The artist's masks, boxes and points, carried."""
    carriers, by = _carriers(shot, inputs)
    total = len(shot.frames) * len(carriers)
    for at, carrier in enumerate(carriers.values()):
        carrier.prepare(lambda done, at=at: report.progress(round(0.9 * HALF * min(1, (at * len(shot.frames) + done) / total)), 2 * HALF, "drawn masks"))
    ids = np.array([0, *carriers], np.uint8)
    areas: dict[int, dict[int, int]] = {number: {} for number in carriers}
    for frame in shot.frames.numbers:
        likely = np.stack([np.full(shot.flow.size[::-1], 0.5, np.float32), *(carrier.likely(frame) for carrier in carriers.values())])
        labels = ids[likely.argmax(0)]
        write_png(shot.labels / f"{FRAME % frame}.png", labels)
        for number, area in areas.items():
            if count := int(np.count_nonzero(labels == number)):
                area[frame] = count
    keys_used = ", ".join(str(frame) for carrier in carriers.values() for frame in carrier.keys)
    report.used = f"masks drawn on frames {keys_used}, carried {by}; colour guided edge"
    return {called(number, shot.options.names): Subject(frozenset({number}), area) for number, area in areas.items() if area}


def _carriers(shot: Shot, inputs: Inputs) -> tuple[dict[int, Any], str]:
    """By number, what carries each subject; and how, in words."""
    by_sam2 = shot.options.follow == "sam2"
    evidence = inputs["movers"] / "evidence" if (inputs["movers"] / "evidence").is_dir() else None  # none where movers were drawn too
    drawn, said = keys.gather(shot.frames, shot.flow.size, shot.options.drawn, shot.options.prompts, not by_sam2, evidence)
    rooms = {number: shot.room / "carried" / str(number) for number in drawn}
    if by_sam2:
        from ..mattes import sam2

        folder = pretrained.find(shot.options.sam2, "sam2_video", "SAM 2.1", {"mattes": {"follow": "flow"}})
        network = sam2.Network(folder, inputs.device)
        return {
            number: sam2.Carrier(shot.frames, shot.flow.size, masks, said.get(number, {}), rooms[number], shot.reuse, network)
            for number, masks in drawn.items()
        }, f"by SAM 2.1 ({folder.name})"
    return {
        number: carry.Carrier(shot.frames, shot.flow, masks, rooms[number], shot.reuse, evidence)
        for number, masks in drawn.items()
    }, "along flow, colours and own motion"


def _moving(shot: Shot, inputs: Inputs, report: Report) -> dict[str, Subject]:
    """What moves by itself, linked over time."""
    numbers = shot.frames.numbers
    grown = read_json(inputs["movers"] / "movers.json")["grow"]
    masks = segment.Segmenter(shot.frames, shot.flow, inputs["movers"], grown, shot.room, inputs.get("scene_movers"))
    masks.prepare(lambda done: report.progress(round(0.4 * HALF * done / len(numbers)), 2 * HALF, "edges of what moves"))
    found = linking.link(
        shot.frames, shot.flow, masks.mask, shot.labels,
        lambda done: report.progress(round(0.8 * HALF + 0.2 * HALF * done / len(numbers)), 2 * HALF, "subjects"),
    )
    if masks.suspected > 0.5:
        report.warning("Water, spray, smoke or leaves seem to move in this shot: what moves and cannot be followed was left out.")
    report.used = "what moves, by motion, colour and the scenery behind, linked along flow; colour guided edge"
    return choose(found, shot.flow.size[0] * shot.flow.size[1], len(numbers), shot.options)


def _write_layer(shot: Shot, layer: Layer, made_by: str, folder: Path, tell: Callable[[float], None]) -> None:
    """alpha/ and foreground/ of one subject."""
    numbers = shot.frames.numbers
    for done, frame in enumerate(numbers, 1):
        alpha_path, colour_path = (folder / kind / f"{FRAME % frame}.png" for kind in ("alpha", "foreground"))
        around = [other for other in shot.neighbours[frame] if other is not None]
        made_of = [f"{frame} {layer.ids} {layer.width} {made_by}", *(layer.made_of(other) for other in (frame, *around))]
        stand = [shot.reuse.has(path, kind, *made_of) for path, kind in ((alpha_path, "alpha"), (colour_path, "foreground"))]
        if not all(stand):
            alpha = layer.alpha(frame, around)
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
