"""Dense room: the folder of a depth result — the files of its frames and depth.json; no stage, no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import device
from ..ahead import ahead
from ..contract.artifacts import FRAME
from ..media.frames import read_depth


def exr(room: Path, number: int) -> Path:
    """The file of a frame's depth."""
    return room / f"{FRAME % number}.exr"


def of(room: Path, numbers: list[int], size: tuple[int, int]) -> dict[str, Any]:
    """depth.json: size, near and far (2nd and 98th percentile over the shot, from every 4th pixel each way)."""
    counts = np.zeros(4000, np.int64)  # a histogram of log depth: needs no memory that grows with the clip
    edges = np.linspace(np.log(1e-6), np.log(1e9), 4001)

    def counted(number: int) -> np.ndarray:
        depth = read_depth(exr(room, number))[0][::4, ::4]
        return np.histogram(np.log(depth[depth > 0]), edges)[0]

    for _, some in ahead(lambda pool, number: pool.submit(counted, number), numbers, device.threads()):
        counts += some
    share = np.cumsum(counts) / max(1, counts.sum())
    near, far = (float(np.exp(edges[int(np.searchsorted(share, part))])) for part in (0.02, 0.98))
    return {"size": list(size), "near": near, "far": far}
