"""The media room's clock: frame numbers and true times from a stream's time stamps, never from its header; never imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import Any

import av

_USUAL = [Fraction(rate) for rate in (12, 15, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)]
_USUAL += [Fraction(1000 * rate, 1001) for rate in (15, 24, 30, 48, 60, 120)]


@dataclass(frozen=True)
class Timing:
    """Frame rate of a stream. Where it is constant, frames that were lost leave a gap in the numbers, as in Blender."""

    fps: Fraction
    constant: bool
    count: int  # packets with pictures
    base: Fraction  # s per time stamp

    @classmethod
    def scan(cls, container: Any, stream: Any) -> Timing:
        """Read the packets' time stamps without decoding."""
        stamps, count = set(), 0
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    count += 1
                    if packet.pts is not None:
                        stamps.add(packet.pts)
        except (av.FFmpegError, OSError):
            pass  # a damaged tail: the decoder will meet it again and say so
        base = stream.time_base or Fraction(1, 1000)
        times = [float(stamp * base) for stamp in sorted(stamps)]
        fps, constant = _rate(times, [stream.guessed_rate, stream.average_rate])
        return cls(fps, constant, count, base)

    def clock(self) -> Callable[[Any], tuple[int, float]]:
        """A function that is shown each decoded frame in turn and says its number (1 first) and its time in s (0 first)."""
        start: float | None = None
        number, time = 0, 0.0

        def tell(frame: Any) -> tuple[int, float]:
            nonlocal start, number, time
            if frame.pts is None:
                number, time = number + 1, time + float(1 / self.fps) if number else 0.0
                return number, time
            stamp = float(frame.pts * (frame.time_base or self.base))
            start = stamp if start is None else start
            time = stamp - start
            on_grid = round(time * float(self.fps)) + 1 if self.constant else 0
            number = max(number + 1, on_grid)
            return number, time

        return tell


def _rate(times: list[float], told: list[Fraction | None]) -> tuple[Fraction, bool]:
    """(frames per second, constant?) from sorted times in s and the rates that the container tells."""
    believable = [Fraction(rate) for rate in told if rate and 0.1 <= rate <= 1000]
    if len(times) < 3:
        return (believable or [Fraction(24)])[0], True
    steps = [b - a for a, b in zip(times, times[1:])]
    usual = min(_USUAL, key=lambda rate: abs(float(rate) * median(steps) - 1))
    for rate in [*believable, usual]:
        if _on_grid(times, float(rate)):
            return rate, True
    mean = (len(times) - 1) / (times[-1] - times[0])
    near = [rate for rate in believable if abs(float(rate) / mean - 1) < 0.02]
    return (near or [Fraction(mean).limit_denominator(1001)])[0], False


def _on_grid(times: list[float], rate: float) -> bool:
    """Whether frames stand at whole multiples of 1 / rate, most at neighbouring ones.

    A few may share a place: VP8 and VP9 hide reference frames among the packets that never come out of the decoder.
    """
    places = [(time - times[0]) * rate for time in times]
    near = all(abs(place - round(place)) < 0.25 for place in places)
    strides = [round(b) - round(a) for a, b in zip(places, places[1:])]
    return near and strides.count(0) <= 0.15 * len(strides) and median(strides) == 1
