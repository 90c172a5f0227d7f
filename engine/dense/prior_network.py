"""Dense room: MiDaS (DPT) and Depth Anything V2 as transformers holds them, one picture at a time; torch, no stage.

Pictures are prepared here, for transformers' own preparation needs torchvision.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .. import device as devices
from .. import pretrained
from ..pretrained import DEVIATION, MEAN

NAMES = {"dpt": "MiDaS (DPT)", "depth_anything": "Depth Anything"}
KINDS = {"dpt": "DPTForDepthEstimation", "depth_anything": "DepthAnythingForDepthEstimation"}
DEEPEST = 1e-4  # 1/m: metric networks are not believed beyond ten kilometres


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes the network's input."""

    size: tuple[int, int]  # (H, W) to come near to
    keep_aspect: bool
    multiple: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def target(self, size: tuple[int, int], longest: int = 0) -> tuple[int, int]:
        """(H, W) of the input for a picture of `size` (W, H), scaled as little as possible; or with the longer side near `longest`."""
        width, height = size
        high, wide = self.size[0] / height, self.size[1] / width
        if longest:
            high = wide = longest / max(size)
        elif self.keep_aspect:
            high = wide = wide if abs(1 - wide) < abs(1 - high) else high
        return tuple(max(self.multiple, round(scale * side / self.multiple) * self.multiple) for scale, side in ((high, height), (wide, width)))

    def __call__(self, picture: NDArray[np.uint8], longest: int = 0) -> torch.Tensor:
        """RGB [H, W, 3] of 8 bit -> [1, 3, h, w], normalised."""
        high, wide = self.target((picture.shape[1], picture.shape[0]), longest)
        down = high < picture.shape[0] and wide < picture.shape[1]
        small = cv2.resize(picture.astype(np.float32) / 255, (wide, high), interpolation=cv2.INTER_AREA if down else cv2.INTER_CUBIC)
        return torch.from_numpy((small - np.float32(self.mean)) / np.float32(self.deviation)).permute(2, 0, 1)[None].float()


class Network:
    """A folder's network on a device. `metric` tells whether it gives metres, `name` what it is."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._net = pretrained.load(folder, KINDS, "depth").to(device)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.device = device
        self.metric = config.get("depth_estimation_type") == "metric"
        self.name = NAMES[config["model_type"]] + (", metric" if self.metric else "")
        self._prepare = preparation(folder, config)

    @torch.inference_mode()
    def look(self, picture: NDArray[np.uint8], longest: int = 0) -> NDArray[np.float32]:
        """RGB [H, W, 3] of 8 bit -> inverse depth [h, w], larger is nearer; 1/m where the network is metric, else of any scale and offset."""
        with devices.autocast(self.device):
            told = self._net(pixel_values=self._prepare(picture, longest).to(self.device)).predicted_depth[0].float().cpu().numpy()
        return 1 / np.maximum(told, 1e-3).clip(max=1 / DEEPEST) if self.metric else told


def preparation(folder: Path, config: dict[str, Any]) -> Preparation:
    """What preprocessor_config.json says; without it, what the network was published with."""
    anything = config["model_type"] == "depth_anything"
    path = folder / "preprocessor_config.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    size = told.get("size", 518 if anything else 384)
    size = (int(size["height"]), int(size["width"])) if isinstance(size, dict) else (int(size), int(size))
    mean, deviation = (MEAN, DEVIATION) if anything else ((0.5,) * 3, (0.5,) * 3)  # MiDaS has its own
    patch = int(config.get("patch_size", 14 if anything else 16))
    return Preparation(
        size, bool(told.get("keep_aspect_ratio", anything)), max(int(told.get("ensure_multiple_of", 1)), patch if anything else 2 * patch),
        tuple(told.get("image_mean", mean)), tuple(told.get("image_std", deviation)),
    )
