"""The mattes room, an artist's masks carried through the shot: both ways along flow, corrected by colour; numpy and OpenCV only.

A key is a mask that the artist drew on one frame. Between two keys both are carried towards each other, and the nearer one counts more;
a span between keys depends on its own two keys alone, so that correcting one leaves the rest of the shot as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..media.flow import Flow
from ..media.frames import Frames, read_png, write_png
from .edge import guide
from .palette import BINS, bins, blurred
from .reuse import Reuse
from .subjects import fetch

Picture = NDArray[np.float32]  # [H, W] 0..1

FLOWN, COLOUR, HOME, MOTION, SMOOTH = 2.5, 1.0, 0.5, 1.5, 2.0  # log odds of: what is carried, a colour, being near, own motion, pixels around
RADIUS, EPS, STEPS = 4, 1e-3, 4  # of the mean field


class Carrier:
    """Carries one subject's keys (frame -> mask at the flow's size) over all frames, into files under `room`."""

    def __init__(self, frames: Frames, flow: Flow, keys: dict[int, Picture], room: Path, reuse: Reuse, evidence: Path | None = None) -> None:
        self.frames, self.flow, self.room, self.size, self._evidence = frames, flow, room, flow.size, evidence
        self.keys, self._reuse = dict(sorted(keys.items())), reuse

    def prepare(self, tell: Callable[[int], None]) -> None:
        """Both ways from every key, up to the next key or cut."""
        done = 0
        for way in (1, -1):
            for key in self.keys:
                run = [key]
                for frame in self._run(key, way):
                    path = self._path(way, frame)
                    if not self._reuse.has(path, "carried", f"{key} {run[-1]} {frame}", self.keys[key].tobytes()):
                        write_png(path, np.round(self._step(frame, run, way) * 255).astype(np.uint8))
                    run.append(frame)
                    done += 1
                    tell(done)

    def likely(self, frame: int) -> Picture:
        """How likely each pixel belongs to the subject, [H, W]."""
        if frame in self.keys:
            return self.keys[frame]
        total, weight = np.zeros(self.size[::-1], np.float32), 0.0
        for way in (1, -1):
            path = self._path(way, frame)
            key = max((k for k in self.keys if k < frame), default=None) if way > 0 else min((k for k in self.keys if k > frame), default=None)
            if key is not None and path.is_file():
                share = 1 / abs(frame - key)
                total += share * (read_png(path).astype(np.float32) / 255)
                weight += share
        return total / weight if weight else total

    def _path(self, way: int, frame: int) -> Path:
        return self.room / ("onward" if way > 0 else "backward") / f"{FRAME % frame}.png"

    def _run(self, key: int, way: int) -> list[int]:
        """The frames that a key reaches."""
        span = next(span for span in self.frames.spans() if key in span)
        rest = span[span.index(key) + 1:] if way > 0 else span[: span.index(key)][::-1]
        stop = next((at for at, frame in enumerate(rest) if frame in self.keys), len(rest))
        return rest[:stop]

    def _belief(self, frame: int, way: int) -> Picture:
        return self.keys[frame] if frame in self.keys else read_png(self._path(way, frame)).astype(np.float32) / 255

    def _step(self, frame: int, run: list[int], way: int) -> Picture:
        """One frame from those before it in the run (the key first)."""
        picture = self.frames.rgb8(frame, self.size)
        carried, trust = self._carried(frame, run, way)
        odds = FLOWN * trust * (2 * carried - 1)
        # Where flow does not hold, things may come to light: near the subject colour decides, far from it nothing appears.
        near = cv2.GaussianBlur(carried, (0, 0), self.size[0] / 60)
        odds = odds + HOME * np.clip(8 * near - 2, -4, 1) + COLOUR * self._colour_odds(run, way)[bins(picture)]
        odds = odds + self._motion_odds(frame, run[0])
        colours = picture.astype(np.float32) / 255
        likely = _sigmoid(odds)
        for _ in range(STEPS):
            around = np.clip(guide(colours, likely, np.ones_like(likely), RADIUS, EPS), 0, 1)
            likely = _sigmoid(odds + SMOOTH * (2 * around - 1))
        return _anchored(likely, carried)

    def _motion_odds(self, frame: int, key: int) -> Picture | float:
        """Where the drawn subject moves by itself on its key, what does not move is less likely to be it; water moves too, so no more is said."""
        if self._evidence is None:
            return 0.0
        drawn, moves = self.keys[key] > 0.5, self._moves(key)
        apart = float(np.median(moves[drawn]) - np.median(moves[~drawn])) if drawn.any() and not drawn.all() else 0.0
        return MOTION * float(np.clip(apart, 0, 1)) * np.clip(self._moves(frame) - 1.2, -1.2, 0)

    def _moves(self, frame: int) -> Picture:
        """Evidence of own motion in units of the flow's noise, 0..5."""
        assert self._evidence is not None
        return cv2.resize(read_png(self._evidence / f"{FRAME % frame}.png"), self.size).astype(np.float32) * np.float32(5 / 255)

    def _carried(self, frame: int, run: list[int], way: int) -> tuple[Picture, Picture]:
        """What the frames before say along flow, and how far that is to be trusted, 0.2..1."""
        total, weight = np.zeros(self.size[::-1], np.float32), np.full(self.size[::-1], 1e-3, np.float32)
        trust = np.full(self.size[::-1], 0.2, np.float32)
        for gap in self.flow.gaps:
            other = frame - way * gap
            field = self.flow.get(frame, other) if other in run else None
            if field is not None:
                vote = (0.02 + field[1].astype(np.float32)) / gap**0.5
                total += vote * fetch(self._belief(other, way), field[0])
                weight += vote
                trust = np.maximum(trust, field[1].astype(np.float32))
        return total / weight, cv2.blur(trust, (5, 5))

    def _colour_odds(self, run: list[int], way: int) -> Picture:
        """Log odds of each colour: the key's colours, and those of the frames since."""
        front, back = np.zeros(BINS**3), np.zeros(BINS**3)
        for age, other in enumerate([run[0], *run[-8:]]):
            belief = self._belief(other, way)
            near = cv2.GaussianBlur(belief, (0, 0), self.size[0] / 27)
            share = 8.0 if age == 0 else 0.5  # what is carried may have leaked, what was drawn has not
            at = bins(self.frames.rgb8(other, self.size)).ravel()
            front += share * np.bincount(at, (belief > 0.8).ravel() * belief.ravel(), BINS**3)
            back += share * np.bincount(at, ((1 - belief) * (0.1 + near)).ravel(), BINS**3)
        front, back = (blurred(h) / max(h.sum(), 1e-9) for h in (front, back))
        return np.clip(np.log((front + 1e-5) / (back + 1e-5)), -4, 3).astype(np.float32)


def _anchored(likely: Picture, carried: Picture) -> Picture:
    """Without the blobs of which nearly nothing was carried here: a subject does not jump."""
    count, label, about, _ = cv2.connectedComponentsWithStats((likely > 0.3).astype(np.uint8), connectivity=8)
    held = np.bincount(label[carried > 0.5], minlength=count)
    stray = (held < 0.25 * about[:count, cv2.CC_STAT_AREA]) | (about[:count, cv2.CC_STAT_AREA] < 1e-4 * likely.size)
    stray[0] = False
    return np.where(stray[label], np.minimum(likely, np.float32(0.1)), likely)


def _sigmoid(odds: Picture) -> Picture:
    return (1 / (1 + np.exp(-odds))).astype(np.float32)
