"""Stage orient: the solve turned upright, set on its floor and scaled; imports the camera room and geometry, no bpy, no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import learned, segments
from ..camera import outcome as outcomes
from ..camera.outcome import Outcome
from ..contract.options import Orient
from ..geometry import ground, upright
from ..geometry.similarity import Similarity
from ..media.frames import Frames, working_size
from ..stage import Inputs, Report
from ..store import write_json

Array = NDArray[np.float64]
UP = np.array([0.0, 0, 1])
SLABS = (0.0025, 0.005, 0.01, 0.02)  # half thickness of a floor, as part of the points' median distance
LOOKS = 960  # px, longest side at which pictures are searched for straight edges
TELLS = 2.0  # log likelihood by which a witness must speak for up to be named
UNSURE = 0.6


def run(inputs: Inputs, options: Orient, report: Report, room: Path) -> None:
    """The solve's files in world axes (z up, floor at z = 0, first camera above the origin), and similarity.json."""
    solved, frames = outcomes.read(inputs["solve"]), Frames(inputs["frames"])
    if options.up == "none" or solved.report.get("world") == "given":
        found = [(span, Similarity(), _told("as solved" if options.up == "none" else "as given", "arbitrary", 0.0)) for span in _spans(solved)]
    else:
        found = [(span, *_upright(solved, span, options.height, frames)) for span in _spans(solved)]
    turned = _moved(solved, found)
    lead = max(found, key=lambda entry: entry[0]["last"] - entry[0]["first"])[2]
    about = {**solved.report, "scale": lead["scale"], "up": lead}
    turned = replace(turned, report=about)
    turned.write(room)
    learned.moved(inputs["solve"], room, [(span["first"], span["last"], move) for span, move, _ in found])
    write_json(room / "similarity.json", [
        {"first": span["first"], "last": span["last"], "scale": move.scale, "rotation": move.rotation.tolist(),
         "translation": move.translation.tolist(), **told} for span, move, told in found
    ])
    report.used = f"up from {lead['from']}; scale {lead['scale']}"
    report.figures.update(scale=lead["scale"], up_confidence=lead["confidence"], floor_share=lead.get("floor_share", 0.0))
    if not lead["from"].startswith("as ") and lead["confidence"] < UNSURE:
        report.warning(f"Up is uncertain ({lead['from']}, confidence {lead['confidence']:.2f}); check it, and correct it by three points of the floor.")
    if lead["scale"] == "arbitrary" and not lead["from"].startswith("as "):
        report.warning("No floor was found below the camera, so the scale stays arbitrary; set it by a known distance.")
    report.progress(1, 1)


def _spans(solved: Outcome) -> list[dict[str, Any]]:
    return [span for span in solved.report["spans"] if span["solved"]]


def _rows(solved: Outcome, span: dict[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the camera that are solved, and of the points, that belong to a span."""
    inside = (solved.camera.frame >= span["first"]) & (solved.camera.frame <= span["last"])
    of_span = (solved.frame >= span["first"]) & (solved.frame <= span["last"])
    return np.flatnonzero(inside & solved.camera.solved), np.unique(solved.track[of_span])


def _told(source: str, scale: str, confidence: float, **more: float) -> dict[str, Any]:
    return {"from": source, "scale": scale, "confidence": round(confidence, 3), **more}


def _upright(solved: Outcome, span: dict[str, Any], height: float, frames: Frames) -> tuple[Similarity, dict[str, Any]]:
    """The similarity world <- solve of one span, and where it comes from."""
    rows, points = _rows(solved, span)
    poses, xyz = solved.camera.world_from_camera[rows], solved.xyz[points]
    place = poses[:, :3, 3]
    if solved.report.get("motion") == "tripod":  # its points are mere directions
        xyz = xyz[:0]
    away = np.linalg.norm(xyz - np.median(place, axis=0), axis=1)
    reach = float(np.median(away)) if len(away) else 1.0
    near = xyz[away < 4 * reach]
    size = working_size(frames.size, LOOKS)
    edges = segments.gather(solved.camera, rows, lambda frame: frames.gray(frame, size))
    flat = ground.planes(near, 0.01 * reach)
    witness = upright.Witness(
        poses[:, :3, 0], poses[:, :3, 2], edges.middle, edges.way, edges.weight,
        np.array([plane.normal for plane in flat]).reshape(-1, 3), np.array([plane.share for plane in flat]),
    )
    up, sure = upright.find(witness)
    source = _sources(witness, up)
    low = float((place @ up).min())
    floor = ground.floor(near @ up, low, tuple(slab * reach for slab in SLABS)) if len(near) else None
    if floor is None:
        return _settled(poses, up, 1.0, float(place[0] @ up)), _told(source, "arbitrary", sure)
    level, share = floor
    scale = height / float(np.median(place @ up - level))
    return _settled(poses, up, scale, level), _told(source, "assumed", sure, floor_share=round(share, 3), height=height)


def _sources(witness: upright.Witness, up: Array) -> str:
    """Which witnesses speak for this up, in words."""
    spoke = [("straight edges", upright.built), ("planes", upright.standing)]
    return " and ".join(["the camera's level", *(name for name, says in spoke if says(witness, up[None])[0] > TELLS)])


def _settled(poses: Array, up: Array, scale: float, level: float) -> Similarity:
    """Up becomes +z, the first camera looks along +y from above the origin, and `level` along up becomes z = 0."""
    turn = ground.turn_onto(up, UP)
    ahead = turn @ poses[0, :3, 2]
    angle = np.pi / 2 - np.arctan2(ahead[1], ahead[0]) if np.hypot(*ahead[:2]) > 1e-6 else 0.0
    heading = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turn = heading @ turn
    first = turn @ poses[0, :3, 3]
    return Similarity(scale, turn, -scale * np.array([first[0], first[1], level]))


def _moved(solved: Outcome, found: list[tuple[dict[str, Any], Similarity, dict[str, Any]]]) -> Outcome:
    poses, xyz = solved.camera.world_from_camera.copy(), solved.xyz.copy()
    for span, move, _ in found:
        inside = (solved.camera.frame >= span["first"]) & (solved.camera.frame <= span["last"])
        points = _rows(solved, span)[1]
        poses[inside] = move.poses(solved.camera.world_from_camera[inside])
        xyz[points] = move.points(solved.xyz[points])
    return replace(solved, camera=replace(solved.camera, world_from_camera=poses), xyz=xyz)
