"""Training room, depth, motion and lens from footage alone (Li et al. 2020): the loop, on one clip or a folder of clips; no stage, no Blender.

    python -m engine train depth_motion --data CLIP --out FOLDER       (goes on from FOLDER/last.npz; FOLDER/report.html shows how it goes)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .. import device as devices
from .. import store
from ..dense.colours import of_depth, turbo
from ..media.flow import both_ways
from ..media.frames import write_png
from ..nets.depth_resnet import DepthNet, fitting
from ..nets.motion_field import Motion, MotionNet
from . import checkpoint, footage, page
from .motion_losses import WEIGHTS, Scene, losses, weigh

Tensor = torch.Tensor
Clip = NDArray[np.uint8]  # [T, H, W, 3] RGB
RATE, CLIPPED = 2e-4, 10.0  # of Adam; the norm at which gradients are clipped
NOISE = 0.5  # the deviation that the normalisation's moments grow to
ALIKE = 0.01  # mean difference of two pictures, of 1, up to which they teach nothing


@dataclass(frozen=True)
class Settings:
    """What a training is like; the defaults suit a minute's film on a CPU."""

    epochs: int = 40
    steps: int = 50  # batches in an epoch
    batch: int = 4  # pairs in a batch; published with 16
    gap: int = 1  # frames between the two of a pair
    seed: int = 0
    width: float = 0.25  # of every layer; 1 as published
    rate: float = RATE  # of Adam
    burn_in: float = 0.2  # part of the steps before things move freely
    ramp: float = 0.5  # part of the steps until the normalisation is disturbed fully
    depth_consistency: float = 0.0  # weight of the depths' agreement
    flow: float = 0.0  # weight of the agreement with optical flow, which is not published: with it a single clip is learned in minutes


@dataclass
class Learner:
    """Both networks and how far they are."""

    depth: DepthNet
    motion: MotionNet
    burn_in: int  # steps until what moves by itself counts fully; nothing before half of them, so that the camera is found first
    ramp: int  # steps until the normalisation is disturbed fully
    step: int = 0

    def scene(self, first: Tensor, second: Tensor) -> Scene:
        """Pictures [B, 3, H, W] and those of the other frames -> what the networks say of both orders."""
        rgb = torch.cat([first, second])
        depth = self.depth(rgb)
        seen = torch.cat([rgb, depth], 1)
        told = self.motion(torch.cat([seen, torch.cat(seen.chunk(2)[::-1])], 1))
        return Scene(rgb, depth, told.rotation, told.background, told.residual * self._released(), intrinsics(told))

    def _released(self) -> float:
        return min(1.0, max(0.0, 2 * self.step / self.burn_in - 1)) if self.burn_in else 1.0

    def disturb(self) -> None:
        """The noise of this step."""
        self.depth.disturb(NOISE * min(self.step / max(1, self.ramp), 1.0) ** 2)


def intrinsics(told: Motion) -> Tensor:
    """[N, 3, 3], the mean of both orders of a pair."""
    out = told.focal.new_zeros(len(told.focal), 3, 3)
    focal, centre = ((sum(part.chunk(2)) / 2).repeat(2, 1) for part in (told.focal, told.centre))
    out[:, 0, 0], out[:, 1, 1], out[:, 2, 2] = focal[:, 0], focal[:, 1], 1
    out[:, :2, 2] = centre
    return out


def read(path: Path, longest: int, most: int) -> Clip:
    """The first frames of a film, scaled so that the longer side is `longest` and both sides are multiples of the network's stride."""
    out: list[NDArray[np.uint8]] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            size = fitting((frame.width, frame.height), longest)
            out.append(cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA))
            if len(out) == most:
                break
    return np.stack(out)


def pairs(clips: list[Clip], gap: int) -> list[tuple[int, int]]:
    """(clip, frame) of every pair of frames `gap` apart that differ enough to teach something."""
    return [
        (k, t) for k, clip in enumerate(clips) for t in range(len(clip) - gap)
        if np.abs(clip[t].astype(np.int16) - clip[t + gap]).mean() > 255 * ALIKE
    ]


def flows(clips: list[Clip], known: list[tuple[int, int]], gap: int) -> dict[tuple[int, int], NDArray[np.float16]]:
    """Optical flow of every pair, both ways: [2, H, W, 3] px, and 1 where it holds."""
    out = {}
    for k, t in known:
        found = both_ways(*(cv2.cvtColor(clips[k][place], cv2.COLOR_RGB2GRAY) for place in (t, t + gap)), "fine")
        out[k, t] = np.stack([np.dstack(found[:2]), np.dstack(found[2:])]).astype(np.float16)
    return out


def batches(
    clips: list[Clip], known: list[tuple[int, int]], flow: dict[tuple[int, int], NDArray[np.float16]], given: Settings, epoch: int,
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Pairs of pictures [B, 3, H, W] in 0..1, mirrored at random, and where there is any the flow [2 B, H, W, 3]; one batch is of one size."""
    random = np.random.default_rng((given.seed, epoch))
    for _ in range(given.steps):
        shape = clips[known[int(random.integers(len(known)))][0]].shape[1:]
        alike = [(k, t) for k, t in known if clips[k].shape[1:] == shape]
        chosen = [alike[int(random.integers(len(alike)))] for _ in range(given.batch)]
        both = np.stack([clips[k][[t, t + given.gap]] for k, t in chosen])
        mirrored = random.random(given.batch) < 0.5
        both[mirrored] = both[mirrored][:, :, :, ::-1]
        first, second = torch.from_numpy(both).permute(1, 0, 4, 2, 3).float() / 255
        yield first, second, _stacked([flow[pair] for pair in chosen], mirrored) if flow else None


def _stacked(flow: list[NDArray[np.float16]], mirrored: NDArray[np.bool_]) -> Tensor:
    """[2 B, H, W, 3], the ways there before the ways back."""
    both = np.stack(flow).astype(np.float32)
    both[mirrored] = both[mirrored][:, :, :, ::-1] * np.array([-1, 1, 1], np.float32)
    return torch.from_numpy(both).transpose(0, 1).flatten(0, 1)


def train(given: argparse.Namespace) -> Learner:
    """Fit on the films that the command line names; the results of each film beside the state."""
    where = devices.pick(given.device)
    paths = [video.path for video in footage.videos(given.data)] if given.data.is_dir() else [given.data]
    clips = [read(path, given.size, given.frames) for path in paths]
    settings = Settings(**{entry.name: getattr(given, entry.name) for entry in fields(Settings)})

    def after(learner: Learner, curve: list[dict[str, float]], look: Path) -> None:
        print(f"epoch {len(curve)}/{given.epochs}  loss {curve[-1]['total']:.4f}", flush=True)

    try:
        learner, _ = learn(clips, settings, given.out, where, after)
    except ValueError as error:
        raise SystemExit(f"engine train: {given.data}: {error}") from None
    for path, clip in zip(paths, clips):
        _tell(learner, clip, given.out / f"{path.stem}.npz", where)
    return learner


def learn(
    clips: list[Clip], settings: Settings, out: Path, where: torch.device, after: Callable[[Learner, list[dict[str, float]], Path], None],
    start: Path | None = None,
) -> tuple[Learner, list[dict[str, float]]]:
    """Fit, from the last state in `out` where there is one, else from that in `start`; both networks and the losses of every epoch.

    A page, a preview and the state after every epoch, then `after` with the preview's path. ValueError where the films teach nothing.
    """
    torch.manual_seed(settings.seed)
    total = settings.epochs * settings.steps
    learner = Learner(
        DepthNet(settings.width).to(where), MotionNet(settings.width).to(where), round(settings.burn_in * total), round(settings.ramp * total),
    )
    optimizer = torch.optim.Adam([*learner.depth.parameters(), *learner.motion.parameters()], settings.rate)
    nets = {"depth": learner.depth, "motion": learner.motion}
    held = checkpoint.load(out / "last.npz", {**nets, "optimizer": optimizer})
    if held is None and start is not None:
        checkpoint.load(start, nets)
    curve: list[dict[str, float]] = held["curve"] if held else []
    known = pairs(clips, settings.gap)
    if not known:
        raise ValueError("no two frames differ enough to learn from.")
    seen = flows(clips, known, settings.gap) if settings.flow else {}
    for epoch in range(len(curve), settings.epochs):
        samples = batches(clips, known, seen, settings, epoch)
        curve.append(_epoch(learner, optimizer, samples, epoch, settings))
        checkpoint.save(out / "last.npz", {**nets, "optimizer": optimizer}, {"curve": curve, "width": settings.width})
        clip, frame = known[len(known) // 2]
        path = out / f"epoch_{epoch + 1:04d}.png"
        write_png(path, look(learner, clips[clip][frame], clips[clip][frame + settings.gap], where))
        page.write(out, "Depth, motion and lens from footage alone", curve, ["learning"] * len(curve))
        after(learner, curve, path)
    learner.step = total
    return learner, curve


def _epoch(
    learner: Learner, optimizer: torch.optim.Optimizer, samples: Iterator[tuple[Tensor, Tensor, Tensor | None]], epoch: int, given: Settings,
) -> dict[str, float]:
    """One epoch; the mean of every weighted loss."""
    torch.manual_seed(given.seed * 1_000_003 + epoch)  # the normalisation's noise is the same after a break
    learner.depth.train()
    learner.motion.train()
    weights = WEIGHTS | {"depth_consistency": given.depth_consistency} | ({"flow": given.flow} if given.flow else {})
    sums: dict[str, float] = {}
    where = next(learner.depth.parameters()).device
    for k, (first, second, flow) in enumerate(samples):
        learner.step = epoch * given.steps + k
        learner.disturb()
        parts = losses(learner.scene(first.to(where), second.to(where)), seen_flow=None if flow is None else flow.to(where))
        total = weigh(parts, weights)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_([value for group in optimizer.param_groups for value in group["params"]], CLIPPED)
        optimizer.step()
        told = {"total": total, **{name: weight * parts[name] for name, weight in weights.items() if weight}}
        for name, value in told.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / given.steps
    return {name: round(value, 6) for name, value in sums.items()}


@torch.no_grad()
def say(learner: Learner, first: Clip, second: Clip, where: torch.device) -> Scene:
    """What the networks say of two pictures [H, W, 3], in both orders."""
    learner.depth.eval()
    learner.motion.eval()
    return learner.scene(*(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float().to(where) / 255 for picture in (first, second)))


def look(learner: Learner, first: Clip, second: Clip, where: torch.device) -> NDArray[np.uint8]:
    """Picture, depth and the length of what moves by itself, side by side."""
    scene = say(learner, first, second, where)
    depth = scene.depth[0, 0].cpu().numpy()
    moved = scene.residual[0].norm(dim=0).cpu().numpy()
    strip = [first, of_depth(depth, *np.percentile(depth, (2, 98))), turbo(moved / max(float(moved.max()), 1e-9))]
    return np.concatenate(strip, 1)


def _tell(learner: Learner, clip: Clip, path: Path, where: torch.device) -> None:
    """NPZ of a clip: depth [T, H, W], to the next frame rotation [T-1, 3] and translation [T-1, 3], K [T-1, 3, 3]; in the clip's own unit."""
    held: dict[str, list[NDArray[np.floating]]] = {"depth": [], "rotation": [], "translation": [], "K": []}
    for first, second in zip(clip, clip[1:]):
        scene = say(learner, first, second, where)
        if not held["depth"]:
            held["depth"].append(scene.depth[0, 0].cpu().numpy())
        held["depth"].append(scene.depth[1, 0].cpu().numpy())
        held["rotation"].append(scene.rotation[0].cpu().numpy())
        held["translation"].append(scene.background[0, :, 0, 0].cpu().numpy())
        held["K"].append(scene.intrinsics[0].cpu().numpy())
    with store.writing(path) as file:
        np.savez(file, **{name: np.stack(values) for name, values in held.items()})


def main(argv: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m engine train depth_motion", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a film, or a folder of films")
    parser.add_argument("--out", type=Path, required=True, help="folder for last.npz, previews, report.html and the results")
    for name, value, text in (
        ("epochs", 40, ""), ("steps", 50, "batches in an epoch"), ("batch", 4, "pairs in a batch; published with 16"),
        ("size", 416, "longest side, px"), ("frames", 600, "most frames of a film"), ("gap", 1, "frames between the two of a pair"), ("seed", 0, ""),
    ):
        parser.add_argument(f"--{name}", type=int, default=value, help=text)
    for name, value, text in (
        ("width", 0.25, "of every layer; 1 as published"), ("rate", RATE, "of Adam"), ("burn-in", 0.2, "part of the steps before things move freely"),
        ("ramp", 0.5, "part of the steps until the normalisation is disturbed fully"), ("depth-consistency", 0.0, "weight of the depths' agreement"),
        ("flow", 0.0, "weight of the agreement with optical flow; not published"),
    ):
        parser.add_argument(f"--{name}", type=float, default=value, help=text)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    train(given)
    return 0
