"""The media room's dense flow: DIS between two frames, any flow settled, the check both ways, files of flow; never imports torch."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from .. import store
from ..contract.artifacts import FRAME
from .arrays import halved, read_arrays, whole

Flows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # there [H, W, 2] px, where it holds [H, W] bool, back, where that holds

_SMALLEST = 64  # px; DIS needs room for its patches on the coarsest level
_local = threading.local()


class Flow:
    """The finished folder of the stage 'flow'."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        about = store.read_json(self.folder / "flow.json")
        self.size: tuple[int, int] = (about["size"][0], about["size"][1])  # (W, H) of the working grid
        self.gaps: list[int] = about["gaps"]  # differences of frame numbers

    def get(self, a: int, b: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Flow [H, W, 2] float32 px from frame a to frame b (either may be the earlier) and where it holds [H, W] bool.

        None where there is none: another gap, no such frame, or a cut between them.
        """
        return read_flow(flow_path(self.folder, a, b))


def flow_path(folder: Path, a: int, b: int) -> Path:
    """Where the flow from frame a to frame b lies."""
    return folder / ("fwd" if b > a else "bwd") / f"{FRAME % a}_{abs(b - a)}.npz"


def read_flow(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Flow [H, W, 2] float32 px and where it holds [H, W] bool; None where there is no such file."""
    if not path.is_file():
        return None
    held = read_arrays(path)
    return whole(held["flow"]), held["valid"].astype(bool)


def write_flow(path: Path, flow: np.ndarray, valid: np.ndarray) -> None:
    """Flow [H, W, 2] px as float16, its validity [H, W] as uint8; not compressed, since reading must be quick."""
    with store.writing(path) as file:
        np.savez(file, flow=halved(flow), valid=valid.astype(np.uint8))


def both_ways(a: np.ndarray, b: np.ndarray, preset: str = "medium") -> Flows:
    """Two gray frames [H, W] uint8 -> flow a to b, where it holds, flow b to a, where it holds."""
    return checked(dis(a, b, preset), dis(b, a, preset))


def checked(there: np.ndarray, back: np.ndarray) -> Flows:
    """Flows [H, W, 2] px between two frames, each with where it holds."""
    return there, agree(there, back), back, agree(back, there)


def dis(a: np.ndarray, b: np.ndarray, preset: str = "medium", guess: np.ndarray | None = None) -> np.ndarray:
    """Dense inverse search (Kroeger et al. 2016): [H, W] uint8 twice -> flow [H, W, 2] float32 px from a to b; about a guess, where one is given."""
    height, width = a.shape
    scale = max(1.0, _SMALLEST / min(height, width))
    if scale > 1:
        size = (round(width * scale), round(height * scale))
        a, b = (cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR) for frame in (a, b))
        shrink = np.array([width / size[0], height / size[1]], np.float32)
        guess = None if guess is None else cv2.resize(guess, size) / shrink
    begun = guess is not None
    flow = _search(preset, begun).calc(a, b, guess.astype(np.float32) if begun else None)  # which makes a copy: OpenCV writes over what it is given
    if scale > 1:
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) * shrink
    return flow


def settled(a: np.ndarray, b: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """A flow [H, W, 2] px from one gray frame [H, W] uint8 to another, evened out by fractions of a pixel to where brightness and its gradients agree.

    The network knows places of eight pixels; Brox et al. 2004 (by OpenCV) finds the rest: a quarter less error in the median.
    """
    flow = flow.copy()
    cv2.VariationalRefinement_create().calc(a, b, flow)
    return flow


def agree(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Where a flow ends inside the frame and the way back leads home: [H, W] bool.

    |f + b|^2 < 0.01 (|f|^2 + |b|^2) + 0.5 (Sundaram, Brox, Keutzer 2010, eq. 5).
    """
    height, width = there.shape[:2]
    ends = there + grid((width, height))
    home = cv2.remap(back, ends, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    (fx, fy), (bx, by) = cv2.split(there), cv2.split(home)
    reach = _squared(fx, fy) + _squared(bx, by)
    inside = cv2.inRange(ends, (-0.5, -0.5), (width - 0.5, height - 0.5)) > 0  # a pixel reaches half a pixel around
    return (_squared(fx + bx, fy + by) < 0.01 * reach + 0.5) & inside


@lru_cache(maxsize=4)
def grid(size: tuple[int, int]) -> np.ndarray:
    """Pixel indices [H, W, 2] float32 (x, y) of pictures of (W, H), for OpenCV's remap: add a flow to see where it leads."""
    return np.stack(np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)), axis=-1)


def _squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x * x + y * y


def _search(preset: str, begun: bool) -> cv2.DISOpticalFlow:
    """One for each thread, since it holds buffers. What is begun by a guess is looked for at the fine levels alone."""
    searches = _local.__dict__.setdefault("searches", {})
    if (preset, begun) not in searches:
        search = searches[preset, begun] = _make(preset)
        if begun:
            search.setCoarsestScale(max(1, search.getFinestScale()))
    return searches[preset, begun]


def _make(preset: str) -> cv2.DISOpticalFlow:
    if preset == "fast":
        return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if preset == "fine":
        # On rendered shots 0.10 px mean error where valid, medium 0.17; denser patches and more steps cost three times
        # as much again and gain nothing.
        search.setFinestScale(0)
        search.setPatchStride(4)
        search.setGradientDescentIterations(16)
        search.setVariationalRefinementIterations(3)
    return search
