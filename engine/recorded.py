"""A function of tensors that a graphics card records once for each shape and then replays: hundreds of small launches become one; torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARM = 3  # calls before the recording: libraries choose their ways and allocate in the first ones


class Recorded:
    """Calls `work` as it is on the CPU. On CUDA it is captured at the first call of each set of shapes, and replayed from then on.

    `work` takes tensors [*] and gives a tuple of tensors whose shapes follow from theirs; it may not wait for the device, read
    from it or bring numbers to it. What a call gives is overwritten by the next call: use or copy it before.
    """

    def __init__(self, work: Callable[..., tuple[Tensor, ...]], device: torch.device) -> None:
        self._work, self._device = work, device
        self._known: dict[Any, tuple[Any, tuple[Tensor, ...], tuple[Tensor, ...]]] = {}
        self._pool: Any = None

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        """What `work` gives for these tensors, on its device."""
        if self._device.type != "cuda":
            return self._work(*given)
        key = tuple((part.shape, part.dtype) for part in given)
        if key not in self._known:
            self._known[key] = self._record(given)
        graph, places, made = self._known[key]
        for place, part in zip(places, given):
            place.copy_(part)
        graph.replay()
        return made

    def _record(self, given: tuple[Tensor, ...]) -> tuple[Any, tuple[Tensor, ...], tuple[Tensor, ...]]:
        places = tuple(part.to(self._device, copy=True) for part in given)
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()  # one for all shapes: only one of them works at a time
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            with torch.cuda.stream(aside):
                for _ in range(WARM):
                    self._work(*places)
            torch.cuda.current_stream(self._device).wait_stream(aside)
            with torch.cuda.graph(graph, pool=self._pool):
                made = self._work(*places)
        return graph, places, made
