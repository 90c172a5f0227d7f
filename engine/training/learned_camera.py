"""Training room: a clip's camera, depth and motion out of the networks that learn them from the clip alone; no stage, no Blender.

The way out where points cannot be followed: rough, in a scale of its own, but it needs neither texture nor a still world.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..failures import RequestFailure, ShotFailure
from ..media.frames import Frames
from ..nets.depth_resnet import fitting
from .depth_motion import ALIKE, Clip, Learner, Settings, learn, say
from .motion_losses import Scene, fetch, move, other, rotations

Array = NDArray[np.float64]
EPOCHS, STEPS, BATCH = 20, 40, 4  # a usual training
FLOW = 1.0  # weight of the agreement with optical flow
LONGEST = 4  # frames between the two of a pair at most, where the camera hardly moves from one to the next
EXPLAINED = 0.1  # of the difference between two pictures that what was learned must explain, to count as learned
TELLING = 3 * ALIKE  # mean difference of two pictures, of 1, from which a pair teaches well


@dataclass(frozen=True)
class Span:
    """What was learned of one stretch between cuts; in a world of its own, whose first camera is the origin."""

    numbers: list[int]
    world_from_camera: Array  # [T, 4, 4]
    depth: NDArray[np.float32]  # [T, h, w]
    motion: NDArray[np.float32]  # [T - 1, h, w, 3] of what moves by itself, to the next frame, in world axes
    focal: Array  # [2] px at (w, h)
    centre: Array  # [2] px at (w, h)


def learned(
    frames: Frames, longest: int, effort: float, start: str, device: torch.device, room: Path, after: Callable[[int, int, float, Path, int], None],
) -> tuple[list[Span], list[dict[str, float]]]:
    """Every span with at least three frames, and the losses of every epoch. `after` hears epochs done and in all, the loss, and a preview with its frame."""
    spans = [span for span in frames.spans() if len(span) >= 3]
    if not spans:
        raise ShotFailure(
            "too-short", "The camera cannot be learned.", "There are fewer than three frames between cuts.", "Give a longer part of the clip.",
        )
    size = fitting(frames.size, longest)
    clips = [np.stack([cv2.resize(frames.rgb8(number), size, interpolation=cv2.INTER_AREA) for number in span]) for span in spans]
    settings = Settings(epochs=max(1, round(EPOCHS * effort)), steps=STEPS, batch=BATCH, gap=_gap(clips), width=_width(start), flow=FLOW)
    middle = spans[0][len(spans[0]) // 2]

    def told(learner: Learner, curve: list[dict[str, float]], look: Path) -> None:
        after(len(curve), settings.epochs, curve[-1]["total"], look, middle)

    try:
        learner, curve = learn(clips, settings, room, device, told, Path(start) if start else None)
    except ValueError:
        raise ShotFailure(
            "no-motion", "The camera cannot be learned.", "The pictures hardly differ: nothing tells near from far.",
            "Nothing needs solving: place a still camera by hand. Mattes and slow motion work without it.",
        ) from None
    explained = _explained(learner, clips, settings.gap, device)
    if explained < EXPLAINED:
        raise ShotFailure(
            "not-learned", "The camera was not learned.",
            f"What the networks say explains {100 * max(0.0, explained):.0f} % of the change from frame to frame: no more than chance.",
            "Let them learn longer, best on a graphics card, or start from networks trained on more footage.", {"solve": {"effort": 4 * effort}},
        )
    return [_span(learner, clip, numbers, device) for clip, numbers in zip(clips, spans)], curve


def _explained(learner: Learner, clips: list[Clip], gap: int, device: torch.device) -> float:
    """How much less two pictures differ once the one is warped onto the other: 1 is all, 0 and below no better than leaving them as they are."""
    warped = plain = 0.0
    for clip in clips:
        for first in range(0, len(clip) - gap, max(1, len(clip) // 8)):
            scene = say(learner, clip[first], clip[first + gap], device)
            moved = move(scene.depth, scene.intrinsics, rotations(scene.rotation), scene.background + scene.residual)
            seen = moved.inside[:, None]
            warped += float(((fetch(other(scene.rgb), moved.place) - scene.rgb).abs() * seen).sum())
            plain += float(((other(scene.rgb) - scene.rgb).abs() * seen).sum())
    return 1 - warped / plain if plain > 0 else 0.0


def _gap(clips: list[Clip]) -> int:
    """The least distance of frames at which the pictures differ enough."""
    for gap in range(1, LONGEST):
        apart = [np.abs(b.astype(np.int16) - a).mean() for clip in clips for a, b in zip(clip[::4], clip[gap::4])]
        if apart and np.median(apart) > 255 * TELLING:
            return gap
    return min(LONGEST, min(len(clip) for clip in clips) - 1)


def _width(start: str) -> float:
    """Of the networks in a trained state, or the usual one."""
    if not start:
        return Settings().width
    try:
        with np.load(start, allow_pickle=False) as held:
            return float(json.loads(str(held["about"]))["width"])
    except (OSError, ValueError, KeyError) as error:
        raise RequestFailure(
            "weights-damaged", "The trained networks cannot be read.", f"{Path(start).name}: {error}.".replace("..", "."),
            "Choose the last.npz that `python -m engine train depth_motion` wrote, or leave it empty.", {"solve": {"start": ""}},
        ) from None


def _span(learner: Learner, clip: Clip, numbers: list[int], device: torch.device) -> Span:
    depth, motions, steps, lenses = [], [], [], []
    for first, second in zip(clip, clip[1:]):
        scene = say(learner, first, second, device)
        if not depth:
            depth.append(scene.depth[0, 0].cpu().numpy())
        depth.append(scene.depth[1, 0].cpu().numpy())
        steps.append(_step(scene))
        motions.append(scene.residual[0].permute(1, 2, 0).cpu().numpy())
        lenses.append(scene.intrinsics[0].double().cpu().numpy())
    poses = [np.eye(4)]
    for step in steps:
        poses.append(poses[-1] @ np.linalg.inv(step))
    lens = np.median(np.stack(lenses), 0)
    world = np.stack(poses)
    moved = np.stack([field @ pose[:3, :3].T.astype(np.float32) for field, pose in zip(motions, world[1:])])
    # The networks count pixels from the middle of the first; we from its corner.
    return Span(numbers, world, np.stack(depth), moved, lens[[0, 1], [0, 1]], lens[:2, 2] + 0.5)


def _step(scene: Scene) -> Array:
    """[4, 4] second camera <- first camera: the mean of the way there and the way back turned round."""
    turn = rotations(scene.rotation).double().cpu().numpy()
    way = scene.background[:, :, 0, 0].double().cpu().numpy()
    back = turn[1].T
    u, _, vt = np.linalg.svd(turn[0] + back)
    out = np.eye(4)
    out[:3, :3] = u @ vt
    out[:3, 3] = 0.5 * (way[0] - back @ way[1])
    return out


def placed(span: Span, turn: Array, scale: float) -> Span:
    """The same in a world turned [3, 3] and scaled."""
    poses = span.world_from_camera.copy()
    poses[:, :3, :3] = turn @ poses[:, :3, :3]
    poses[:, :3, 3] = scale * poses[:, :3, 3] @ turn.T
    return replace(
        span, world_from_camera=poses, depth=(scale * span.depth).astype(np.float32), motion=(scale * span.motion @ turn.T).astype(np.float32),
    )
