"""Where tensors live: one choice per process, made once, the same code on CPU and CUDA."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from .failures import ResourceFailure

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of glibc's mallopt


@cache
def pick(wanted: str = "auto") -> torch.device:
    """The device for 'auto', 'cpu' or 'cuda'; asking for CUDA where there is none fails rather than falls back."""
    import torch

    torch.set_num_threads(threads())
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ResourceFailure(
            "no-device", "There is no CUDA device.", "torch finds no NVIDIA GPU, or this engine was installed for the CPU.",
            "Choose the device 'auto' or 'cpu', or install the engine for CUDA.",
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def one_thread_products() -> None:
    """Numpy's products and solutions of matrices in one thread, also in children: thousands of small ones follow each other, and threads
    that spin while they wait for the next took five times the work itself. To be called before anybody imports numpy."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def keep_memory() -> None:
    """What pictures give back stays with the process, for the next ones: fetched from the system anew, page by page, it cost flow and movers a
    tenth of their time. Linux with glibc alone; elsewhere nothing changes."""
    try:
        tell = ctypes.CDLL("libc.so.6").mallopt if sys.platform == "linux" else None
    except (OSError, AttributeError):
        return
    for what, size in ((_MMAP_THRESHOLD, 32), (_TRIM_THRESHOLD, 256), (_TOP_PAD, 16)) if tell else ():
        tell(what, size << 20)


def threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_free(device: torch.device | None = None) -> int:
    """Bytes free on the device, or in main memory; 0 where the system does not tell."""
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as table:  # also counts what the page cache would give back
            told = dict(line.split(":", 1) for line in table)
        return int(told["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 0


def autocast(device: torch.device) -> Any:
    """Half precision where it is faster (CUDA); full precision on the CPU."""
    import torch

    return torch.autocast("cuda", torch.float16, enabled=device.type == "cuda")
