"""The training room, Robust Video Matting: the loop that fits its network to footage with alpha; no stage, no Blender.

    python -m engine train rvm --data FOLDER --out FILE     (FOLDER/<clip>/{rgb,alpha}/*.png; without --data: moving soft shapes)
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from .. import device as devices
from ..media.frames import read_png
from ..nets.rvm import MattingNetwork
from ..store import beside
from .matting_losses import matting_losses

RATES = {"backbone": 1e-4, "rest": 2e-4}  # stage 1 as published
Sample = tuple[Tensor, Tensor, Tensor]  # picture, foreground [B, T, 3, H, W] and alpha [B, T, 1, H, W], 0..1


def shapes(seed: int, length: int, size: int, batch: int = 1) -> Sample:
    """Soft textured blobs that wander over another texture: procedural, exact alpha."""
    dice = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    clips = []
    for _ in range(batch):
        front, back = (_texture(dice, size) for _ in range(2))
        at, way, radius, soft = dice.uniform(0.3, 0.7, 2), dice.uniform(-0.03, 0.03, 2), dice.uniform(0.15, 0.3), dice.uniform(0.02, 0.08)
        middles = [at + way * frame for frame in range(length)]
        alpha = np.stack([np.clip((radius - np.hypot(x - mx, y - my)) / soft + 0.5, 0, 1) for mx, my in middles])[..., None]
        clips.append((alpha * front + (1 - alpha) * back, np.broadcast_to(front, (length, size, size, 3)), alpha))
    return tuple(torch.from_numpy(np.stack(part).astype(np.float32)).movedim(-1, 2) for part in zip(*clips))  # type: ignore[return-value]


def _texture(dice: np.random.Generator, size: int) -> np.ndarray:
    rough = cv2.resize(dice.random((6, 6, 3)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(rough + 0.1 * dice.standard_normal((size, size, 3)), 0, 1)


def footage(folder: Path, seed: int, length: int, size: int, batch: int) -> Sample:
    """Random square crops of clips of a folder; the picture itself stands for the foreground where alpha is above 0."""
    dice = np.random.default_rng(seed)
    clips = sorted(path for path in folder.iterdir() if (path / "alpha").is_dir())
    found = []
    for _ in range(batch):
        clip = clips[dice.integers(len(clips))]
        names = sorted(path.name for path in (clip / "alpha").iterdir())
        start = int(dice.integers(max(1, len(names) - length + 1)))
        pictures = [_crop(read_png(clip / "rgb" / name), size) for name in names[start : start + length]]
        alphas = [_crop(read_png(clip / "alpha" / name), size) for name in names[start : start + length]]
        found.append((np.stack(pictures)[..., :3], np.stack(pictures)[..., :3], np.stack([a if a.ndim == 2 else a[..., 0] for a in alphas])[..., None]))
    return tuple(torch.from_numpy(np.stack(part)).movedim(-1, 2) for part in zip(*found))  # type: ignore[return-value]


def _crop(picture: np.ndarray, size: int) -> np.ndarray:
    """The middle square at `size`, 0..1."""
    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    small = cv2.resize(picture[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / (65535 if picture.dtype == np.uint16 else 255)


def fit(net: MattingNetwork, samples: Iterator[Sample], steps: int, device: torch.device, rates: dict[str, float] = RATES) -> list[float]:
    """Adam on the matting losses; returns the total loss of every step."""
    net.to(device).train()
    rest = [value for name, value in net.named_parameters() if not name.startswith("backbone")]
    optimiser = torch.optim.Adam([
        {"params": list(net.backbone.parameters()), "lr": rates["backbone"]}, {"params": rest, "lr": rates["rest"]},
    ])
    history = []
    for _ in range(steps):
        picture, front, alpha = (part.to(device) for part in next(samples))
        with devices.autocast(device):
            fgr, pha, _ = net(picture)
        loss = matting_losses(fgr.float(), pha.float(), front, alpha)["total"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        history.append(float(loss.detach()))
    return history


def main(argv: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="engine train rvm", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="a state dict to go on from")
    for name, value in (("steps", 1000), ("length", 15), ("size", 256), ("batch", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args(argv)
    net = MattingNetwork()
    if chosen.start:
        net.load_state_dict(torch.load(chosen.start, map_location="cpu", weights_only=True))
    sizes = (chosen.length, chosen.size, chosen.batch)
    samples = (footage(chosen.data, at, *sizes) if chosen.data else shapes(at, *sizes) for at in range(chosen.steps))
    history = fit(net, samples, chosen.steps, devices.pick(chosen.device))
    with beside(chosen.out) as fresh:
        torch.save(net.cpu().state_dict(), fresh)
    print(f"loss {history[0]:.3f} -> {history[-1]:.3f} in {chosen.steps} steps; weights in {chosen.out}")
    return 0
