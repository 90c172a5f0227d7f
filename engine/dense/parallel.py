"""Dense room: frames side by side, one thread each: on a CPU that is faster than one frame on all threads; torch, no stage."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Callable, Generic, Iterable, Iterator, TypeVar

import torch

from .. import device
from ..ahead import one_thread_each

Made = TypeVar("Made")


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
    """torch and OpenCV on one thread: steps over a few thousand numbers take longer on two, which wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with one_thread_each():
            yield
    finally:
        torch.set_num_threads(before)


class Kept(Generic[Made]):
    """What `make` makes of a frame's number, the last `most` of them remembered; what threads ask for at the same time is made once."""

    def __init__(self, make: Callable[[int], Made], most: int) -> None:
        self._make, self._most, self._lock = make, most, Lock()
        self._held: OrderedDict[int, Future[Made]] = OrderedDict()

    def __call__(self, number: int) -> Made:
        with self._lock:
            mine = number not in self._held
            held = self._held.setdefault(number, Future())
            self._held.move_to_end(number)
            if len(self._held) > self._most:
                self._held.popitem(last=False)
        if mine:
            try:
                held.set_result(self._make(number))
            except BaseException as error:
                held.set_exception(error)
        return held.result()
