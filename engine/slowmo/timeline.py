"""The slow-motion room, time: which pictures a clip really has, when, and which source times are wanted; numpy only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.options.interpolate import Interpolate
from ..failures import RequestFailure

HOLD = 3  # a picture repeated more often than this is a hold that is meant, not padding


@dataclass(frozen=True)
class Moment:
    """A source time as a place between two pictures: frame numbers, and the way from one to the other, 0..1."""

    before: int
    after: int
    fraction: float

    @property
    def nearest(self) -> int:
        """The frame that is nearer in time."""
        return self.before if self.fraction < 0.5 else self.after


@dataclass(frozen=True)
class Timeline:
    """The pictures of a clip without the repeated ones: `frame` [K] rising, and `shot` [K], counted from 0 and raised by cuts.

    A repeated frame is time that passed, not stillness: the motion from the picture to the next different one spans it.
    """

    frame: NDArray[np.int64]
    shot: NDArray[np.int64]

    def locate(self, time: float) -> Moment:
        """Where a time (in frame numbers) lies; never between two shots: there the nearest picture stands."""
        i = int(np.searchsorted(self.frame, time + 1e-9, side="right")) - 1
        i = min(max(i, 0), len(self.frame) - 1)
        before = int(self.frame[i])
        if i + 1 == len(self.frame) or time <= before + 1e-9:
            return Moment(before, before, 0.0)
        after = int(self.frame[i + 1])
        fraction = (time - before) / (after - before)
        if self.shot[i] != self.shot[i + 1]:
            # The cut itself is halfway between the last frame of one shot and the first of the other.
            near = before if time < after - 0.5 else after
            return Moment(near, near, 0.0)
        return Moment(before, after, float(fraction)) if fraction < 1 - 1e-9 else Moment(after, after, 0.0)

    def neighbours(self, moment: Moment) -> tuple[int | None, int | None]:
        """The pictures one further out on each side in the same shot, or None."""
        i, j = (int(np.searchsorted(self.frame, number)) for number in (moment.before, moment.after))
        left = int(self.frame[i - 1]) if i > 0 and self.shot[i - 1] == self.shot[i] else None
        right = int(self.frame[j + 1]) if j + 1 < len(self.frame) and self.shot[j + 1] == self.shot[j] else None
        return left, right


def read(clip: dict[str, Any]) -> Timeline:
    """The timeline of clip.json. Short repeats become time; a long hold keeps its end, so that nothing drifts through it."""
    frames, cuts = [int(n) for n in clip["frames"]], np.asarray(sorted(clip.get("cuts", [])), np.int64)
    repeated, kept = set(clip.get("duplicates", [])), [frames[0]]
    for first, last in _runs(frames[1:], repeated):
        if first not in repeated:
            kept.append(first)
        elif frames.index(last) - frames.index(first) + 1 > HOLD:
            kept.append(last)
    frame = np.asarray(kept, np.int64)
    return Timeline(frame, np.searchsorted(cuts, frame, side="right"))


def _runs(frames: list[int], repeated: set[int]) -> list[tuple[int, int]]:
    """Each frame that is no repeat as (n, n), each row of repeats as (first, last)."""
    runs: list[tuple[int, int]] = []
    going = False
    for number in frames:
        if number in repeated and going:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
        going = number in repeated
    return runs


def wanted(options: Interpolate, clip: dict[str, Any]) -> NDArray[np.float64]:
    """The source time [M] in frame numbers of each output frame."""
    frames = np.asarray(clip["frames"], np.float64)
    if options.times.strip():
        return _listed(options.times, frames)
    if options.speed.strip():
        return _curved(options.speed, frames)
    if options.fps.strip():
        return _spaced(Fraction(clip["fps"]) / _rate(options.fps), frames, clip)
    return _spaced(Fraction(1, options.factor), frames, clip)


def output_fps(options: Interpolate, clip: dict[str, Any]) -> Fraction:
    """Frames per second at which the output is meant to play."""
    retimed = options.times.strip() or options.speed.strip()
    return _rate(options.fps) if options.fps.strip() and not retimed else Fraction(clip["fps"])


def _spaced(step: Fraction, frames: NDArray[np.float64], clip: dict[str, Any]) -> NDArray[np.float64]:
    """Times `step` frames apart from the first frame to the last; even in seconds where the clip's rate varies."""
    seconds, rate = np.asarray(clip.get("times", []), np.float64), float(Fraction(clip["fps"]))
    varies = len(seconds) == len(frames) and len(frames) > 1 and _varies(seconds, frames, rate)
    length = (seconds[-1] - seconds[0]) * rate if varies else frames[-1] - frames[0]
    count = int(np.floor(length / float(step) + 1e-6)) + 1
    even = np.arange(count) * step.numerator / step.denominator
    return np.interp(even, (seconds - seconds[0]) * rate, frames) if varies else frames[0] + even


def _varies(seconds: NDArray[np.float64], frames: NDArray[np.float64], rate: float) -> bool:
    """Whether frames lie more than a tenth of a frame off an even beat."""
    beat = np.polyfit(frames, seconds, 1)
    return bool(np.abs(seconds - np.polyval(beat, frames)).max() * rate > 0.1)


def _listed(text: str, frames: NDArray[np.float64]) -> NDArray[np.float64]:
    times: list[float] = []
    for entry in filter(None, re.split(r"[,;\s]+", text.strip())):
        parts = [_number(part, "times") for part in entry.split(":")]
        if len(parts) == 1:
            times += parts
        elif len(parts) in (2, 3):
            step = abs(parts[2] if len(parts) == 3 else 1.0) or 1.0
            count = int(np.floor(abs(parts[1] - parts[0]) / step + 1e-6)) + 1
            times += [parts[0] + k * step * (1 if parts[1] >= parts[0] else -1) for k in range(count)]
        else:
            raise _wrong("times", f"'{entry}' is neither a time nor FIRST:LAST:STEP.")
    # Blender may count one frame more than can be decoded: up to there the end is held.
    outside = [t for t in times if not frames[0] - 1e-6 <= t <= frames[-1] + 1 + 1e-6]
    if outside:
        raise _wrong("times", f"{outside[0]:g} lies outside the clip, which has frames {frames[0]:g} to {frames[-1]:g}.")
    return np.asarray(times, np.float64).clip(frames[0], frames[-1])


def _curved(text: str, frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Walk from the first frame to the last at the speed that the curve has there (linear between keys)."""
    keys = [tuple(_number(part, "speed") for part in entry.split(":")) for entry in filter(None, re.split(r"[,;\s]+", text.strip()))]
    if any(len(key) != 2 or not 0.5 <= key[1] <= 5000 for key in keys):
        raise _wrong("speed", "Each key is FRAME:PERCENT with a percentage between 0.5 and 5000.")
    at, percent = zip(*sorted(keys))
    # Output time passed at each source time: the integral of 1 / speed on a fine grid, then inverted.
    grid = np.linspace(frames[0], frames[-1], max(2, int((frames[-1] - frames[0]) * 64) + 1))
    slowness = 100.0 / np.interp(grid, at, percent)
    passed = np.concatenate([[0.0], np.cumsum((slowness[1:] + slowness[:-1]) / 2 * np.diff(grid))])
    return np.interp(np.arange(int(np.floor(passed[-1] + 1e-6)) + 1), passed, grid)


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 1 <= rate <= 100000:
        raise _wrong("fps", f"'{text}' is no frame rate; write '60' or '60000/1001'.")
    return rate


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise _wrong(name, f"'{text}' is not a number.")
    return value


def _wrong(name: str, why: str) -> RequestFailure:
    return RequestFailure("wrong-option", f"The slow motion's '{name}' cannot be followed.", why, "Correct it, or empty it and use the factor.")
