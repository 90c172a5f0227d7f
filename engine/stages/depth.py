"""Stage depth: inverse depth of every frame from flow under the solved camera, movers set where they stand; no bpy.

Pass 1, frame by frame: closed-form triangulation of the still scene, filled behind what moves (kept in work/ meanwhile).
Pass 2: the stand of each mover is made steady over time, a network's depth is brought to the same scale where there is one, then the
frame is put together and written.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np

from .. import store
from ..camera.learned import FOLDER
from ..contract.artifacts import FRAME
from ..contract.options import Depth
from ..dense import guess, layers, parallel, sightings, subjects, summary, with_learned, without_parallax
from ..dense.fusion import Fusion, Part
from ..dense.joints import Joints
from ..dense.limits import limits
from ..dense.pooled import Pooled
from ..dense.shot import Shot
from ..failures import ShotFailure
from ..media.arrays import read_arrays
from ..media.frames import write_depth
from ..stage import Inputs, Report


def run(inputs: Inputs, options: Depth, report: Report, room: Path) -> None:
    """One %06d.exr per frame with Z and confidence, and depth.json."""
    told, guessed = inputs["orient"] / "report.json", guess.of(inputs.get("prior")) if options.trust > 0 else None
    shot = Shot(inputs["frames"], inputs["flow"], inputs["orient"], inputs["scene_movers"])
    if told.is_file() and store.read_json(told).get("motion") == "tripod":
        without_parallax.write(shot, guessed, report, room)
        return
    learned = guess.of(inputs["orient"] / FOLDER)
    if learned:
        with_learned.write(shot, learned, report, room, inputs.device)
        return
    numbers = shot.numbers
    solved = [number for number in numbers if shot.row(number) is not None]
    if len(solved) < 2:
        raise ShotFailure(
            "no-camera", "Depth needs a solved camera.", "Fewer than two frames of this shot have one.",
            "Solve a shot in which the camera moves sideways, forwards or round its subject.",
        )
    if len(solved) < len(numbers):
        report.warning(f"{len(numbers) - len(solved)} frames have no solved camera; their depth is unknown (0).")
    low, high = limits(shot, solved)
    work = room / "work"
    missing = [number for number in numbers if not summary.exr(room, number).is_file()]
    if missing or not (room / "depth.json").is_file():
        report.progress(0, len(solved) + len(missing))
        step = _counter(report, len(solved) + len(missing))
        todo = [number for number in solved if not _about(work, number).is_file()]
        step(len(solved) - len(todo))
        pooled = Pooled(shot, inputs["scene_movers"], options.noise, (low, high), inputs.device)
        parallel.each(todo, lambda number: _measure(shot, number, pooled, options.fill, work), inputs.device, step)
        told = [store.read_json(_about(work, number)) for number in solved]
        names = subjects.named(shot, solved, [len(about["stands"]) for about in told], lambda number: _labels(work, number))
        stands = subjects.belonging([about["stands"] for about in told], [about["joints"] for about in told], names)
        steady = subjects.steady(solved, stands, names)
        fusion = Fusion(shot, guessed, solved, lambda number: _read(work, number), low, options.trust) if guessed else None
        parallel.each(missing, lambda number: _finish(shot, number, work, steady, fusion, room), inputs.device, step)
        store.write_json(room / "depth.json", {**summary.of(room, numbers, shot.size), **_tell(told, stands, guessed)})
    about = store.read_json(room / "depth.json")
    report.used, report.figures = about["used"], {**report.figures, **about["figures"]}
    parallax, sure = report.figures["parallax_px"], report.figures["confident"]
    if sure < layers.BELIEVED and parallax * layers.BELIEVED < options.noise:
        seen = f"The camera travels so little that near and far part by {parallax} px: {sure:.1%} of the depth is sure."
        report.warning(f"{seen} Take more frames of the shot, or a depth network.")
    shutil.rmtree(work, ignore_errors=True)


def _counter(report: Report, total: int) -> Callable[..., None]:
    done = itertools.count(1)

    def step(count: int = 1) -> None:
        for _ in range(count):
            report.progress(next(done), total)

    return step


def _measure(shot: Shot, number: int, pooled: Pooled, strength: float, work: Path) -> None:
    """Pass 1 for one frame: its background, filled with so much `strength`, its moving pieces and where they stand."""
    known = pooled.frame(number)
    if known is None:
        store.write_json(_about(work, number), {"parallax": 0.0, "sure": 0.0, "stands": [], "joints": []})
        return
    found, neighbours, far = known
    row = shot.row(number)
    seen = sightings.witnesses(shot, number, sightings.telling(shot, number, neighbours), pooled.device)
    scene = layers.background(
        found, shot.movers(number), shot.likely(number), far, shot.picture(number), shot.rays(row), seen, pooled.bounds[0], strength,
        pooled.elsewhere(number) if shot.movers(number).any() else None,
    )
    up = np.stack([shot.camera.world_from_camera[row, 2, :3], [0.0, -1.0, 0.0]])  # the world's up, and the picture's
    stands, labels = layers.stands(scene, shot.rays(row), up, float(shot.camera.place[row, 2]))
    joints = Joints(shot, number, scene.rho, scene.beside, scene.free, pooled.device)
    with store.writing(_part(work, number)) as file:
        np.savez(file, rho=scene.rho, information=scene.information, confidence=scene.confidence, labels=labels.astype(np.uint16))
    store.write_json(_about(work, number), {
        "parallax": round(max(other.parallax for other in neighbours), 3), "sure": round(float((scene.confidence > 0.5).mean()), 4),
        "stands": [[stand.rho, stand.sure, stand.kind] for stand in stands],
        "joints": [joints.near(labels == k + 1, stand) for k, stand in enumerate(stands)],
    })


def _finish(shot: Shot, number: int, work: Path, steady: dict[int, subjects.Stands], fusion: Fusion | None, room: Path) -> None:
    """Pass 2 for one frame: both layers, as depth."""
    part = _read(work, number)
    if fusion and number in fusion.bends:
        rho, confidence, _ = fusion.frame(number, part, *steady[number])
    elif part is None:  # no camera or no neighbour: unknown
        nothing = np.zeros(shot.size[::-1], np.float32)
        write_depth(summary.exr(room, number), nothing, nothing)
        return
    else:
        rho, confidence = layers.compose(part.rho, part.confidence, part.labels, *steady[number])
    write_depth(summary.exr(room, number), (1 / rho).astype(np.float32), confidence.astype(np.float32))


def _tell(seen: list[dict[str, Any]], stands: list[subjects.Told], guessed: guess.Guess | None) -> dict[str, Any]:
    """What was done and measured, for depth.json and the report."""
    kinds = [stand[2] for some in stands for stand in some]
    used = "inverse depth in closed form from flow to several neighbours"
    if kinds:
        told = {"ground": ", movers where they touch the ground", "guess": ", movers whose feet are below the picture at a guess"}
        told["joint"] = ", movers as far off as the still body they belong to"
        used += next((told[kind] for kind in told if kind in kinds), ", movers just before what they hide")
    if guessed:
        used += f"; fused with {guessed.network}"
    return {"used": used, "figures": {
        "parallax_px": round(float(np.median([about["parallax"] for about in seen])), 2),
        "confident": round(float(np.mean([about["sure"] for about in seen])), 4),
        "movers_on_ground": round(kinds.count("ground") / len(kinds), 3) if kinds else None,
        "movers_joined": round(kinds.count("joint") / len(kinds), 3) if kinds else None,
        "movers_guessed": round(kinds.count("guess") / len(kinds), 3) if kinds else None,
    }}


def _part(work: Path, number: int) -> Path:
    return work / f"{FRAME % number}.npz"


def _read(work: Path, number: int) -> Part | None:
    if not _part(work, number).is_file():
        return None
    held = read_arrays(_part(work, number))
    return Part(held["rho"], held["information"], held["confidence"], held["labels"])


def _labels(work: Path, number: int) -> np.ndarray:
    return read_arrays(_part(work, number))["labels"]


def _about(work: Path, number: int) -> Path:
    return work / f"{FRAME % number}.json"
