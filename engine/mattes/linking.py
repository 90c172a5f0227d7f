"""The mattes room, from masks of single frames to subjects of a shot: ids along flow, with the size and the place of each; numpy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..media.flow import Flow
from ..media.frames import Frames, write_png
from .choice import Subject, joined
from .subjects import Linker

Mask = NDArray[np.bool_]


@dataclass
class _Seen:
    """One id: its area by frame, px, and the sums of where it was, weighted by area, in parts of the picture."""

    areas: dict[int, int] = field(default_factory=dict)
    places: list[tuple[float, ...]] = field(default_factory=list)  # x, y, left, top, right, bottom

    def subject(self, number: int) -> Subject:
        """The id as a subject of its own."""
        x, y, *box = np.average(np.array(self.places), axis=0, weights=list(self.areas.values())).tolist()
        return Subject(frozenset({number}), self.areas, (x, y), tuple(box))


def link(frames: Frames, flow: Flow, mask: Callable[[int], Mask], folder: Path, tell: Callable[[int], None]) -> list[Subject]:
    """Everything that the masks show, told apart and followed; its ids go to folder/%06d.png at the flow's size."""
    linker, seen = Linker(), {}
    before = {b: a for span in frames.spans() for a, b in zip(span, span[1:])}
    for done, frame in enumerate(frames.numbers, 1):
        way = flow.get(frame, before[frame]) if frame in before else None
        labels = linker.step(frame, mask(frame), way, frames.rgb8(frame, flow.size))
        write_png(folder / f"{FRAME % frame}.png", labels)
        for number in np.unique(labels[labels > 0]):
            seen.setdefault(int(number), _Seen()).areas[frame] = int(np.count_nonzero(labels == number))
            seen[int(number)].places.append(_place(labels == number))
        tell(done)
    parts: dict[int, list[Subject]] = {}
    for part, whole in sorted(linker.merged().items()):
        if part in seen:
            parts.setdefault(whole, []).append(seen[part].subject(part))
    return [joined(found) for found in parts.values()]


def _place(here: Mask) -> tuple[float, ...]:
    """Middle and borders of a mask, in parts of the picture."""
    (height, width), (y, x) = here.shape, np.nonzero(here)
    return ((x.mean() + 0.5) / width, (y.mean() + 0.5) / height,
            x.min() / width, y.min() / height, (x.max() + 1) / width, (y.max() + 1) / height)
