"""The slow-motion room, overlays: logos, time codes and bars that are burnt into a moving picture and do not move with it; OpenCV and numpy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.blobs import disc
from .look import Flow, Map
from .motion import Picture
from .timeline import Timeline

SHORTEST = 24  # pictures of a shot: in fewer, what is far or followed by the camera stands as well
FEWEST, SAMPLES = 12, 16  # of them tell what stands still
SHARP, FAINT = 12.0, 8.0  # grey levels per px: edges that tell of an overlay, and those that may belong to one
STANDING, LIKELY = 16.0, 1.5  # mean squared over variance of an edge: it stands, or may
CALM = 20.0  # grey levels by which an overlay may vary
GONE, MOST = 0.5, 0.82  # an edge with less of that has gone; so many must have, or it is the camera that (nearly) stands
SPECK, PART = 40, 0.1  # px of standing edge, and their part of a piece: less is chance
REACH = 10  # px around an overlay to which flow search carries its standstill
AROUND = 40  # px over which what is around an overlay is carried under it; a quarter where that is enough, four times where it must be


class Overlays:
    """The overlay of each shot, found when first asked for; safe in threads."""

    def __init__(self, picture: Callable[[int], Picture], track: Timeline) -> None:
        self.picture, self.track = picture, track
        self._known: dict[int, Map | None] = {}
        self._lock = threading.Lock()

    def over(self, number: int) -> Map | None:
        """The overlay [H, W] 0..1 of the shot that holds a frame, or None."""
        shot = int(self.track.shot[np.searchsorted(self.track.frame, number)])
        with self._lock:
            if shot not in self._known:
                inside = self.track.frame[self.track.shot == shot]
                chosen = inside[np.unique(np.linspace(0, len(inside) - 1, SAMPLES).astype(int))]
                self._known[shot] = find(self.picture(int(n)) for n in chosen) if len(inside) >= SHORTEST else None
            return self._known[shot]

    @property
    def share(self) -> float:
        """How much of the picture is overlay, at most, in the shots looked at."""
        return max((float(mask.mean()) for mask in self._known.values() if mask is not None), default=0.0)


def find(pictures: Iterable[Picture]) -> Map | None:
    """What stands still over pictures of one shot while the rest of them moves: 0..1 [H, W], soft at its border; None without.

    Means and variances of brightness and its slope over time; an edge of the scene stays in place only where the camera stands, and
    there nothing is found.
    """
    count, sums = 0, np.zeros(1, np.float32)  # running sums, since sixteen 4K pictures would not fit
    for picture in pictures:
        count += 1
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
        sums = sums + np.stack([grey, grey * grey, across, down, across * across + down * down])
    if count < FEWEST:
        return None
    grey, grey2, across, down, slope2 = sums / count
    steady2 = across * across + down * down
    change2 = np.maximum(slope2 - steady2, 0)
    standing = (steady2 > SHARP**2) & (steady2 > STANDING * change2)
    edges = slope2 > SHARP**2
    if (edges & (steady2 < GONE * change2)).sum() <= MOST * edges.sum():
        return None
    likely = (steady2 > FAINT**2) & (steady2 > LIKELY * change2)
    outline = _pieces_with(likely, standing, grey2 - grey * grey)
    if not outline.any():
        return None
    inside = (cv2.dilate(outline, disc(max(2, grey.shape[0] // 240))) > 0) & (grey2 - grey * grey < CALM**2)
    return cv2.GaussianBlur(cv2.dilate(outline | inside.astype(np.uint8), disc(1)).astype(np.float32), (0, 0), 0.7)


def freed(flow: Flow, overlay: Map) -> Flow:
    """The flow with the motion of the surroundings where an overlay held it back."""
    return lifted(flow, overlay, REACH)


def lifted(plane: NDArray[np.float32], overlay: Map, reach: int = 0) -> NDArray[np.float32]:
    """A picture or flow [H, W, C] with its surroundings carried under the overlay and `reach` px around it."""
    held = cv2.dilate(overlay, disc(reach)) > 0.05
    free = (~held).astype(np.float32)
    out, known = plane.copy(), ~held
    for window in (AROUND // 4, AROUND, 4 * AROUND):
        weight = cv2.blur(free, (window, window))
        around = cv2.blur(plane * free[..., None], (window, window)) / np.maximum(weight, 1e-6)[..., None]
        fresh = ~known & (weight > 0.05)
        out[fresh], known = around[fresh], known | fresh
    return out


def apart(make: Callable[[Picture, Picture], Picture], first: Picture, second: Picture, t: float, overlay: Map) -> Picture:
    """What `make` makes of two pictures without their overlay, with the overlay laid back in its place."""
    made = make(lifted(first, overlay), lifted(second, overlay))
    standing = np.float32(1 - t) * first + np.float32(t) * second
    return made + (standing - made) * overlay[..., None]


def _pieces_with(likely: NDArray[np.bool_], standing: NDArray[np.bool_], variance: Map) -> NDArray[np.uint8]:
    """The pieces of likely pixels, letters of a word together, that hold enough standing ones and have something moving behind them."""
    _, labels = cv2.connectedComponents(cv2.dilate(likely.astype(np.uint8), disc(2)), connectivity=8)
    whole, sure = (np.bincount(labels[mask], minlength=labels.max() + 1) for mask in (likely, standing))
    out = np.zeros(likely.shape, np.uint8)
    for label in np.flatnonzero((sure >= SPECK) & (sure >= PART * whole)):
        piece = (labels == label).astype(np.uint8)
        ring = (cv2.dilate(piece, disc(REACH)) > 0) & (piece == 0)
        if label and ring.any() and np.median(variance[ring]) > CALM**2:
            out |= piece & likely
    return out
