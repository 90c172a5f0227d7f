"""The media room's search for hard cuts and repeated frames, in one pass beside the decoder; never imports torch.

A cut is where motion cannot explain the next frame: flow is found between two small frames, exposure taken out, and the
share of texture that finds itself again is counted. Over 36 real clips pairs inside a shot kept above 0.32 with colours
unchanged, pairs across a cut below 0.41 with other colours.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np

_SMALL = (160, 90)
_AGAIN = 3  # frames after which a flash is over
_NEAR = 6  # pairs on each side that tell how much this shot moves
_GRID = np.stack(np.meshgrid(np.arange(_SMALL[0], dtype=np.float32), np.arange(_SMALL[1], dtype=np.float32)), axis=-1)


@dataclass(frozen=True)
class Look:
    """What is remembered of a frame."""

    gray: np.ndarray  # [h, w] uint8, longest side 320
    small: np.ndarray  # [90, 160] uint8, brightness and contrast made equal
    colours: np.ndarray  # histogram over hue and saturation, sum 1


def look(picture: np.ndarray) -> Look:
    """Shrink a frame [H, W, 3] uint8 or uint16 RGB to what the search needs."""
    scale = 320 / max(picture.shape[:2])
    size = (max(8, round(picture.shape[1] * scale)), max(8, round(picture.shape[0] * scale)))
    rgb = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if rgb.dtype != np.uint8:
        rgb = cv2.convertScaleAbs(rgb, alpha=1 / 257)
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
    small = (small - small.mean()) / (small.std() + 4) * 40 + 128
    colours = cv2.calcHist([cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)], [0, 1], None, [16, 8], [0, 180, 0, 256]).ravel()
    return Look(gray, small.clip(0, 255).astype(np.uint8), colours / colours.sum())


@dataclass
class Watch:
    """Is shown every frame in turn, then says where the cuts and the repeated frames are."""

    _numbers: list[int] = field(default_factory=list)
    _kept: list[float] = field(default_factory=list)  # of each pair: texture found again, 0..1
    _recoloured: list[float] = field(default_factory=list)  # distance of the histograms, 0..1
    _peak: list[float] = field(default_factory=list)  # largest difference of an 8 x 8 block, 0..255
    _mean: list[float] = field(default_factory=list)  # mean difference
    _still: list[bool] = field(default_factory=list)  # no difference that counts beside the contrast of the frame
    _last: deque[Look] = field(default_factory=lambda: deque(maxlen=_AGAIN))
    _open: list[_Candidate] = field(default_factory=list)
    _found: list[_Candidate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def add(self, number: int, seen: Look) -> None:
        """The next frame."""
        self._numbers.append(number)
        for candidate in list(self._open):
            self._reconsider(candidate, seen)
        if self._last:
            self._compare(self._last[-1], seen, number)
        self._last.append(seen)

    def cuts(self) -> list[int]:
        """Numbers of the first frames after hard cuts."""
        return [candidate.number for candidate in self._found if not candidate.same and self._stands_out(candidate)]

    def duplicates(self) -> list[int]:
        """Numbers of frames that repeat the one before: equal, or so much closer than their neighbours that only coding differs."""
        borders = [self._numbers.index(number) - 1 for number in self.cuts()]
        out = []
        for pair, (peak, mean) in enumerate(zip(self._peak, self._mean)):
            left = max((border + 1 for border in borders if border < pair), default=0)
            right = min((border for border in borders if border > pair), default=len(self._peak))
            shot = range(max(left, pair - _NEAR), min(right, pair + _NEAR + 1)) if pair not in borders else []
            near = [other for other in shot if other != pair]
            usual_peak, usual_mean = (np.percentile([values[other] for other in near], 75) if near else 0.0 for values in (self._peak, self._mean))
            if self._still[pair] or (peak < 6 and peak < 0.12 * usual_peak and mean < 0.12 * usual_mean):
                out.append(self._numbers[pair + 1])
        return out

    def _compare(self, a: Look, b: Look, number: int) -> None:
        kept = self._texture_kept(a.small, b.small)
        recoloured = 0.5 * float(np.abs(a.colours - b.colours).sum())
        if kept < 0.45:
            self._open.append(_Candidate(number, len(self._kept), [past.small for past in self._last]))
            self._found.append(self._open[-1])
        difference = cv2.absdiff(a.gray, b.gray)
        self._kept.append(kept)
        self._recoloured.append(recoloured)
        self._peak.append(float(cv2.blur(difference.astype(np.float32), (8, 8)).max()))
        self._mean.append(float(difference.mean()))
        self._still.append(self._peak[-1] <= 0.01 * float(b.gray.std()))

    def _reconsider(self, candidate: _Candidate, seen: Look) -> None:
        """A flash, or a spoilt frame: soon afterwards the old picture is there again."""
        candidate.same = candidate.same or any(self._texture_kept(past, seen.small) > 0.6 for past in candidate.before)
        candidate.after += 1
        if candidate.same or candidate.after > _AGAIN:
            candidate.before.clear()
            self._open.remove(candidate)

    def _stands_out(self, candidate: _Candidate) -> bool:
        """Noise and very fast motion lose their texture on every frame; a cut does so once."""
        pair = candidate.pair
        near = self._kept[max(0, pair - _NEAR):pair] + self._kept[pair + 1:pair + 1 + _NEAR]
        usual = float(np.median(near)) if near else 1.0
        other_colours = self._recoloured[pair] > 0.25 and self._kept[pair] < 0.75 * usual
        return other_colours or self._kept[pair] < min(0.3, 0.5 * usual) and usual > 0.5

    def _texture_kept(self, a: np.ndarray, b: np.ndarray) -> float:
        """Correlation in windows of 15 px between a and b brought back along the flow, weighted by contrast; 1 without texture."""
        along = _GRID + self._search.calc(a, b, None)
        back = cv2.remap(b, along[..., 0], along[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        front = a.astype(np.float32)
        mean_a, mean_b = _blur(front), _blur(back)
        spread_a = np.maximum(_blur(front * front) - mean_a * mean_a, 0)
        spread_b = np.maximum(_blur(back * back) - mean_b * mean_b, 0)
        same = (_blur(front * back) - mean_a * mean_b) / np.sqrt(spread_a * spread_b + 1e-3)
        contrast = np.maximum(spread_a, spread_b)
        weight = np.where(contrast > 25, np.sqrt(contrast), 0)
        if np.count_nonzero(weight) < 0.03 * weight.size:
            return 1.0
        return float((same.clip(0, 1) * weight).sum() / weight.sum())


@dataclass
class _Candidate:
    number: int
    pair: int
    before: list[np.ndarray]
    after: int = 0
    same: bool = False


def _blur(picture: np.ndarray) -> np.ndarray:
    return cv2.boxFilter(picture, -1, (15, 15))
