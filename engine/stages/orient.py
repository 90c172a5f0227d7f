"""Stage orient: the solve turned upright, set on its floor and scaled; imports the camera room and geometry, no bpy, no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import outcome as outcomes
from ..camera.outcome import Outcome
from ..contract.options import Orient
from ..geometry import ground
from ..geometry.similarity import Similarity
from ..stage import Inputs, Report
from ..store import write_json

Array = NDArray[np.float64]
UP = np.array([0.0, 0, 1])
SLABS = (0.0025, 0.005, 0.01, 0.02)  # half thickness of a floor, as part of the points' median distance; the best is full for how thin it is
FLOOR = 0.1  # part of the points that a floor must hold


def run(inputs: Inputs, options: Orient, report: Report, room: Path) -> None:
    """The solve's files in world axes (z up, floor at z = 0, first camera above the origin), and similarity.json."""
    solved = outcomes.read(inputs["solve"])
    if options.up == "none":
        found = [(span, Similarity(), _told("as solved", "arbitrary", 0.0)) for span in _spans(solved)]
    else:
        found = [(span, *_upright(solved, span, options.height)) for span in _spans(solved)]
    turned = _moved(solved, found)
    lead = max(found, key=lambda entry: entry[0]["last"] - entry[0]["first"])[2]
    about = {**solved.report, "scale": lead["scale"], "up": lead}
    turned = replace(turned, report=about)
    turned.write(room)
    write_json(room / "similarity.json", [
        {"first": span["first"], "last": span["last"], "scale": move.scale, "rotation": move.rotation.tolist(),
         "translation": move.translation.tolist(), **told} for span, move, told in found
    ])
    report.used = f"up from {lead['from']}; scale {lead['scale']}"
    report.figures.update(scale=lead["scale"], up_confidence=lead["confidence"], floor_share=lead.get("floor_share", 0.0))
    if lead["scale"] == "arbitrary":
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


def _upright(solved: Outcome, span: dict[str, Any], height: float) -> tuple[Similarity, dict[str, Any]]:
    """The similarity world <- solve of one span, and where it comes from."""
    rows, points = _rows(solved, span)
    poses, xyz = solved.camera.world_from_camera[rows], solved.xyz[points]
    place = poses[:, :3, 3]
    up, trust = ground.up_of_cameras(poses[:, :3, :3])
    floor = _floor(xyz, place, up, poses[:, :3, 0].mean(0), 0.3 - 0.2 * trust)
    if floor is None:
        return _settled(poses, up, 1.0, float(place[0] @ up)), _told("the camera's level", "arbitrary", 0.5 * trust)
    # A plain floor is a better level than a hand.
    up = floor.normal
    above = float(np.median(place @ up - floor.offset))
    scale = height / above
    told = _told("floor and the camera's level", "assumed", float(np.clip(0.5 + floor.share, 0, 1)), floor_share=round(floor.share, 3), height=height)
    return _settled(poses, up, scale, floor.offset), told


def _floor(xyz: Array, place: Array, up: Array, right: Array, doubt: float) -> ground.Plane | None:
    """The plane below the camera that holds enough of the points."""
    middle = np.median(place, axis=0)
    reach = float(np.median(np.linalg.norm(xyz - middle, axis=1)))
    near = xyz[np.linalg.norm(xyz - middle, axis=1) < 4 * reach]
    below = near[(near - middle) @ up < -0.02 * reach]
    found = []
    for slab in SLABS:
        floor = ground.dominant_plane(below, up, slab * reach, within=0.35, right=right, doubt=doubt, rounds=1000)
        if floor is None or floor.share * len(below) < FLOOR * len(near):
            continue
        clear = place @ floor.normal - floor.offset
        if clear.min() > 0.02 * reach:
            found.append((floor.share / slab**0.5, replace(floor, share=float(floor.share * len(below) / len(near)))))
    return max(found, key=lambda entry: entry[0])[1] if found else None


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
