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
from ..recorded import Recorded
from ..weights import need
from . import pictures
from .makers import Maker
from .motion import Picture
from .timeline import Moment

TILE, OVERLAP = 1024, 128  # px; larger pictures are cut into tiles that fade into one another
BATCH = 4  # times computed at once
ON_A_CARD = 16  # there, where they fit
EACH = 2000  # bytes of a card's memory for each pixel and time: what the networks hold at once, in half precision, with room to spare


class Network(Maker):
    """The networks see a pair once and give all its times."""

    def __init__(self, frames: Frames, weights: str, device: torch.device) -> None:
        on_card = device.type == "cuda"
        super().__init__(frames, devices.threads() if on_card else 2)  # a card is faster than two threads can pack
        path = Path(weights) if weights else need("super_slomo", {"interpolate": {"method": "flow"}})
        self.sight = Sight(super_slomo.load(path, device), device)
        free = devices.memory_free(device) // 2 if on_card else 0
        self.tile, self.batch = limits(frames.size, free) if on_card else (TILE, BATCH)

    def make(self, moments: Iterable[Moment]) -> Iterator[tuple[Moment, bytes]]:
        """While the networks work, the next pair is read and the pictures before are packed."""
        pairs = [(pair, list(group)) for pair, group in groupby(moments, key=lambda m: (m.before, m.after))]
        packed: deque[tuple[Moment, Future[bytes]]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            coming = [pool.submit(self.picture, number) for pair, _ in pairs[:1] for number in pair]
            for index, (_, group) in enumerate(pairs):
                first, second = (future.result() for future in coming)
                coming = [pool.submit(self.picture, number) for pair, _ in pairs[index + 1 : index + 2] for number in pair]
                pair = Pair(self.sight, first, second, self.tile)
                for at in range(0, len(group), self.batch):
                    some = group[at : at + self.batch]
                    for moment, made in zip(some, pair.at([moment.fraction for moment in some], self.frames.bits)):
                        packed.append((moment, pool.submit(pictures.pack, made)))
                    while len(packed) > self.batch:
                        moment, content = packed.popleft()
                        yield moment, content.result()
            while packed:
                moment, content = packed.popleft()
                yield moment, content.result()


def limits(size: tuple[int, int], free: int) -> tuple[int, int]:
    """Side of a tile in px and times at once for pictures of a size (width, height) with so many bytes free on a card: whole pictures first."""
    whole = size[0] * size[1] * EACH
    if whole <= free:
        return max(size), min(ON_A_CARD, free // whole)
    return TILE, max(1, min(BATCH, free // (TILE * TILE * EACH)))


class Sight:
    """Both networks on their device, in half precision on a card, which records what it does."""

    def __init__(self, net: super_slomo.SuperSloMo, device: torch.device) -> None:
        self.net, self.device = net, device
        if device.type == "cuda":
            net.flow.half(), net.interpolation.half()  # or each call would make its own copy of the weights
        self.prepare, self.render = Recorded(self._prepare, device), Recorded(self._render, device)

    def _prepare(self, first: Tensor, second: Tensor) -> tuple[Tensor, ...]:
        """Of two pictures [1, 3, h, w] RGB 0..255: padded and normalised [1, 3, H, W], and their flows [1, 2, H, W]."""
        with devices.autocast(self.device):
            return self.net.prepare(first / 255, second / 255)

    def _render(self, a: Tensor, b: Tensor, f01: Tensor, f10: Tensor, times: Tensor) -> tuple[Tensor, ...]:
        """Pictures [N, 3, H, W] RGB 0..1 at times [N]."""
        with devices.autocast(self.device):
            return (self.net.render((a, b, f01, f10), times)[:, 0].float(),)


class Pair:
    """Two pictures [H, W, 3] RGB 0..255, tile by tile, with their flows: found once, used for every time."""

    def __init__(self, sight: Sight, first: Picture, second: Picture, tile: int = TILE) -> None:
        self.sight, self.size = sight, first.shape[:2]
        pair = [torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1)))[None].to(sight.device) for p in (first, second)]
        self.tiles = [(rows, columns) for rows in _spans(self.size[0], tile) for columns in _spans(self.size[1], tile)]
        self.known = [self._prepare(*(p[..., slice(*rows), slice(*columns)] for p in pair)) for rows, columns in self.tiles]

    @torch.inference_mode()
    def _prepare(self, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        known = self.sight.prepare(a, b)
        return tuple(part.clone() if len(self.tiles) == 1 else part.cpu() for part in known)

    @torch.inference_mode()
    def at(self, times: list[float], bits: int) -> list[np.ndarray]:
        """Pictures RGB [H, W, 3], uint8 or uint16 by `bits`, at the times in (0, 1); memory is bounded by the tile and the number of times."""
        t = torch.tensor(times, device=self.sight.device)
        whole = self._tile(0, t) if len(self.tiles) == 1 else self._joined(t)
        steps = (whole * 255 * (257 if bits == 16 else 1)).round().clamp(0, 2**bits - 1).permute(0, 2, 3, 1)
        if bits == 16:
            return list(steps.to(torch.int32).cpu().numpy().astype(np.uint16))
        return list(steps.to(torch.uint8).cpu().numpy())

    def _tile(self, place: int, times: Tensor) -> Tensor:
        (top, bottom), (left, right) = self.tiles[place]
        known = (part.to(self.sight.device) for part in self.known[place])
        made, = self.sight.render(*known, times)
        return made[..., : bottom - top, : right - left]

    def _joined(self, times: Tensor) -> Tensor:
        """[N, 3, H, W] of tiles that fade into one another; in main memory, which is larger than a card's."""
        total, weight = torch.zeros(len(times), 3, *self.size), torch.zeros(self.size)
        for place, (rows, columns) in enumerate(self.tiles):
            fade = _fade(*rows, self.size[0])[:, None] * _fade(*columns, self.size[1])[None, :]
            total[:, :, slice(*rows), slice(*columns)] += self._tile(place, times).cpu() * fade
            weight[slice(*rows), slice(*columns)] += fade
        return total / weight


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
