"""The training room, footage: short runs of consecutive frames out of any folder of videos, or made of moving shapes; no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Run = NDArray[np.uint8]  # [T, H, W, 3] RGB
VIDEOS = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"}


@dataclass(frozen=True)
class Video:
    """A file that decodes, and about how many frames it has."""

    path: Path
    frames: int
    rate: float


def videos(folder: Path) -> list[Video]:
    """Every video under a folder that can be opened, by name."""
    return [video for path in sorted(folder.rglob("*")) if path.suffix.lower() in VIDEOS for video in _opened(path)]


def _opened(path: Path) -> Iterator[Video]:
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 0)
            length = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
            if rate > 0 and length * rate >= 2:
                yield Video(path, int(length * rate), rate)
    except (av.FFmpegError, IndexError):
        return


def run_of(video: Video, random: np.random.Generator, count: int, size: tuple[int, int]) -> Run | None:
    """`count` consecutive frames from a random place, scaled to (W, H); None where the video ends before."""
    start = int(random.integers(0, max(1, video.frames - count))) / video.rate
    out: list[NDArray[np.uint8]] = []
    with av.open(str(video.path)) as container:
        stream = container.streams.video[0]
        container.seek(int(start / stream.time_base) + (stream.start_time or 0), stream=stream)
        for frame in container.decode(stream):
            if frame.time is not None and frame.time - float((stream.start_time or 0) * stream.time_base) < start - 0.5 / video.rate:
                continue
            out.append(cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA))
            if len(out) == count:
                return np.stack(out)
    return None


def shapes(random: np.random.Generator, count: int, size: tuple[int, int], layers: int = 4) -> Run:
    """Textured pieces that move, turn and grow over a moving background: any number of true frames, without a file."""
    wide, high = size
    pieces = [(_texture(random, wide, high), np.ones((high, wide), np.float32), _motion(random, wide, 0.3))]
    for _ in range(layers):
        mask = np.zeros((high, wide), np.float32)
        corners = random.uniform(0.15, 0.85, 2) * (wide, high) + random.normal(0, 0.15, (7, 2)) * min(wide, high)
        cv2.fillPoly(mask, [cv2.convexHull(corners.astype(np.float32)).astype(np.int32)], 1.0, cv2.LINE_AA)
        pieces.append((_texture(random, wide, high), mask, _motion(random, wide, 1.0)))
    out = np.empty((count, high, wide, 3), np.uint8)
    for k in range(count):
        picture = np.zeros((high, wide, 3), np.float32)
        for texture, mask, motion in pieces:
            matrix = _affine(motion, k / (count - 1) - 0.5, wide, high)
            alpha = cv2.warpAffine(mask, matrix, size) if texture is not pieces[0][0] else np.ones_like(mask)
            moved = cv2.warpAffine(texture, matrix, size, borderMode=cv2.BORDER_REFLECT)
            picture += (moved - picture) * alpha[..., None]
        out[k] = np.clip(np.rint(picture), 0, 255)
    return out


def _texture(random: np.random.Generator, wide: int, high: int) -> NDArray[np.float32]:
    """Noise of many sizes around a colour."""
    total = np.zeros((high, wide, 3), np.float32) + random.uniform(60, 200, 3).astype(np.float32)
    for octave in range(2, 7):
        noise = random.normal(0, 22, (max(2, high >> octave), max(2, wide >> octave), 3)).astype(np.float32)
        total += cv2.resize(noise, (wide, high), interpolation=cv2.INTER_CUBIC)
    return np.clip(total, 0, 255)


def _motion(random: np.random.Generator, wide: int, amount: float) -> NDArray[np.float64]:
    """Shift x, y (px), turn (radians) and growth over the whole run, and how much of the shift is accelerated."""
    return np.concatenate([random.normal(0, 0.05 * wide * amount, 2), random.normal(0, 0.1 * amount, 2), random.uniform(-0.5, 0.5, 1)])


def _affine(motion: NDArray[np.float64], time: float, wide: int, high: int) -> NDArray[np.float64]:
    x, y, turn, growth, bent = motion
    passed = time + bent * time * abs(time)
    matrix = cv2.getRotationMatrix2D((wide / 2, high / 2), np.degrees(turn * passed), float(np.exp(growth * passed)))
    matrix[:, 2] += (x * passed, y * passed)
    return matrix
