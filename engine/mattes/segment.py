"""The mattes room, segmentation: the mask of what moves, brought to the edges of the picture; numpy and OpenCV only.

Motion says roughly what, colour says exactly where. Twice: colours of subject and scenery over the frames around; what they, the motion
and (the second time) the neighbouring frames along flow say of each pixel; then a mean field whose neighbourhood is a guided filter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME, LIKELY
from ..geometry.blobs import disc, filled
from ..geometry.evenly import evenly
from ..media.flow import Flow
from ..media.frames import Frames, read_png, write_png
from . import fluid
from .edge import guide
from .mean_field import agreed
from .palette import BINS, bins, blurred
from .plate import differs
from .subjects import fetch

Mask = NDArray[np.bool_]
Picture = NDArray[np.float32]  # [H, W]

WORK = ("guess", "guess2")  # folders of the two rounds while the stage runs
WINDOW = 8  # frames each way that share their colours
MOTION, COLOUR, PLATE, VOTE, SMOOTH = 0.8, 1.0, 2.0, 1.5, 4.0  # log odds: mover mask, colour, scenery behind, frames around, pixels around
RADIUS, EPS, STEPS = 5, 1e-3, 6  # of the mean field
SOLVED = 1.2  # log odds of a sure verdict of the solved scene
ASKED = 24  # frames between two cuts that are asked whether water or the like moves in them
FLUID = 4.0  # log odds against what moves but cannot be followed, in such a shot
REACH = 12  # px round what moves in the solved scene within which other evidence counts
SPECK = 5e-4  # part of the picture below which a blob is noise
HARDLY = 0.1  # part of a blob
LARGE, WITNESS, SEEN = 0.02, 0.75, 0.3  # a blob of this part of the picture needs such evidence of the flow around, in this part of itself


class Segmenter:
    """Masks at the flow's size for frames in any order; what it worked out lies in `room`, so that it can go on there."""

    def __init__(self, frames: Frames, flow: Flow, movers: Path, grow: int, room: Path, solved: Path | None = None) -> None:
        self.frames, self.flow, self.movers, self.grow, self.room = frames, flow, movers, grow, room
        self.solved = solved  # finished folder of the stage scene_movers, where there is one
        self.size = (max(16, flow.size[0] // 2), max(16, flow.size[1] // 2))
        self.given = not (movers / "evidence").is_dir()  # an artist's masks are taken as they are
        self.at = {frame: at for at, frame in enumerate(frames.numbers)}
        self.span = {frame: at for at, span in enumerate(frames.spans()) for frame in span}
        self._suspected: dict[int, float] = {}
        keep = 4 * WINDOW + 12  # the frames around the frames around, and the furthest gaps
        for name in ("_colours", "_moving", "_bins", "_trust", "_picture", "_belief"):
            setattr(self, name, lru_cache(keep)(getattr(self, name)))

    def prepare(self, tell: Callable[[int], None]) -> None:
        """Both rounds over all frames, each kept in a file."""
        if self.given:
            return
        for turn, folder in enumerate(WORK):
            for done, frame in enumerate(self.frames.numbers, 1):
                path = self.room / folder / f"{FRAME % frame}.png"
                if not path.is_file():
                    write_png(path, np.round(self._infer(frame, turn) * 255).astype(np.uint8))
                tell(turn * len(self.frames) + done)
            self._colours.cache_clear()  # type: ignore[attr-defined]
            self._belief.cache_clear()  # type: ignore[attr-defined]

    @property
    def suspected(self) -> float:
        """How much is to be said for water, spray or smoke in the shot, 0..1."""
        return 0.0 if self.given else max(map(self._suspect, set(self.span.values())))

    def mask(self, frame: int) -> Mask:
        """The mask of a frame [H, W] at the flow's size, holes filled, specks gone."""
        rough = self._rough(frame)
        if self.given:
            return rough
        likely = self._read("guess2", frame)
        picture = self.frames.rgb8(frame, self.flow.size).astype(np.float32) / 255
        large = cv2.resize(likely, self.flow.size, interpolation=cv2.INTER_LINEAR)
        fine = guide(picture, large, np.ones_like(large), 3, 1e-3) > 0.5
        return filled(_supported(fine, rough, self.around(frame)))

    def _rough(self, frame: int) -> Mask:
        """What moves, by motion alone: in the solved scene where the frame has a camera, else against the flow around."""
        around = self.around(frame)
        if self._is_solved(frame):
            assert self.solved
            return credible(read_png(self.solved / f"{FRAME % frame}.png") > 127, self._evidence(frame), around)
        return around

    def around(self, frame: int) -> Mask:
        """What moves against the flow around, without a camera, [H, W] at the flow's size."""
        return whole(read_png(self.movers / f"{FRAME % frame}.png") > 127, self.grow)

    def _evidence(self, frame: int) -> Picture:
        """Own motion by the flow around, in units of its noise, 0..5."""
        return read_png(self.movers / "evidence" / f"{FRAME % frame}.png").astype(np.float32) * np.float32(5 / 255)

    def _is_solved(self, frame: int) -> bool:
        return not self.given and self.solved is not None and (self.solved / LIKELY / f"{FRAME % frame}.png").is_file()

    def _read(self, folder: str, frame: int) -> Picture:
        return read_png(self.room / folder / f"{FRAME % frame}.png").astype(np.float32) / 255

    def _belief(self, frame: int, turn: int) -> Picture:
        return self._moving(frame)[0] if turn == 0 else self._read("guess", frame)

    def _around(self, frame: int) -> list[int]:
        at = self.at[frame]
        return self.frames.numbers[max(0, at - WINDOW) : at + WINDOW + 1]

    def _infer(self, frame: int, turn: int) -> Picture:
        """How likely each pixel belongs to a subject, at half the flow's size."""
        moving, motion = self._moving(frame)
        follow = self._follow(frame)
        odds = np.where(moving > 0.5, MOTION - FLUID * (1 - follow), -MOTION) + motion * follow
        odds = odds + COLOUR * self._colour_odds(frame, turn)[self._bins(frame)]
        odds = odds + self._scenery_odds(frame, turn)
        if turn:
            odds = odds + VOTE * self._votes(frame)
        return agreed(odds, self._picture(frame), RADIUS, EPS, STEPS, SMOOTH)

    def _scenery_odds(self, frame: int, turn: int) -> Picture:
        """Against what looks like the scenery that other frames show there, for what does not."""
        others = []
        for gap in (way * gap for gap in self.flow.gaps[-2:] for way in (-1, 1)):
            field = self.flow.get(frame, frame + gap) if frame + gap in self.at else None
            if field is not None:
                valid = cv2.resize(field[1].astype(np.float32), self.size, interpolation=cv2.INTER_AREA)
                others.append((self._picture(frame + gap), self._belief(frame + gap, turn), self._small(field[0]), valid))
        if not others:
            return np.zeros(self.size[::-1], np.float32)
        apart = differs(self._picture(frame), self._belief(frame, turn), others)
        return np.where(apart < 0, np.float32(0), np.clip(PLATE * (apart - 1), -PLATE, PLATE))

    def _picture(self, frame: int) -> Picture:
        return self.frames.rgb(frame, self.size).astype(np.float32) / (65535 if self.frames.bits > 8 else 255)

    def _colour_odds(self, frame: int, turn: int) -> Picture:
        """Log odds of each colour bin, from the frames around."""
        pairs = [self._colours(other, turn) for other in self._around(frame)]
        front, back = (blurred(np.sum([pair[side] for pair in pairs], axis=0)) for side in (0, 1))
        front, back = front / max(front.sum(), 1e-9), back / max(back.sum(), 1e-9)
        return np.clip(np.log((front + 1e-5) / (back + 1e-5)), -4, 4).astype(np.float32)

    def _colours(self, frame: int, turn: int) -> tuple[Picture, Picture]:
        """How often each colour is seen on subjects and on scenery; scenery near a subject counts more."""
        belief, follow, bins = self._belief(frame, turn), self._follow(frame), self._bins(frame).ravel()
        near = cv2.GaussianBlur(belief, (0, 0), self.size[0] / 27)
        front, back = belief * follow**2, (1 - belief) * (0.3 + near) + belief * (1 - follow) * 4
        return tuple(np.bincount(bins, part.ravel(), BINS**3).astype(np.float32) for part in (front, back))  # type: ignore[return-value]

    def _bins(self, frame: int) -> NDArray[np.int32]:
        return bins(np.round(self._picture(frame) * 255).astype(np.uint8))

    def _moving(self, frame: int) -> tuple[Picture, Picture]:
        """The rough mask, and the log odds of motion about it, at half the flow's size."""
        mask = self._rough(frame).astype(np.float32)
        if self._is_solved(frame):
            assert self.solved
            verdict = read_png(self.solved / LIKELY / f"{FRAME % frame}.png").astype(np.float32) / 127.5 - 1
            odds = SOLVED * np.where(cv2.dilate(mask, disc(REACH)) > 0, verdict, -1)
        else:
            odds = 0.6 * np.clip(self._evidence(frame) - 1.5, -1.5, 2)
        return tuple(cv2.resize(part, self.size, interpolation=cv2.INTER_AREA) for part in (mask, odds))  # type: ignore[return-value]

    def _follow(self, frame: int) -> Picture:
        """How well a place can be followed, 0..1, against the best of what moves; 1 everywhere unless water or the like is suspected."""
        suspect = self._suspect(self.span[frame])
        best = [trust.best for trust in map(self._trust, self._around(frame)) if trust.best > 0]
        if suspect == 0 or not best:
            return np.ones(self.size[::-1], np.float32)
        return fluid.follow(self._trust(frame).held / np.float32(np.median(best)), suspect, self._grey(frame))

    def _suspect(self, span: int) -> float:
        """How much is to be said for water, spray or smoke between two cuts, 0..1."""
        if span not in self._suspected:
            numbers = self.frames.spans()[span]
            self._suspected[span] = fluid.suspicion([self._trust(numbers[at]) for at in evenly(len(numbers), ASKED)])
        return self._suspected[span]

    def _trust(self, frame: int) -> fluid.Trust:
        """How well flow follows each place of a frame, and what moves in it."""
        fields, next_to = [], 0
        for gap in self.flow.gaps[:3]:
            for other in (frame - gap, frame + gap):
                held = self.flow.get(frame, other)
                if held is None:
                    continue
                flow, holds = self._small(held[0]), cv2.resize(held[1].astype(np.float32), self.size, interpolation=cv2.INTER_AREA)
                fields.append(fluid.Field(flow, holds, fetch(self._grey(other), flow)))
                next_to += gap == self.flow.gaps[0]
        around = cv2.resize(self.around(frame).astype(np.float32), self.size, interpolation=cv2.INTER_AREA) > 0.5
        return fluid.trust(self._grey(frame), fields, next_to, self._moving(frame)[0] > 0.5, around)

    def _grey(self, frame: int) -> Picture:
        return cv2.cvtColor(self._picture(frame), cv2.COLOR_RGB2GRAY) * 255

    def _votes(self, frame: int) -> Picture:
        """What the first round said of the same places in neighbouring frames, -1..1."""
        total, weight = np.zeros(self.size[::-1], np.float32), np.ones(self.size[::-1], np.float32)
        for other in (frame - 2 * self.flow.gaps[0], frame - self.flow.gaps[0], frame + self.flow.gaps[0], frame + 2 * self.flow.gaps[0]):
            field = self.flow.get(frame, other) if other in self.at else None
            if field is not None:
                valid = cv2.resize(field[1].astype(np.float32), self.size, interpolation=cv2.INTER_AREA)
                total += valid * (2 * fetch(self._read("guess", other), self._small(field[0])) - 1)
                weight += valid
        return total / np.maximum(weight - 1, 1)

    def _small(self, flow: NDArray[np.float32]) -> NDArray[np.float32]:
        scale = np.array([self.size[0] / flow.shape[1], self.size[1] / flow.shape[0]], np.float32)
        return cv2.resize(flow, self.size, interpolation=cv2.INTER_AREA) * scale


def whole(mask: Mask, grow: int, hole: float = 0.01) -> Mask:
    """A mover mask without its safety margin of `grow` px, and with its holes filled up to that part of its area."""
    inner = cv2.erode(mask.astype(np.uint8), disc(grow)) if grow else mask.astype(np.uint8)
    return filled(inner.astype(bool), hole)


def credible(mask: Mask, evidence: Picture, around: Mask) -> Mask:
    """A solved scene's verdict; where it calls much of the picture moving and hardly any flow does, the solve errs, and `around` counts there."""
    count, label, about, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    seen = np.bincount(label[evidence > WITNESS], minlength=count) / np.maximum(about[:count, cv2.CC_STAT_AREA], 1)
    wrong = (about[:count, cv2.CC_STAT_AREA] > LARGE * mask.size) & (seen < SEEN)
    wrong[0] = False
    return np.where(wrong[label], around, mask)


def _supported(mask: Mask, rough: Mask, around: Mask) -> Mask:
    """The blobs that motion supports: large enough, a third of them in the rough mask, and seen to move against the flow around as well:
    what the solved scene alone calls moving is a still thing whose flow others disturb.
    """
    count, label, about, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    area = about[:count, cv2.CC_STAT_AREA]
    inside, seen = (np.bincount(label[where], minlength=count) for where in (rough, around))
    keep = (area >= SPECK * mask.size) & (inside > area / 3) & (seen > HARDLY * area)
    keep[0] = False
    return keep[label]
