"""The mattes room, an artist's masks carried through the shot: both ways along flow, by place, colour and motion; numpy and OpenCV only.

A key is a mask that the artist drew on one frame. Between two keys both are carried towards each other, and the nearer one counts more;
a span between keys depends on its own two keys alone, so that correcting one leaves the rest of the shot as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..media.flow import Flow
from ..media.frames import Frames, read_png, working_size, write_png
from . import thin, two_layers
from .edge import guide
from .homeward import Homeward
from .local_colours import LocalColours
from .mean_field import agreed
from .own_motion import OwnMotion
from .palette import BINS, bins, blurred
from .reuse import Reuse
from .subjects import fetch

Picture = NDArray[np.float32]  # [H, W] 0..1

LONGEST = 320  # px: masks are carried at this size, but for their thin parts, and brought to the edges of the picture afterwards
FLOWN, CALMER, HOME, COLOUR, NEARBY, MOTION, SMOOTH = 3.0, 1.0, 0.5, 1.0, 2.0, 2.0, 2.0  # log odds of:
# what is carried, and how much less of it where own motion tells; being near; colours; the drawn frame itself; own motion; pixels around
LAYERS = 0.8  # trust in what either layer's own motion tells where no flow holds
RADIUS, EPS, STEPS = 4, 1e-3, 4  # of the mean field
RECENT = 8  # frames whose colours count beside the key's
LOCAL = 4  # frames back to which colours are known place by place
SOLID = 1.5  # px: colours are learned where a mask is wider
REACH = 5  # px, side of a square: evidence of motion reaches so far past the edges of what moves
LOST = 0.35  # of its usual size: a subject that has less is looked for
FOUND = (0.1, 0.3)  # of the key's size: least size of what is found again, and log odds for each of its pixels


class Carrier:
    """Carries one subject's keys (frame -> mask at the flow's size) over all frames, into files under `room`."""

    def __init__(self, frames: Frames, flow: Flow, keys: dict[int, Picture], room: Path, reuse: Reuse, evidence: Path | None = None) -> None:
        self.frames, self.flow, self.room, self._evidence = frames, flow, room, evidence
        self.size = working_size(flow.size, LONGEST)
        self.keys, self._reuse = dict(sorted(keys.items())), reuse
        self._small = {frame: cv2.resize(mask, self.size, interpolation=cv2.INTER_AREA) for frame, mask in self.keys.items()}
        self._field, self._bins, self._moves = lru_cache(24)(self._read_field), lru_cache(24)(self._read_bins), lru_cache(24)(self._read_moves)
        self._full = lru_cache(4)(lambda frame: frames.rgb8(frame, flow.size))
        self._begin(0, 1)

    def prepare(self, tell: Callable[[int], None]) -> None:
        """Both ways from every key, up to the next key or cut."""
        done = 0
        for way in (1, -1):
            for key in self.keys:
                self._begin(key, way)
                run = [key]
                for frame in self._run(key, way):
                    paths = self._path(way, frame), self._path(way, frame, "thin")
                    made_of = f"{key} {run[-1]} {frame}", self.keys[key].tobytes()
                    if not all([self._reuse.has(path, path.parent.name, *made_of) for path in paths]):
                        for path, part in zip(paths, (self._step(frame, run, way), self._lines(frame, run[-1]))):
                            write_png(path, np.round(part * 255).astype(np.uint8))
                    run.append(frame)
                    done += 1
                    tell(done)

    def likely(self, frame: int) -> Picture:
        """How likely each pixel belongs to the subject, [H, W] at the flow's size."""
        if frame in self.keys:
            return self.keys[frame]
        total, lines, weight = np.zeros(self.size[::-1], np.float32), np.zeros(self.flow.size[::-1], np.float32), 0.0
        for way in (1, -1):
            path = self._path(way, frame)
            key = max((k for k in self.keys if k < frame), default=None) if way > 0 else min((k for k in self.keys if k > frame), default=None)
            if key is not None and path.is_file():
                share = 1 / abs(frame - key)
                total += share * _read(path)
                lines += share * _read(self._path(way, frame, "thin"))
                weight += share
        if not weight:
            return lines
        large = total / weight
        if self.size != self.flow.size:
            large = cv2.resize(large, self.flow.size, interpolation=cv2.INTER_LINEAR)
            large = np.clip(guide(self._full(frame).astype(np.float32) / 255, large, np.ones_like(large), 3, EPS), 0, 1)
        return np.maximum(large, lines / weight)

    def _path(self, way: int, frame: int, part: str = "carried") -> Path:
        return self.room / ("onward" if way > 0 else "backward") / part / f"{FRAME % frame}.png"

    def _run(self, key: int, way: int) -> list[int]:
        """The frames that a key reaches."""
        span = next(span for span in self.frames.spans() if key in span)
        rest = span[span.index(key) + 1:] if way > 0 else span[: span.index(key)][::-1]
        stop = next((at for at, frame in enumerate(rest) if frame in self.keys), len(rest))
        return rest[:stop]

    def _begin(self, key: int, way: int) -> None:
        """Forget the run before: what is remembered follows from the files of this one."""
        self._way, self._home = way, None
        self._thin = lru_cache(4)(self._read_thin)
        self._belief, self._colours = lru_cache(64)(self._read_belief), lru_cache(64)(self._count_colours)
        self._motion = OwnMotion(self._moves, self._belief) if self._evidence is not None else None

    def _step(self, frame: int, run: list[int], way: int) -> Picture:
        """One frame from those before it in the run (the key first)."""
        colours, bins = self._picture(frame), self._bins(frame)
        carried, trust, local = self._carried(frame, run, way)
        calm = self._motion.calm(frame, run) if self._motion else 0.0
        carried, trust, unseen = self._by_layers(frame, run[-1], carried, trust, calm)
        whole = self._colour_odds(run)
        motion = np.asarray(MOTION * calm * self._motion.odds(frame, run, carried) if self._motion and calm else 0.0, np.float32)
        motion = np.where(motion < 0, (1 - unseen) * motion, motion)
        # Where flow does not hold, things may come to light: near the subject colour decides, far from it nothing appears.
        near = HOME * np.clip(8 * cv2.GaussianBlur(carried, (0, 0), self.size[0] / 60) - 2, -4, 1)
        odds = (FLOWN - CALMER * calm) * trust * (2 * carried - 1) + near + COLOUR * local.odds(bins, whole)
        odds = odds + _inward(motion) + NEARBY * self._homeward(frame, run, way).says(frame, colours)
        found = _anchored(_agreed(odds, colours), carried)
        if np.count_nonzero(found > 0.5) < LOST * np.median([np.count_nonzero(self._belief(other) > 0.5) for other in (run[0], *run[-30:])]):
            found = np.maximum(found, self._found_again(COLOUR * whole[bins] + 1.5 * motion - 1, colours, run[0]))
        return found

    def _lines(self, frame: int, before: int) -> Picture:
        """The thin parts, for which the rest is carried too coarsely, at the flow's size; `before` is the frame before in the run."""
        lines, field = self._thin(before), self._field(frame, before)
        if field is None or not lines.any():
            return np.zeros_like(lines)
        mask = np.maximum(cv2.resize(self._belief(before), self.flow.size), lines)
        return thin.carried(self._full(frame), self._full(before), mask, thin.parts(lines), *field)

    def _found_again(self, odds: Picture, colours: Picture, key: int) -> Picture:
        """The blob anywhere that looks and moves most like a subject that is lost; nothing where none does."""
        likely, area = _agreed(odds, colours), float(self._belief(key).sum())
        count, label, about, _ = cv2.connectedComponentsWithStats((likely > 0.5).astype(np.uint8), connectivity=8)
        score = np.bincount(label.ravel(), np.clip(odds, 0, 9).ravel(), count)
        score[about[:count, cv2.CC_STAT_AREA] < FOUND[0] * area] = 0
        score[0] = 0
        best = int(score.argmax())
        return np.where((label == best) & (score[best] > FOUND[1] * area), likely, 0).astype(np.float32)

    def _carried(self, frame: int, run: list[int], way: int) -> tuple[Picture, Picture, LocalColours]:
        """What the frames before say along flow, how far that is to be trusted, 0.2..1, and their colours place by place."""
        total, weight = np.zeros(self.size[::-1], np.float32), np.full(self.size[::-1], 1e-3, np.float32)
        trust, local = np.full(self.size[::-1], 0.2, np.float32), LocalColours(self.size)
        for gap in self.flow.gaps:
            other = frame - way * gap
            field = self._field(frame, other) if other in run else None
            if field is None:
                continue
            flow, valid = field
            fetched = fetch(self._belief(other), flow)
            vote = (0.02 + valid) / gap**0.5
            total += vote * fetched
            weight += vote
            trust = np.maximum(trust, valid)
            if gap <= LOCAL:
                local.add(_fetch_bins(self._bins(other), flow), fetched, (0.1 + valid) / np.float32(gap**0.5))
        return total / weight, cv2.blur(trust, (5, 5)), local

    def _by_layers(self, frame: int, before: int, carried: Picture, trust: Picture, calm: float) -> tuple[Picture, Picture, Picture]:
        """What is carried and its trust, mended where no flow holds; and how far a pixel is the subject's of which no flow can say that it stands still.

        Water and crowds change as they move: the less `calm` the scenery, 0..1, the less such a match is trusted.
        """
        doubt, field = np.clip(1.25 - 1.25 * trust, 0, 1), self._field(frame, before)
        if field is None:
            return carried, trust, np.zeros_like(carried)
        pictures = (self.frames.rgb8(which, self.size) for which in (frame, before))
        told = two_layers.told(*pictures, self._belief(before), *field, doubt)
        return carried + doubt * (told - carried), trust + LAYERS * calm * doubt, doubt * told

    def _homeward(self, frame: int, run: list[int], way: int) -> Homeward:
        """The way to the key, made up to this frame."""
        if self._home is None:
            self._home = Homeward(run[0], self._small[run[0]], self._picture(run[0]), self.flow.gaps, self._field)
        first = next((at for at in range(len(run), 0, -1) if self._home.has(run[at - 1])), 0)
        for other in (*run[first:], frame):
            self._home.step(other, way)
        return self._home

    def _colour_odds(self, run: list[int]) -> NDArray[np.float64]:
        """Log odds of each colour: the key's colours, and those of the frames since."""
        shares = [(8.0, run[0]), *((0.5, other) for other in run[-RECENT:])]  # what is carried may have leaked, what was drawn has not
        sums = (sum(share * self._colours(other)[side] for share, other in shares) for side in (0, 1))
        front, back = (blurred(h) / max(h.sum(), 1e-9) for h in sums)
        return np.clip(np.log((front + 1e-5) / (back + 1e-5)), -4, 3)

    def _count_colours(self, frame: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How often each colour is seen on the subject and around it."""
        belief, at = self._belief(frame), self._bins(frame).ravel()
        solid = (belief > 0.8) * belief * np.clip(2 * cv2.GaussianBlur(belief, (0, 0), SOLID) - 1, 0, 1)
        near = cv2.GaussianBlur(belief, (0, 0), self.size[0] / 27)
        return np.bincount(at, solid.ravel(), BINS**3), np.bincount(at, ((1 - belief) * (0.1 + near)).ravel(), BINS**3)

    def _read_belief(self, frame: int) -> Picture:
        return self._small[frame] if frame in self._small else _read(self._path(self._way, frame))

    def _read_thin(self, frame: int) -> Picture:
        return thin.parts(self.keys[frame]) if frame in self.keys else _read(self._path(self._way, frame, "thin"))

    def _picture(self, frame: int) -> NDArray[np.float32]:
        return self.frames.rgb8(frame, self.size).astype(np.float32) / 255

    def _read_bins(self, frame: int) -> NDArray[np.int32]:
        return bins(self.frames.rgb8(frame, self.size))

    def _read_moves(self, frame: int) -> Picture:
        """Evidence of own motion in units of the flow's noise, 0..5."""
        assert self._evidence is not None
        evidence = read_png(self._evidence / f"{FRAME % frame}.png")
        return cv2.resize(evidence, self.size, interpolation=cv2.INTER_AREA).astype(np.float32) * np.float32(5 / 255)

    def _read_field(self, a: int, b: int) -> tuple[NDArray[np.float32], Picture] | None:
        field = self.flow.get(a, b)
        if field is None:
            return None
        scale = np.array([self.size[0] / self.flow.size[0], self.size[1] / self.flow.size[1]], np.float32)
        return tuple(cv2.resize(part.astype(np.float32), self.size, interpolation=cv2.INTER_AREA) for part in (field[0] * scale, field[1]))  # type: ignore[return-value]


def _read(path: Path) -> Picture:
    return read_png(path).astype(np.float32) / 255


def _fetch_bins(bins: NDArray[np.int32], flow: NDArray[np.float32]) -> NDArray[np.int32]:
    """The bins at the end of the flow; 16 bit hold them all."""
    return fetch(bins.astype(np.uint16), flow, cv2.INTER_NEAREST).astype(np.int32)


def _agreed(odds: Picture, colours: NDArray[np.float32]) -> Picture:
    return agreed(odds, colours, RADIUS, EPS, STEPS, SMOOTH)


def _inward(motion: Picture) -> Picture:
    """Log odds of own motion, drawn in where they speak for the subject."""
    return np.where(motion > 0, cv2.erode(motion, np.ones((REACH, REACH), np.uint8)).clip(0), motion)


def _anchored(likely: Picture, carried: Picture) -> Picture:
    """Without the blobs of which nearly nothing was carried here: a subject does not jump."""
    count, label, about, _ = cv2.connectedComponentsWithStats((likely > 0.3).astype(np.uint8), connectivity=8)
    held = np.bincount(label[carried > 0.5], minlength=count)
    stray = (held < 0.25 * about[:count, cv2.CC_STAT_AREA]) | (about[:count, cv2.CC_STAT_AREA] < 1e-4 * likely.size)
    stray[0] = False
    return np.where(stray[label], np.minimum(likely, np.float32(0.1)), likely)
