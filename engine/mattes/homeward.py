"""The mattes room, the way from any frame back to a drawn one: flow after flow, as long as each holds and the colours still agree.

Hops over many frames are taken where they hold, so that few add up; what came to light later has no way home. numpy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .subjects import fetch

Picture = NDArray[np.float32]  # [H, W] or [H, W, 3]
Field = tuple[NDArray[np.float32], Picture]  # flow [H, W, 2] px and how far it holds, 0..1

LIKE = 0.08  # difference of colour (0..1) at which the key's word counts 0.6
HOLDS = 0.5  # of a hop, and of all before it


class Homeward:
    """Frames come in the order in which the mask is carried. `field(a, b)` is the flow from a to b; key: mask and picture [H, W, 3], 0..1."""

    def __init__(self, key: int, mask: Picture, picture: Picture, gaps: list[int], field: Callable[[int, int], Field | None]) -> None:
        height, width = mask.shape
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._home, self._gaps, self._field = np.dstack([x, y, np.zeros_like(x)]), sorted(gaps), field
        self._ways = {key: np.dstack([x, y, np.ones_like(x)])}  # frame -> x and y in the key, and whether that holds
        self._key = np.dstack([cv2.blur(picture, (3, 3)), mask]).astype(np.float32)

    def has(self, frame: int) -> bool:
        """Whether the way from a frame is known."""
        return frame in self._ways

    def step(self, frame: int, way: int) -> None:
        """The next frame on the way; `way` is 1 onward and -1 backward."""
        found = self._home
        for gap in self._gaps:
            before = self._ways.get(frame - way * gap)
            flow = self._field(frame, frame - way * gap) if before is not None else None
            if before is not None and flow is not None:
                there = fetch(before, flow[0])
                there[..., 2] *= flow[1]
                found = np.where((there[..., 2] >= (0 if found is self._home else HOLDS))[..., None], there, found)
        self._ways[frame] = found
        for old in [other for other in self._ways if abs(other - frame) > self._gaps[-1]]:
            del self._ways[old]

    def says(self, frame: int, picture: Picture) -> Picture:
        """-1..1 [H, W]: outside or inside on the key, by how surely the same point is seen there; picture [H, W, 3] 0..1."""
        there = self._ways[frame]
        at = cv2.remap(self._key, there[..., 0], there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        apart = np.square(at[..., :3] - cv2.blur(picture, (3, 3))).sum(-1)
        return there[..., 2] * np.exp(apart * np.float32(-0.5 / LIKE**2)) * (2 * at[..., 3] - 1)
