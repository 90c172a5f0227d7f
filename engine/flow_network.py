"""Optical flow by RAFT: the way beside DIS, for a graphics card or for patience; torch, no stage."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from . import device as devices
from .media.frames import Frames
from .nets import raft

ROUNDS = 12


class Network:
    """The network on its device, which looks once at each frame, whatever it is compared with."""

    def __init__(self, weights: Path, device: torch.device, frames: Frames, size: tuple[int, int], keep: int) -> None:
        """`size` (W, H) of the working grid; `keep`: how many frames to remember, where memory allows."""
        self.net, self.device, self.frames, self.size = raft.load(weights, device), device, frames, size
        each = 4 * (raft.FEATURES + raft.HIDDEN + raft.CONTEXT) * size[0] * size[1] // raft.STEP**2  # bytes for a frame
        room = devices.memory_free(device) // 4 or raft.MOST  # where the system does not tell
        self.keep, self.most = max(2, min(keep, room // each)), min(raft.MOST, room)
        self._seen: OrderedDict[int, raft.Seen] = OrderedDict()

    @torch.inference_mode()
    def between(self, a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
        """Flow [H, W, 2] float32 px from frame a to frame b, and back."""
        with devices.autocast(self.device):
            seen = self._see(a), self._see(b)
            there, back = (self.net.flow(*pair, ROUNDS, self.most) for pair in (seen, seen[::-1]))
        return self._cut(there), self._cut(back)

    def _see(self, number: int) -> raft.Seen:
        if number not in self._seen:
            while len(self._seen) >= self.keep:
                self._seen.popitem(last=False)
            picture = torch.tensor(self.frames.rgb8(number, self.size)).permute(2, 0, 1)[None].to(self.device).float()
            self._seen[number] = self.net.see(F.pad(picture, self._margin(), mode="replicate"))
        self._seen.move_to_end(number)
        return self._seen[number]

    def _margin(self) -> tuple[int, int, int, int]:
        """Pixels added left, right, above and below, so that both sides are multiples of 8."""
        wide, high = (-side % raft.STEP for side in self.size)
        return wide // 2, wide - wide // 2, high // 2, high - high // 2

    def _cut(self, flow: torch.Tensor) -> np.ndarray:
        left, _, top, _ = self._margin()
        width, height = self.size
        return np.ascontiguousarray(flow[0, :, top : top + height, left : left + width].float().permute(1, 2, 0).cpu().numpy())
