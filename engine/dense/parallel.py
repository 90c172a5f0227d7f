"""Dense room: frames side by side, one thread each: on a CPU that is faster than one frame on all threads; torch, no stage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Callable, Iterable, Iterator

import torch

from .. import device


def each(numbers: Iterable[int], work: Callable[[int], None], on: torch.device, done: Callable[[], None]) -> None:
    """`work` on every frame, `done` after each, in the order of the frames. Every frame must stand alone: order changes nothing."""
    if on.type == "cuda":
        for number in numbers:
            work(number)
            done()
        return
    with alone():
        pool = ThreadPoolExecutor(device.threads(), initializer=torch.set_num_threads, initargs=(1,))
        try:
            for _ in pool.map(work, numbers):
                done()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def alone() -> Iterator[None]:
    """torch on one thread: steps over a few thousand numbers take longer on two, which wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
