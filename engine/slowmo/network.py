"""The slow-motion room, Super SloMo at any size: whole frames where they fit, overlapping tiles where they do not; torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import device as devices
from ..media.frames import Frames
from ..nets import super_slomo
from ..weights import need
from . import pictures
from .makers import Maker
from .motion import Picture
from .timeline import Moment

TILE, OVERLAP = 1024, 128  # px; larger pictures are cut into tiles that fade into one another
BATCH = 4  # times computed at once


class Network(Maker):
    """The networks see a pair once and give all its times."""

    def __init__(self, frames: Frames, weights: str, device: torch.device) -> None:
        super().__init__(frames, 1)
        self.net, self.device = super_slomo.load(Path(weights) if weights else need("super_slomo"), device), device

    def make(self, moments: Iterable[Moment]) -> Iterator[tuple[Moment, bytes]]:
        """While the networks work, the next pair is read and the pictures before are packed."""
        pairs = [(pair, list(group)) for pair, group in groupby(moments, key=lambda m: (m.before, m.after))]
        packed: deque[tuple[Moment, Future[bytes]]] = deque()
        with ThreadPoolExecutor(2) as pool:
            coming = [pool.submit(self.picture, number) for pair, _ in pairs[:1] for number in pair]
            for index, (_, group) in enumerate(pairs):
                first, second = (future.result() for future in coming)
                coming = [pool.submit(self.picture, number) for pair, _ in pairs[index + 1 : index + 2] for number in pair]
                pair = Pair(self.net, first, second, self.device)
                for at in range(0, len(group), BATCH):
                    some = group[at : at + BATCH]
                    for moment, made in zip(some, pair.at([moment.fraction for moment in some])):
                        packed.append((moment, pool.submit(pictures.encode, made, self.frames.bits)))
                    while len(packed) > BATCH:
                        moment, content = packed.popleft()
                        yield moment, content.result()
            while packed:
                moment, content = packed.popleft()
                yield moment, content.result()


class Pair:
    """Two pictures, tile by tile, with their flows: found once, used for every time."""

    def __init__(self, net: super_slomo.SuperSloMo, first: Picture, second: Picture, device: torch.device, tile: int = TILE) -> None:
        self.net, self.device, self.size = net, device, first.shape[:2]
        pair = [torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1)))[None] / 255 for p in (first, second)]
        self.tiles = [(rows, columns) for rows in _spans(self.size[0], tile) for columns in _spans(self.size[1], tile)]
        self.known = [self._prepare(*(p[..., slice(*rows), slice(*columns)] for p in pair)) for rows, columns in self.tiles]

    def _prepare(self, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        with torch.inference_mode(), devices.autocast(self.device):
            known = self.net.prepare(a.to(self.device), b.to(self.device))
        return known if len(self.tiles) == 1 else tuple(part.cpu() for part in known)

    def at(self, times: list[float]) -> list[Picture]:
        """Pictures RGB 0..255 [H, W, 3] at the times in (0, 1); memory is bounded by the tile and the number of times."""
        total, weight = torch.zeros(len(times), 3, *self.size), torch.zeros(self.size)
        for (rows, columns), known in zip(self.tiles, self.known):
            size = (rows[1] - rows[0], columns[1] - columns[0])
            with torch.inference_mode(), devices.autocast(self.device):
                made = self.net.render(tuple(part.to(self.device) for part in known), times, size)[:, 0].float().cpu()
            fade = _fade(*rows, self.size[0])[:, None] * _fade(*columns, self.size[1])[None, :]
            total[:, :, slice(*rows), slice(*columns)] += made * fade
            weight[slice(*rows), slice(*columns)] += fade
        return list((total / weight * 255).permute(0, 2, 3, 1).numpy())


def _spans(length: int, tile: int) -> list[tuple[int, int]]:
    """Where tiles begin and end along a side, overlapping by OVERLAP at least."""
    if length <= tile:
        return [(0, length)]
    count = -(-(length - OVERLAP) // (tile - OVERLAP))
    return [(start, start + tile) for start in np.linspace(0, length - tile, count).astype(int).tolist()]


def _fade(start: int, end: int, length: int) -> Tensor:
    """Weights [end - start] that rise from an inner border over half the overlap, and are 1 elsewhere."""
    place = torch.arange(end - start, dtype=torch.float32) + 0.5
    ramp = torch.ones(end - start)
    if start > 0:
        ramp = torch.minimum(ramp, place / OVERLAP)
    if end < length:
        ramp = torch.minimum(ramp, place.flip(0) / OVERLAP)
    return ramp
