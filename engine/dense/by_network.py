"""Dense room: the method published of consistent depth — whole frames for the training, its depth, what is seen of it; no stage."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from ..contract.artifacts import FRAME
from ..contract.options import ConsistentDepth
from ..media.flow import both_ways
from ..media.frames import read_depth, resize, write_png
from ..nets.depth_resnet import DepthNet, fitting
from ..stage import Report
from ..training import page
from ..training.scene_flow_frames import UNIT, Clip, Fit, Settings
from .colours import of_depth
from .shot import Picture, Shot

TITLE = "Depth of whole frames, by scene flow as published"
WIDTH = 0.5  # of the built-in network
RATE = 1e-4  # of the built-in network, which the clip alone has taught; 1e-6 is for one that has seen a million pictures
BENT = 0.01  # of distortion (k1, k2, p1, p2) beyond which a pinhole is no longer the lens


class ByNetwork:
    """Depth by a network that is fine-tuned on this clip, with the published losses."""

    def __init__(
        self, shot: Shot, depth: Path, options: ConsistentDepth, device: torch.device, room: Path, weights: dict[str, float], gaps: tuple[int, ...],
    ) -> None:
        self.shot, self.folder, self.room = shot, depth, room / "training"
        self.numbers = [number for number in shot.numbers if shot.row(number) is not None]
        self.size = fitting(shot.size, min(max(shot.size), options.size))
        settings = Settings(depth_rate=RATE, **{name: value for name, value in weights.items() if name in ("flow", "disparity", "acceleration")})
        torch.manual_seed(0)
        self.clip = self._clip(gaps)
        self.fit = Fit(self.clip, DepthNet(WIDTH), settings.shortened(options.effort), device)

    @property
    def epochs(self) -> int:
        """Of the whole training."""
        return self.fit.epochs

    @property
    def steps(self) -> int:
        """Of the progress, before the first frame is written."""
        return self.epochs

    def _clip(self, gaps: tuple[int, ...]) -> Clip:
        shot, size = self.shot, self.size
        found = (np.array(read_depth(self.folder / f"{FRAME % number}.exr")[0], np.float32) for number in self.numbers)
        depths = [cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST) for depth in found]
        known = np.concatenate([depth[depth > 0][::37] for depth in depths])
        self.unit = UNIT / float(np.median(known)) if len(known) else 1.0
        pictures = np.stack([resize(shot.frames.rgb8(number, shot.size), size) for number in self.numbers]).astype(np.float32) / 255
        rows = [shot.row(number) for number in self.numbers]
        scale = np.array([size[0] / shot.size[0], size[1] / shot.size[1]])
        lens = np.tile(np.eye(3), (len(rows), 1, 1))
        lens[:, 0, 0], lens[:, 1, 1] = (shot.camera.focal[rows] * scale).T
        lens[:, :2, 2] = shot.camera.centre[rows] * scale - 0.5
        poses = shot.camera.world_from_camera[rows]
        places = (poses[:, :3, 3] - poses[:, :3, 3].mean(0)) * self.unit
        index = {number: k for k, number in enumerate(self.numbers)}
        pairs, flows = [], {}
        for i, number in enumerate(self.numbers):
            for gap in gaps:
                other = shot.neighbour(number, gap * shot.step)
                if other in index:
                    pairs.append((i, index[other]))
                    flows.update(self._flows(number, other, i, index[other], scale))
        parts = (torch.from_numpy(np.ascontiguousarray(part)).float() for part in (
            pictures.transpose(0, 3, 1, 2), np.stack(depths)[:, None] * self.unit, lens, poses[:, :3, :3], places))
        return Clip(*parts, pairs, flows)

    def _flows(self, number: int, other: int, i: int, j: int, scale: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        """Both ways between two frames, float16 [H, W, 2] at the training's size."""
        held = [self.shot.flow(number, other - number), self.shot.flow(other, number - other)]
        if None in held:
            told = both_ways(self.shot.grey(number), self.shot.grey(other))
            held = [told[:2], told[2:]]
        small = (cv2.resize(flow, self.size, interpolation=cv2.INTER_LINEAR) * scale for flow, _ in held)
        return {pair: flow.astype(np.float16) for pair, flow in zip(((i, j), (j, i)), small)}

    def learn(self, report: Report, total: int) -> None:
        """Train, or go on with it; progress tells phase and loss, previews show plate, start and present depth."""
        if np.abs(self.shot.camera.distortion).max() > BENT:
            report.warning("The published method knows no lens distortion: take the method 'scene_flow', or a clip that was made straight.")
        self.room.mkdir(parents=True, exist_ok=True)
        shown = len(self.numbers) // 2

        def after(fit: Fit, epoch: int) -> None:
            report.progress(epoch, total, fit.phase(epoch - 1), fit.curve[-1]["total"])
            path = self.room / f"epoch_{epoch:03d}.png"
            write_png(path, self._strip(shown))
            report.preview(self.numbers[shown], path)
            page.write(self.room, TITLE, fit.curve, [fit.phase(k) for k in range(len(fit.curve))])

        self.fit.run(self.room / "state.npz", after)
        for place in sorted({int(k) for k in np.linspace(0, len(self.numbers) - 1, 5)}):
            write_png(self.room / f"frame_{FRAME % self.numbers[place]}.png", self._strip(place))
        page.write(self.room, TITLE, self.fit.curve, [self.fit.phase(k) for k in range(len(self.fit.curve))])

    def frame(self, number: int, depth: Picture, confidence: Picture) -> tuple[Picture, Picture]:
        """Depth [H, W] as learned, with the confidence of the start."""
        if number not in self.numbers:
            return depth, confidence
        found = self.fit.found(self.numbers.index(number)).clamp(min=1e-3).log().cpu().numpy()
        return (np.exp(resize(found, self.shot.size)) / self.unit).astype(np.float32), confidence

    def _strip(self, place: int) -> np.ndarray:
        """Plate, depth of the start and depth as learned so far [H, 3 W, 3]."""
        start = self.clip.start[place, 0].numpy()
        now = self.fit.found(place).cpu().numpy()
        near, far = (float(np.percentile(start[start > 0], part)) for part in (2, 98)) if (start > 0).any() else (1.0, 2.0)
        plate = np.rint(self.clip.pictures[place].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        return np.concatenate([plate, of_depth(start, near, far), of_depth(now, near, far)], 1)

    def tell(self, report: Report) -> None:
        """What was done, for the report."""
        curve = self.fit.curve
        report.used = f"a depth network fine-tuned on whole frames with a scene-flow field, as published, {len(curve)} epochs"
        report.figures.update(epochs=len(curve), loss=curve[-1]["total"], pairs=len(self.clip.pairs))
