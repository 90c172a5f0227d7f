"""The slow-motion room, depth between frames: each frame's depth is carried to the new time in space, never cross-faded; numpy, OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from .between import Plan
from .look import look

Map = NDArray[np.float32]  # [H, W]
SAME = 0.08  # depths nearer than this (relative) are one surface, seen twice
EDGE = 0.02  # a bilinear sample further than this from its nearest pixel straddles an edge


@dataclass(frozen=True)
class View:
    """The depth [H, W] of one frame (0 = unknown) with its confidence, and where its camera stood."""

    depth: Map
    confidence: Map
    rays: NDArray[np.float32]  # [H, W, 3], z = 1
    world_from_camera: NDArray[np.float64]


def view(camera: Camera, row: int, depth: Map, confidence: Map) -> View:
    """The view of a row of a camera."""
    rays = camera.rays(row, (depth.shape[1], depth.shape[0])).astype(np.float32)
    return View(depth, confidence, rays, camera.world_from_camera[row])


def between(plan: Plan, first: View, second: View, world_from_camera: NDArray[np.float64]) -> tuple[Map, Map]:
    """Depth and confidence [H, W] for the camera at the plan's time.

    A point found in both frames moves on a straight line in space between them (still points stay where they are); where the two
    disagree they are two surfaces, and the frame that sees the pixel decides. Likewise between the motion hypotheses.
    """
    best = np.full(first.depth.shape, -1, np.float32)
    depth, confidence = np.zeros_like(first.depth), np.zeros_like(first.depth)
    camera_from_world = np.linalg.inv(world_from_camera)
    for one in plan.hypotheses:
        za, ca = _carried(first, one.to_first, camera_from_world)
        zb, cb = _carried(second, one.to_second, camera_from_world)
        only_a, only_b = (za > 0) & (zb <= 0), (zb > 0) & (za <= 0)
        share = np.where(only_a, 1, np.where(only_b, 0, one.share))
        same = (np.abs(za - zb) < SAME * np.minimum(za, zb)) & ~only_a & ~only_b
        share = np.where(same, 1 - plan.t, share > 0.5).astype(np.float32)
        z, c = za * share + zb * (1 - share), ca * share + cb * (1 - share)
        better = (one.weight * (0.2 + c) * (z > 0)) > best
        best = np.where(better, one.weight * (0.2 + c), best)
        depth, confidence = np.where(better, z, depth), np.where(better, c, confidence)
    return depth, np.clip(confidence, 0, 1)


def _carried(view: View, offset: NDArray[np.float32], camera_from_world: NDArray[np.float64]) -> tuple[Map, Map]:
    """Depth along the new camera's axis of what the view has at each pixel plus the offset, and its confidence; 0 = unknown."""
    z = sharp(view.depth, offset)
    ray = look(view.rays, offset)
    axis = (camera_from_world @ view.world_from_camera)[2].astype(np.float32)
    moved = z * (ray @ axis[:3]) + axis[3]
    known = (z > 0) & (moved > 1e-6)
    return np.where(known, moved, 0).astype(np.float32), np.where(known, look(view.confidence, offset), 0)


def sharp(depth: Map, offset: NDArray[np.float32]) -> Map:
    """Depth at each pixel plus the offset: bilinear inside surfaces, the nearest pixel at their edges, 0 outside the picture."""
    near, smooth = look(depth, offset, cv2.INTER_NEAREST), look(depth, offset)
    z = np.where(np.abs(smooth - near) < EDGE * near, smooth, near)
    high, wide = depth.shape
    x = np.arange(wide, dtype=np.float32)[None] + offset[..., 0]
    y = np.arange(high, dtype=np.float32)[:, None] + offset[..., 1]
    outside = (x < -0.5) | (x > wide - 0.5) | (y < -0.5) | (y > high - 0.5)
    return cv2.copyTo(z.astype(np.float32), (~outside).astype(np.uint8))
