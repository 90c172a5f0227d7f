"""Threads: work that runs ahead of its reader by a bounded distance; standard library and OpenCV's thread count."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2

from . import device

Item, Result = TypeVar("Item"), TypeVar("Result")


def ahead(submit: Callable[[ThreadPoolExecutor, Item], Future[Result]], items: Iterable[Item], threads: int) -> Iterator[tuple[Item, Result]]:
    """Each item with the result of what `submit` started for it, in order; at most 2 * threads wait to be read."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                waiting.append((item, submit(pool, item)))
                if len(waiting) > 2 * threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """OpenCV single-threaded inside: DIS gives other numbers with other thread counts, and results must not depend on the machine."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def count(size: tuple[int, int], bytes_per_pixel: int) -> int:
    """Threads for pictures of (W, H): as many as there are cores, and memory for."""
    room = device.memory_free() // max(1, size[0] * size[1] * bytes_per_pixel * 2)
    return max(1, min(device.threads(), 16, room if room > 0 else 2))
