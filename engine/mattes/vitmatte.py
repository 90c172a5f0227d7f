"""The mattes room, soft edges by ViTMatte (Yao et al. 2023) as transformers holds it; needs torch, knows no Blender."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .. import device as devices
from .. import pretrained

Mask = NDArray[np.bool_]
Picture = NDArray[np.float32]

KINDS = {"vitmatte": "VitMatteForImageMatting"}
MULTIPLE = 32  # px that height and width are multiples of
LONGEST = 1536  # px: larger parts of a picture are looked at smaller, since memory grows with the square


class Matter:
    """ViTMatte of a folder on a device."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._net = pretrained.load(folder, KINDS, "soft edges").to(device)
        self._device, self.mark = device, pretrained.mark(folder)

    @torch.inference_mode()
    def within(self, picture: Picture, sure: Mask, maybe: Mask) -> Picture:
        """Alpha [H, W] between what is surely inside and what is not even maybe; picture [H, W, 3] RGB 0..1."""
        height, width = sure.shape
        if not (maybe & ~sure).any():
            return sure.astype(np.float32)
        scale = min(1.0, LONGEST / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        trimap = np.where(sure, 1.0, np.where(maybe, 0.5, 0.0)).astype(np.float32)
        parts = [(picture - 0.5) / 0.5, trimap[..., None]]
        inputs = np.dstack([cv2.resize(part, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1) for part in parts])
        inputs = np.pad(inputs, ((0, -size[1] % MULTIPLE), (0, -size[0] % MULTIPLE), (0, 0)))
        with devices.autocast(self._device):
            told = self._net(pixel_values=torch.from_numpy(inputs).permute(2, 0, 1)[None].to(self._device)).alphas
        alpha = cv2.resize(told[0, 0, : size[1], : size[0]].float().cpu().numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
        return np.where(maybe & ~sure, alpha, sure).astype(np.float32)
