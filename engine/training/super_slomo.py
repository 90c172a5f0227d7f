"""The training room, Super SloMo: its four losses and the loop that fits its networks as published; no stage, no Blender.

    python -m engine train super_slomo --data FOLDER --out FOLDER     (videos of high frame rate; without --data: moving shapes)
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from .. import device as devices
from ..ahead import ahead
from ..metrics.image import psnr
from ..nets.super_slomo import MEAN, SuperSloMo, warp
from ..store import beside
from . import footage

WEIGHTS = {"rec": 204.0, "warp": 102.0, "perceptual": 0.005, "smooth": 1.0}  # 0.8, 0.4, 0.005, 1 of section 3.4 for pictures 0..255
CLIP, STEPS = 12, 8  # frames decoded together; intervals between the first and last frame of a sample
STEPS_DOWN = (0.5, 0.75)  # of all epochs: there the learning rate falls to a tenth (100 and 150 of 200)
SIZE = (640, 360)
Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # first, middle, second [B, 3, H, W] RGB 0..1, and the middles' times [B]


def losses(net: SuperSloMo, first: Tensor, middle: Tensor, second: Tensor, t: Tensor, vgg: nn.Module | None = None) -> dict[str, Tensor]:
    """Each unweighted loss for pictures [B, 3, H, W] RGB 0..1 and the times t [B] of the middle ones (equations 6 to 9), and `made`."""
    mean = first.new_tensor(MEAN).view(1, 3, 1, 1)
    a, b, truth = first - mean, second - mean, middle - mean
    t = t.view(-1, 1, 1, 1)
    f01, f10 = net.flows(a, b)
    made, _ = net.between(a, b, f01, f10, t)
    ft0 = -(1 - t) * t * f01 + t * t * f10
    ft1 = (1 - t) ** 2 * f01 - t * (1 - t) * f10

    def apart(x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().mean()

    terms = {
        "rec": apart(made, truth),
        "warp": apart(warp(a, ft0), truth) + apart(warp(b, ft1), truth) + apart(warp(a, f10), b) + apart(warp(b, f01), a),
        "smooth": sum((_variation(flow) for flow in (f01, f10)), f01.new_zeros(())),
        "made": (made + mean).detach(),
    }
    if vgg is not None:
        terms["perceptual"] = nn.functional.mse_loss(vgg(made), vgg(truth))
    return terms


def _variation(flow: Tensor) -> Tensor:
    across, down = flow[..., :, :-1] - flow[..., :, 1:], flow[..., :-1, :] - flow[..., 1:, :]
    return across.abs().mean() + down.abs().mean()


def perceptual(path: Path) -> nn.Module:
    """VGG16 up to conv4_3 with weights from a local file (keys `features.N.weight`)."""
    layers: list[nn.Module] = []
    width = 3
    for out in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512):
        layers += [nn.MaxPool2d(2)] if out == 0 else [nn.Conv2d(width, out, 3, padding=1), nn.ReLU()]
        width = out or width
    net = nn.Sequential(*layers[:-1])
    content = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict({key.removeprefix("features."): value for key, value in content.items() if key.removeprefix("features.") in net.state_dict()})
    return net.eval().requires_grad_(False)


def sample(run: footage.Run, random: np.random.Generator, crop: int) -> tuple[np.ndarray, float]:
    """First, middle and last [3, crop, crop, 3] of nine consecutive frames, cropped, mirrored and reversed at random; and the time."""
    start, middle = int(random.integers(0, len(run) - STEPS)), int(random.integers(1, STEPS))
    y, x = int(random.integers(0, run.shape[1] - crop + 1)), int(random.integers(0, run.shape[2] - crop + 1))
    chosen = run[[start, start + middle, start + STEPS], y : y + crop, x : x + crop]
    if random.random() < 0.5:
        chosen, middle = chosen[::-1], STEPS - middle
    return (chosen[:, :, ::-1] if random.random() < 0.5 else chosen), middle / STEPS


def batches(sources: list[footage.Video], count: int, batch: int, crop: int, seed: tuple[int, ...]) -> Iterator[Batch]:
    """`count` batches, decoded ahead on threads; the same seed gives the same batches."""

    def one(number: int) -> tuple[np.ndarray, float]:
        random = np.random.default_rng((*seed, number))
        for _ in range(20):
            video = sources[int(random.integers(len(sources)))] if sources else None
            run = footage.run_of(video, random, CLIP, SIZE) if video else footage.shapes(random, CLIP, (crop + 32, crop + 32))
            if run is not None:
                return sample(run, random, crop)
        raise ValueError("The videos are shorter than twelve frames.")

    group: list[tuple[np.ndarray, float]] = []
    for _, made in ahead(lambda pool, number: pool.submit(one, number), range(count * batch), devices.threads()):
        group.append(made)
        if len(group) == batch:
            pictures = torch.from_numpy(np.stack([p for p, _ in group]).copy()).permute(1, 0, 4, 2, 3).float() / 255
            yield pictures[0], pictures[1], pictures[2], torch.tensor([t for _, t in group])
            group = []


def train(given: argparse.Namespace) -> None:
    """Fit, from the last checkpoint where there is one; `last.ckpt` has the public checkpoint's keys and the optimizer's state."""
    where = devices.pick(given.device)
    torch.manual_seed(given.seed)
    net = SuperSloMo().to(where)
    optimizer = torch.optim.Adam(net.parameters(), given.rate)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [max(1, int(given.epochs * part)) for part in STEPS_DOWN], 0.1)
    scaler = torch.amp.GradScaler(where.type, enabled=where.type == "cuda")
    vgg = perceptual(given.vgg).to(where) if given.vgg else None
    begun = _resume(given.out / "last.ckpt", net, optimizer, schedule)
    sources = footage.videos(given.data) if given.data else []
    if given.data and not sources:
        raise SystemExit(f"engine train: no video can be read under {given.data}.")
    held = sources[:: max(2, len(sources) // max(1, len(sources) // 10))] if len(sources) > 1 else sources
    fit = [video for video in sources if video not in held] or sources
    for epoch in range(begun, given.epochs):
        total = 0.0
        net.train()
        for batch in batches(fit, given.steps, given.batch, given.crop, (given.seed, 1, epoch)):
            with devices.autocast(where):
                terms = losses(net, *(part.to(where) for part in batch), vgg=vgg)
            loss = sum(WEIGHTS[name] * terms[name] for name in WEIGHTS if name in terms)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            total += float(loss.detach())
        schedule.step()
        score = validate(net, batches(held, given.validation, given.batch, given.crop, (given.seed, 2)), where, given.out / f"preview_{epoch + 1:04d}.png")
        print(f"epoch {epoch + 1}/{given.epochs}  loss {total / given.steps:.3f}  validation {score:.2f} dB", flush=True)
        _save(given.out / "last.ckpt", net, optimizer, schedule, epoch + 1, score)


def validate(net: SuperSloMo, cases: Iterator[Batch], where: torch.device, preview: Path) -> float:
    """Mean PSNR over pictures the fitting never saw; writes first, made, true and second picture of one of them."""
    net.eval()
    scores: list[float] = []
    for first, middle, second, t in cases:
        with torch.inference_mode(), devices.autocast(where):
            made = losses(net, *(part.to(where) for part in (first, middle, second, t)))["made"].float().cpu().clamp(0, 1)
        scores += [psnr(m.numpy(), g.numpy(), 1.0) for m, g in zip(made, middle)]
        strip = torch.cat([first[0], made[0], middle[0], second[0]], 2).permute(1, 2, 0).numpy()
    with beside(preview) as fresh:
        fresh.write_bytes(cv2.imencode(".png", (strip[..., ::-1] * 255).round().astype(np.uint8))[1].tobytes())
    return float(np.mean(scores))


def _save(path: Path, net: SuperSloMo, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, epoch: int, score: float) -> None:
    with beside(path) as fresh:
        torch.save({
            "Detail": "Unflatten", "epoch": epoch, "valPSNR": score, "state_dictFC": net.flow.state_dict(),
            "state_dictAT": net.interpolation.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
        }, fresh)


def _resume(path: Path, net: SuperSloMo, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler) -> int:
    if not path.is_file():
        return 0
    content = torch.load(path, map_location="cpu", weights_only=True)
    net.flow.load_state_dict(content["state_dictFC"])
    net.interpolation.load_state_dict(content["state_dictAT"])
    optimizer.load_state_dict(content["optimizer"])
    schedule.load_state_dict(content["schedule"])
    return int(content["epoch"])


def main(argv: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m engine train super_slomo")
    parser.add_argument("--data", type=Path, help="folder of videos of high frame rate; moving shapes without")
    parser.add_argument("--out", type=Path, required=True, help="folder for last.ckpt and previews; training goes on from there")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--steps", type=int, default=300, help="batches in an epoch")
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--validation", type=int, default=10, help="batches of the validation")
    parser.add_argument("--crop", type=int, default=352, help="px, a multiple of 32")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--vgg", type=Path, help="local VGG16 weights for the perceptual loss")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    if given.crop % 32:
        parser.error("--crop must be a multiple of 32")
    given.out.mkdir(parents=True, exist_ok=True)
    train(given)
    return 0
