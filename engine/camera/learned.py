"""Camera room: depth and motion that were learned together with a camera: points out of them, and the folder that holds them; no torch.

    learned/%06d.npz            inverse [h, w] in scene units
    learned/motion/%06d.npz     motion [h, w, 3] float16: of what moves by itself, to the next frame, world axes, scene units
    learned/prior.json          so that they read as a guess of depth
    learned/loss.json           the losses of every epoch
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..geometry.camera import Camera
from ..geometry.similarity import Similarity
from ..store import read_json, write_json, writing
from .tracks import Tracks

Array = NDArray[np.float64]
FOLDER = "learned"
NETWORK = "networks that learned from this clip alone"


def write(room: Path, numbers: list[int], depth: NDArray[np.float32], motion: NDArray[np.float32], curve: list[dict[str, float]]) -> None:
    """Depth [T, h, w] and motion [T - 1, h, w, 3] of a span, and how it was learned."""
    for number, plane in zip(numbers, depth):
        _save(room / FOLDER / f"{FRAME % number}.npz", inverse=(1 / np.maximum(plane, 1e-6)).astype(np.float32))
    for number, field in zip(numbers, motion):
        _save(room / FOLDER / "motion" / f"{FRAME % number}.npz", motion=field.astype(np.float16))
    write_json(room / FOLDER / "loss.json", curve)
    write_json(room / FOLDER / "prior.json", {"kind": "world", "network": NETWORK})


def moved(source: Path, target: Path, frames: list[tuple[int, int, Similarity]]) -> None:
    """The same in other worlds: (first, last, similarity) of every span. Nothing where nothing was learned."""
    if not (source / FOLDER / "prior.json").is_file():
        return
    for first, last, world in frames:
        for path in sorted((source / FOLDER).rglob("*.npz")):
            if not first <= int(path.stem) <= last:
                continue
            with np.load(path, allow_pickle=False) as held:
                if "inverse" in held.files:
                    out = {"inverse": (held["inverse"] / world.scale).astype(np.float32)}
                else:
                    out = {"motion": (world.scale * (held["motion"].astype(np.float32) @ world.rotation.T)).astype(np.float16)}
            _save(target / path.relative_to(source), **out)
    for name in ("prior.json", "loss.json"):
        write_json(target / FOLDER / name, read_json(source / FOLDER / name))


def loss_of(room: Path) -> list[dict[str, float]]:
    """The losses of every epoch of what was learned there; nothing where nothing was."""
    path = room / FOLDER / "loss.json"
    return read_json(path) if path.is_file() else []


def points(camera: Camera, rows: NDArray[np.int64], depth: NDArray[np.float32], tracks: Tracks, size: tuple[int, int]) -> Array:
    """A world point [P, 3] for every track: the median of where its views see it, by the depth [T, h, w] of the span's `rows`."""
    scaled = camera.scaled(size)
    high, wide = depth.shape[1:]
    seen = np.zeros((len(tracks.xy), 3))
    for view in np.unique(tracks.view):
        at = tracks.view == view
        place = (tracks.xy[at] * (wide / size[0], high / size[1]) - 0.5).astype(np.float32)
        z = cv2.remap(depth[view], place[:, 0], place[:, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).ravel()
        row = rows[view]
        rays = np.concatenate([(tracks.xy[at] - scaled.centre[row]) / scaled.focal[row], np.ones((at.sum(), 1))], 1)
        pose = scaled.world_from_camera[row]
        seen[at] = (rays * z[:, None]) @ pose[:3, :3].T + pose[:3, 3]
    order = np.argsort(tracks.track, kind="stable")
    groups = np.split(seen[order], np.flatnonzero(np.diff(tracks.track[order])) + 1)
    return np.stack([np.median(group, 0) for group in groups]) if len(seen) else np.zeros((0, 3))


def _save(path: Path, **arrays: Any) -> None:
    with writing(path) as file:
        np.savez(file, **arrays)
