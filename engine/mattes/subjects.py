"""The mattes room, subjects: which part of which mask is which thing, with ids that hold over time; numpy and OpenCV only."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]  # [H, W] id of the subject, 0 = none
Mask = NDArray[np.bool_]
Field = tuple[NDArray[np.float32], NDArray[np.bool_]]  # flow [H, W, 2] px and where it holds [H, W]

SPECK = 2e-4  # part of the picture below which a blob is noise
TOUCH = 0.2  # part of a subject that must lie in a blob for the blob to be its own
PATIENCE = 24  # frames after which a lost subject is not looked for any more
TOGETHER = 0.5  # part of their common frames that two ids hang together, from which on they are one thing
BINS = 8  # of each colour channel, in what a lost subject is known by


@dataclass
class Track:
    """What is known of one id."""

    frames: dict[int, int] = field(default_factory=dict)  # frame -> area in px
    centre: tuple[float, float] = (0.0, 0.0)  # px, where it was seen last
    colours: NDArray[np.float64] | None = None


class Linker:
    """Frames come in order; each mask becomes a label map. All it remembers is the last one and a few numbers per id."""

    def __init__(self, most: int = 255) -> None:
        self.tracks: dict[int, Track] = {}
        self.contact: dict[tuple[int, int], int] = {}  # frames in which two ids shared a blob
        self._last: Labels | None = None
        self._most = most

    def step(self, frame: int, mask: Mask, back: Field | None, picture: NDArray[np.uint8]) -> Labels:
        """Labels of one frame. `back` is the flow from here to the frame given before (None across a cut); picture [H, W, 3]."""
        carried = self._carry(back, mask.shape)
        labels = np.zeros(mask.shape, np.uint8)
        count, blobs, about, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        # The largest first, so that new ids are handed out in a fixed order.
        for blob in 1 + np.argsort(-about[1:count, cv2.CC_STAT_AREA], kind="stable"):
            if about[blob, cv2.CC_STAT_AREA] < SPECK * mask.size:
                continue
            here = blobs == blob
            owners = self._owners(carried, here)
            if len(owners) > 1:
                labels[here] = _nearest(carried, here, owners)[here]
                self._touch(owners)
                continue
            colours = _colours(picture, here)
            labels[here] = owners[0] if owners else self._known(frame, centres[blob], colours, mask.shape) or self._new()
        self._remember(frame, labels, picture)
        return labels

    def merged(self) -> dict[int, int]:
        """Every id -> the id it is part of: blobs that were two at first but hang together most of the time are one."""
        parent = {track: track for track in self.tracks}

        def root(track: int) -> int:
            while parent[track] != track:
                track = parent[track]
            return track

        for (one, other), times in sorted(self.contact.items()):
            common = len(self.tracks[one].frames.keys() & self.tracks[other].frames.keys())
            if times > TOGETHER * max(common, 1):
                low, high = sorted((root(one), root(other)))
                parent[high] = low
        return {track: root(track) for track in parent}

    def _carry(self, back: Field | None, shape: tuple[int, ...]) -> Labels:
        if self._last is None or back is None:
            return np.zeros(shape, np.uint8)
        return fetch(self._last, back[0], cv2.INTER_NEAREST)

    def _owners(self, carried: Labels, here: Mask) -> list[int]:
        inside, everywhere = np.bincount(carried[here], minlength=256), np.bincount(carried.ravel(), minlength=256)
        enough = inside > TOUCH * np.minimum(everywhere, np.count_nonzero(here))
        enough[0] = False
        return [int(track) for track in np.flatnonzero(enough)]

    def _touch(self, owners: list[int]) -> None:
        for at, one in enumerate(owners):
            for other in owners[at + 1:]:
                self.contact[one, other] = self.contact.get((one, other), 0) + 1

    def _known(self, frame: int, centre: NDArray[np.float64], colours: NDArray[np.float64], shape: tuple[int, ...]) -> int:
        """A lost subject of the same colours near by, or 0."""
        best, found = 0.55, 0
        for track, about in self.tracks.items():
            gone = frame - max(about.frames)
            far = np.hypot(centre[0] - about.centre[0], centre[1] - about.centre[1]) / np.hypot(*shape[:2])
            if not 1 <= gone <= PATIENCE or far > 0.08 + 0.01 * gone or about.colours is None:
                continue
            alike = float(np.minimum(about.colours, colours).sum()) - far
            if alike > best:
                best, found = alike, track
        return found

    def _new(self) -> int:
        track = min(len(self.tracks) + 1, self._most)
        self.tracks.setdefault(track, Track(frames={-(10**9): 0}))
        return track

    def _remember(self, frame: int, labels: Labels, picture: NDArray[np.uint8]) -> None:
        for track in np.unique(labels):
            if track:
                here = labels == track
                about = self.tracks.setdefault(int(track), Track())
                about.frames.pop(-(10**9), None)
                about.frames[frame] = int(np.count_nonzero(here))
                y, x = np.nonzero(here)
                about.centre = (float(x.mean()), float(y.mean()))
                fresh = _colours(picture, here)
                about.colours = fresh if about.colours is None else 0.8 * about.colours + 0.2 * fresh
        self._last = labels


def fetch(values: NDArray, flow: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR) -> NDArray:
    """What another frame holds at the end of the flow that leads there: [H, W], 0 outside the picture."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(values, x, y, interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=0)


def _nearest(carried: Labels, here: Mask, owners: list[int]) -> Labels:
    """Each pixel of a blob that several share goes to the one whose carried part is nearest."""
    distance = [cv2.distanceTransform((~(here & (carried == owner))).astype(np.uint8), cv2.DIST_L2, 3) for owner in owners]
    return np.array(owners, np.uint8)[np.argmin(distance, axis=0)]


def _colours(picture: NDArray[np.uint8], here: Mask) -> NDArray[np.float64]:
    """Share of each colour, [BINS ** 3]."""
    steps = (picture[here] // (256 // BINS)).astype(np.int64)
    return np.bincount(steps @ np.array([BINS * BINS, BINS, 1]), minlength=BINS**3) / max(1, len(steps))
