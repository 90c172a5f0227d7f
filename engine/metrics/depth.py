"""Depth metrics with one scale for a whole shot: AbsRel, delta, and the error over time along true flow; numpy and OpenCV alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.floating]
Mask = NDArray[np.bool_]


def shot_scale(depths: list[Picture], truths: list[Picture], valid: list[Mask]) -> float:
    """The one factor that brings a whole shot to true scale: the median of log(truth / depth) over all its valid pixels."""
    logs = [np.log(truth[mask] / depth[mask])[::7] for depth, truth, mask in zip(depths, truths, valid)]
    pooled = np.concatenate(logs) if logs else np.zeros(0)
    return float(np.exp(np.median(pooled))) if len(pooled) else 1.0


@dataclass
class Score:
    """Sums over the frames of a shot; `figures` gives the means over pixels."""

    pixels: int = 0
    relative: float = 0.0
    near: int = 0
    exact: int = 0
    _errors: list[NDArray[np.floating]] = field(default_factory=list)

    def add(self, depth: Picture, truth: Picture, mask: Mask) -> None:
        """One frame, already at the scale of the truth; only pixels in `mask` count."""
        found, true = depth[mask].astype(np.float64), truth[mask].astype(np.float64)
        error = np.abs(found - true) / true
        self.pixels += len(true)
        self.relative += float(error.sum())
        self.near += int((np.maximum(found / true, true / np.maximum(found, 1e-12)) < 1.25).sum())
        self.exact += int((error < 0.04).sum())
        self._errors.append(error[::29])

    def figures(self) -> dict[str, float]:
        """absrel; delta: share within a factor of 1.25; exact: share within 4 %; p90: the 90th percentile of the error."""
        count = max(1, self.pixels)
        errors = np.concatenate(self._errors) if self._errors else np.zeros(1)
        return {
            "absrel": round(self.relative / count, 5), "delta": round(self.near / count, 5), "exact": round(self.exact / count, 5),
            "p90": round(float(np.percentile(errors, 90)) if len(errors) else 0.0, 5), "pixels": self.pixels,
        }


def evaluate(depths: list[Picture], truths: list[Picture], valid: list[Mask], moving: list[Mask]) -> dict[str, dict[str, float]]:
    """Figures of a shot for still and moving pixels apart, after one scale for the whole shot, fitted on still pixels."""
    known = [mask & (depth > 0) for mask, depth in zip(valid, depths)]
    scale = shot_scale(depths, truths, [mask & ~mover for mask, mover in zip(known, moving)])
    still, mover = Score(), Score()
    for depth, truth, mask, moved in zip(depths, truths, known, moving):
        still.add(scale * depth, truth, mask & ~moved)
        mover.add(scale * depth, truth, mask & moved)
    unknown = 1 - sum(int(mask.sum()) for mask in known) / max(1, sum(int(mask.sum()) for mask in valid))
    return {"still": still.figures(), "moving": mover.figures(), "shot": {"scale": scale, "unknown": round(unknown, 5)}}


def temporal(depths: list[Picture], truths: list[Picture], flows: list[Picture], visible: list[Mask]) -> float:
    """Mean flicker: how much the log error of depth changes along true flow from each frame to the next.

    `flows` [H, W, 2] px lead from frame k to k + 1, `visible` marks pixels that are seen in both. A depth that is wrong
    by the same factor everywhere and always does not flicker.
    """
    total, count = 0.0, 0
    for k, (flow, seen) in enumerate(zip(flows, visible)):
        errors = [np.log(np.maximum(depths[j], 1e-9) / np.maximum(truths[j], 1e-9)).astype(np.float32) for j in (k, k + 1)]
        y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
        later = cv2.remap(errors[1], x + flow[..., 0].astype(np.float32), y + flow[..., 1].astype(np.float32), cv2.INTER_NEAREST)
        mask = seen & (depths[k] > 0) & (truths[k] > 0)
        total, count = total + float(np.abs(later - errors[0])[mask].sum()), count + int(mask.sum())
    return total / max(1, count)


def silhouettes(truth: Picture, reach: int = 8, jump: float = 1.12) -> Mask:
    """Pixels [H, W] within `reach` px of where true depth jumps by more than a factor; what has no truth is far away."""
    log = np.log(np.where(truth > 0, truth, 1e3))
    edge = np.zeros(truth.shape, bool)
    for axis in (0, 1):
        step = np.abs(np.diff(log, axis=axis)) > np.log(jump)
        edge |= np.insert(step, 0, False, axis) | np.insert(step, step.shape[axis], False, axis)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(edge.astype(np.uint8), kernel) > 0


def rim(depths: list[Picture], truths: list[Picture], valid: list[Mask]) -> float:
    """AbsRel over pixels near true silhouettes, still and moving, after the one scale of the shot."""
    known = [mask & (depth > 0) for mask, depth in zip(valid, depths)]
    scale = shot_scale(depths, truths, known)
    errors = [np.abs(scale * depth / np.maximum(truth, 1e-9) - 1)[mask & silhouettes(truth)] for depth, truth, mask in zip(depths, truths, known)]
    pooled = np.concatenate(errors) if errors else np.zeros(0)
    return float(pooled.mean()) if len(pooled) else 0.0
