"""Dense room: the methods growth and scene_flow of consistent depth — what they start from, their output, and what is seen of it; no stage."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import torch

from ..contract.artifacts import FRAME
from ..contract.options import ConsistentDepth
from ..failures import RequestFailure
from ..geometry.blobs import disc
from ..media.frames import read_depth, resize, working_size, write_png
from ..stage import Report
from ..training import page
from ..training.followed import PASSES, Start, Table, cameras, follow
from ..training.growth import curves
from ..training.keeping import held_out, kept
from ..training.outlines import levels
from ..training.scene_flow_fit import Fit, Settings
from . import parallel
from .colours import of_depth
from .shot import Array, Picture, Shot

WEIGHTS = ("flow", "disparity", "acceleration", "expansion", "vote")
EVERY = 4  # epochs between previews
STILL, RIM = 0.0, 0.015  # how surely a pixel moves below which it may be still; of the width: half the thickness of what is, and no mere rim
AGREED = 0.1  # relative distance up to which a vote for a thing's depth agrees with what was found


class ByFlow:
    """Depth of what moves, learned from a start; everything still is left to others."""

    def __init__(self, shot: Shot, depth: Path, options: ConsistentDepth, device: torch.device, room: Path, report: Report) -> None:
        """Follows what moves, which takes a while; `report` hears of it."""
        self.shot, self.folder, self.device, self.room = shot, depth, device, room / "training"
        self.size = working_size(shot.size, options.size)
        self.trains = options.method == "scene_flow"
        self.settings = Settings(**weights(options.weights)).shortened(options.effort)
        self._followed = PASSES * len(shot.numbers)
        start = self._start()
        self.fit: Fit | None = None
        self.labels: list[np.ndarray] = []
        if any(mask.any() for mask in start.moving):
            self.cameras = cameras(shot, start)
            counter, total = itertools.count(1), self._followed + (self.settings.epochs if self.trains else 0) + len(shot.numbers)
            found = follow(shot, start, self.cameras.unit, gaps(options.gaps), lambda: report.progress(next(counter), total))
            if found is not None:
                table, self.labels = found
                began = curves(table, 1 + max(int(plane.max()) for plane in self.labels), len(start.depth))
                # Where a thing lies as a whole is a guess, of which growth knows nothing.
                self._shifts = levels(shot, start, self.labels, began, table, self.cameras)
                began += self._shifts[:, None]
                self._learns = began.any(1)  # what agrees with the flow already is left as it is
                self._settled = began
                self.fit = self._fit(table, began).to(device)
        self.start = start

    def _fit(self, table: Table, began: np.ndarray) -> Fit:
        """What is to be trained, from the closed forms' levels [things, frames]: shown all but the pairs of frames that it is judged by."""
        if not self.trains:
            return Fit(table, self.cameras, self.settings, began)
        unseen = held_out(table, began.shape[1])
        shown, self._unseen = table[~unseen], table[unseen]
        rest = curves(shown, *began.shape)
        rest = np.where(rest.any(1, keepdims=True), rest + (began - rest).mean(1, keepdims=True), began)
        return Fit(shown, self.cameras, self.settings, rest)

    @property
    def epochs(self) -> int:
        """Of the whole training; 0 where nothing moves, or growth alone is asked."""
        return self.settings.epochs if self.fit and self.trains else 0

    @property
    def steps(self) -> int:
        """Of the progress, before the first frame is written."""
        return self._followed + self.epochs

    def _start(self) -> Start:
        depths, sure, moving = [], [], []
        for number in self.shot.numbers:
            depth, confidence = read_depth(self.folder / f"{FRAME % number}.exr")
            small = cv2.resize(np.array(depth, np.float32), self.size, interpolation=cv2.INTER_NEAREST)
            depths.append(small)
            sure.append(cv2.resize(np.array(confidence, np.float32), self.size, interpolation=cv2.INTER_NEAREST))
            moving.append((cv2.resize(self.shot.movers(number).astype(np.uint8), self.size, interpolation=cv2.INTER_NEAREST) > 0) & (small > 0))
        return Start(self.size, depths, sure, moving)

    def learn(self, report: Report, total: int) -> None:
        """Train, or go on with it; progress tells phase and loss, previews show plate, start and present depth."""
        if self.fit is None or not self.trains:
            return
        self.room.mkdir(parents=True, exist_ok=True)
        busiest = int(np.argmax([mask.mean() for mask in self.start.moving]))

        def after(fit: Fit, epoch: int) -> None:
            report.progress(self._followed + epoch, total, fit.phase(epoch - 1), fit.curve[-1]["total"])
            if epoch % EVERY == 0 or epoch == self.epochs:
                path = self.room / f"epoch_{epoch:03d}.png"
                write_png(path, self._strip(busiest))
                report.preview(self.shot.numbers[busiest], path)
                page.write(self.room, "Depth of what moves, by scene flow", fit.curve, [fit.phase(k) for k in range(len(fit.curve))])

        with parallel.alone():
            self.fit.run(self.room / "state.npz", after)
        found, self._keeps = kept(self.fit, self._settled, self._unseen)
        self.fit.scale.levels.data.copy_(torch.from_numpy(found))
        shown = sorted({int(k) for k in np.linspace(0, len(self.labels) - 1, 5)} | {busiest})
        for place in shown:
            write_png(self.room / f"frame_{FRAME % self.shot.numbers[place]}.png", self._strip(place))
        write_png(self.room / "slice.png", self._slice(busiest))
        page.write(self.room, "Depth of what moves, by scene flow", self.fit.curve, [self.fit.phase(k) for k in range(len(self.fit.curve))])

    def _things(self, place: int, size: tuple[int, int]) -> np.ndarray:
        """Numbers [H, W] of what moves in a frame and is learned; 0 is still, or left as it is."""
        things = cv2.resize(self.labels[place].astype(np.float32), size, interpolation=cv2.INTER_NEAREST).astype(int)
        return things * self._learns[things]

    def _correction(self, place: int, things: np.ndarray) -> Picture:
        """Log [H, W] by which the depth of these things changes in a frame."""
        fit = self.fit
        assert fit is not None
        told = fit.scale.levels[:, place].detach().cpu().numpy()
        return np.where(things > 0, told[things], 0)

    def frame(self, number: int, depth: Picture, confidence: Picture) -> tuple[Picture, Picture]:
        """A frame of the start, depth and confidence [H, W], with what moves as it was learned."""
        mask = self.shot.movers(number)
        if self.fit is None or not mask.any() or self.shot.row(number) is None:
            return depth, confidence
        place = self.shot.numbers.index(number)
        things = np.where(mask & (depth > 0), self._things(place, self.shot.size), 0)
        # Masks take still things along. The rim of a mover is in doubt as well, but goes with it.
        still = (mask & (self.shot.likely(number) < STILL)).astype(np.uint8)
        still = cv2.morphologyEx(still, cv2.MORPH_OPEN, disc(round(RIM * mask.shape[1]))) > 0
        things = np.where(still, 0, things)
        moved = depth * np.exp(self._correction(place, things))
        return moved.astype(np.float32), np.where(things > 0, 0.5 * self._agreement()[things], confidence).astype(np.float32)

    def _agreement(self) -> Array:
        """For every thing, the share of the votes for its depth that agree with what was found."""
        fit = self.fit
        assert fit is not None
        if not hasattr(self, "_agreed"):
            with torch.no_grad():
                stops = fit.table.here
                near = (fit.scale(stops.frame, stops.thing).abs() < AGREED).float() * stops.sure
                count = len(fit.scale.levels)
                total = torch.zeros(count, device=near.device).index_add_(0, stops.thing, stops.sure)
                self._agreed = (torch.zeros_like(total).index_add_(0, stops.thing, near) / total.clamp(min=1e-6)).cpu().numpy()
        return self._agreed

    def _strip(self, place: int) -> np.ndarray:
        """Plate, depth of the start and depth as learned so far [H, 3 W, 3]."""
        began = self.start.depth[place]
        now = np.where(self.start.moving[place], began * np.exp(self._correction(place, self._things(place, self.size))), began)
        near, far = self._range()
        plate = resize(self.shot.frames.rgb8(self.shot.numbers[place], self.shot.size), self.size)
        return np.concatenate([plate, of_depth(began, near, far), of_depth(now, near, far)], 1)

    def _slice(self, busiest: int) -> np.ndarray:
        """One column of the picture, where most moves, over time: plate, start, learned."""
        column = int(np.argmax(self.start.moving[busiest].sum(0)))
        width = self.size[0]
        strips = [self._strip(place)[:, [column, width + column, 2 * width + column]] for place in range(len(self.labels))]
        wide = np.concatenate([np.stack([strip[:, k] for strip in strips], 1) for k in range(3)], 1)
        return cv2.resize(wide, (max(wide.shape[1], 3 * width), wide.shape[0]), interpolation=cv2.INTER_NEAREST)

    def _range(self) -> tuple[float, float]:
        known = np.concatenate([depth[depth > 0][::37] for depth in self.start.depth])
        return float(np.percentile(known, 2)), float(np.percentile(known, 98))

    def tell(self, report: Report) -> None:
        """What was done, for the report."""
        if not self.trains:
            if self.fit and self._learns.any():
                report.used += "; how far movers are, by how their pictures grow"
                report.used += ", what they hide and the camera's unrest" if self._shifts.any() else ""
            return
        if self.fit is None:
            report.warning("Nothing in this shot moves by itself: there was nothing for the scene flow to learn.")
            return
        curve = self.fit.curve
        things, better = int(self._learns.sum()), int((self._keeps & self._learns).sum())
        report.used += f"; what moves by scene flow, {len(curve)} epochs; {better} of {things} things keep what was learned, the others go by growth"
        report.figures.update(epochs=len(curve), loss=curve[-1]["total"], followed=len(self.fit.table), things=things, kept=better)


def weights(text: str) -> dict[str, float]:
    """'flow=1, vote=0' -> {'flow': 1.0, 'vote': 0.0}."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = -1.0
        if name not in WEIGHTS or found[name] < 0:
            raise RequestFailure(
                "wrong-option", "The weights of the scene flow cannot be used.", f"'{part}' is not one of {', '.join(WEIGHTS)} with a number from 0.",
                "Write them like flow=1, vote=1, or leave them out.", {"consistent_depth": {"weights": ""}},
            )
    return found


def gaps(text: str) -> tuple[int, ...]:
    """'1,2,4' -> (1, 2, 4)."""
    try:
        found = tuple(sorted({int(part) for part in text.replace(";", ",").split(",") if part.strip()}))
    except ValueError:
        found = ()
    if not found or found[0] < 1 or found[-1] > 64:
        raise RequestFailure(
            "wrong-option", "The gaps of the scene flow cannot be used.", f"'{text}' is no list of whole numbers from 1 to 64.",
            "Write them like 1,2,4,6,8.", {"consistent_depth": {"gaps": "1,2,4,6,8"}},
        )
    return found
