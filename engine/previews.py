"""What a running stage has made last, as small pictures to look at: watches the room it writes into, knows no stage by name; imports cv2 and numpy late."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PERIOD = 1.0  # s between two looks
SIDE = 480  # px, the longer side of what is shown
READABLE = (".png", ".exr", ".npz")


class Previews:
    """One small picture, replaced by the next: a PPM file beside the temporary files of the user."""

    def __init__(self) -> None:
        self.path = Path(tempfile.gettempdir()) / f"unflatten-preview-{os.getpid()}.ppm"

    @contextmanager
    def watching(self, room: Path, tell: Callable[[int, Path], None]) -> Iterator[None]:
        """While the block runs, `tell` hears (frame, picture) of the newest file in the room, about once a second."""
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(room, tell, over), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join(5.0)

    def show(self, source: Path) -> bool:
        """Make the picture from a stage's file: PNG as it is, depth by its nearness, flow by its direction; False where it shows nothing."""
        with suppress(OSError, ValueError, KeyError):  # a file that is being replaced, or none of a picture
            picture = _picture(source)
            if picture is not None:
                _write(self.path, picture)
                return True
        return False

    def remove(self) -> None:
        """Leave nothing behind."""
        self.path.unlink(missing_ok=True)

    def _watch(self, room: Path, tell: Callable[[int, Path], None], over: threading.Event) -> None:
        shown, pause = time.time(), PERIOD
        while not over.wait(pause):
            began = time.perf_counter()
            newest = max(_files(room), default=None)
            if newest is not None and newest[0] > shown and self.show(newest[1]):
                shown = newest[0]
                tell(int(re.match(r"\d+", newest[1].stem).group()), self.path)  # type: ignore[union-attr]
            pause = max(PERIOD, 30 * (time.perf_counter() - began))  # a room of many files is looked through less often


def _files(folder: Path) -> Iterator[tuple[float, Path]]:
    """(time of writing, file) of every numbered picture, however deep."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir():
                    yield from _files(Path(entry.path))
                elif entry.name[:1].isdigit() and entry.name.endswith(READABLE):
                    yield entry.stat().st_mtime, Path(entry.path)


def _picture(source: Path) -> Any:
    """uint8 [H, W, 3], red first, or None."""
    import cv2
    import numpy as np

    if source.suffix == ".exr":
        from .media.exr import read_depth

        depth = _small(read_depth(source)[0])
        known = depth > 0
        if not known.any():
            return None
        near = np.where(known, 1 / np.maximum(depth, 1e-9), 0)
        low, high = np.percentile(near[known], (2, 98))
        grey = np.clip((near - low) / max(high - low, 1e-12) * 255, 0, 255).astype(np.uint8)
        return np.where(known[..., None], cv2.applyColorMap(grey, cv2.COLORMAP_TURBO)[..., ::-1], 0)
    if source.suffix == ".npz":
        from .media.arrays import read_arrays

        flow = _small(read_arrays(source)["flow"].astype(np.float32))
        length, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1])
        full = max(1.0, float(np.percentile(length, 99)))
        wheel = np.stack([angle / np.pi * 90, np.full_like(angle, 255), np.clip(length / full, 0, 1) * 255], -1)
        return cv2.cvtColor(wheel.astype(np.uint8), cv2.COLOR_HSV2RGB)
    from .media.frames import read_png

    found = _small(read_png(source))
    if found.ndim == 2:  # a mask, or the numbers of what moves: white at the highest
        return np.repeat((found.astype(np.float32) / max(1, int(found.max())) * 255).astype(np.uint8)[..., None], 3, 2)
    return found[..., :3] if found.dtype == np.uint8 else (found[..., :3] >> 8).astype(np.uint8)


def _small(picture: Any) -> Any:
    """Every n-th pixel: quick, and it invents no depth between two."""
    step = -(-max(picture.shape[:2]) // SIDE)
    return picture[::step, ::step]


def _write(path: Path, picture: Any) -> None:
    from .store import beside

    height, width = picture.shape[:2]
    with beside(path) as fresh:
        fresh.write_bytes(b"P6 %d %d 255\n" % (width, height) + picture.tobytes())
