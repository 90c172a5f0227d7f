"""The media room's flow between frames that lie farther apart: begun from the flows of the frames between, which are surer; no torch."""

from __future__ import annotations

import cv2
import numpy as np

from .flow import Flows, checked, dis, grid

Way = tuple[np.ndarray, np.ndarray]  # flow [H, W, 2] px there, and back

ALIKE = 40  # grey levels of difference from which more is not worse
AROUND = 7  # px: side of the window in which pictures are compared


def begun(a: np.ndarray, c: np.ndarray, first: Way, second: Way, preset: str = "medium") -> Flows:
    """Two grey frames [H, W] uint8, and the flows between each and one that lies between -> flow a to c, where it holds, flow c to a, where it holds."""
    return checked(farther(a, c, onward(first[0], second[0]), preset), farther(c, a, onward(second[1], first[1]), preset))


def onward(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Flow [H, W, 2] px from a frame over a second one to a third, of the flows between them."""
    return first + along(second, first)


def farther(a: np.ndarray, b: np.ndarray, guess: np.ndarray, preset: str) -> np.ndarray:
    """Flow [H, W, 2] px between two grey frames [H, W] uint8: place by place the guess, or what a search about it finds, as the pictures say.

    A search from nothing loses small things that move by more than themselves: over eight frames it missed three of four pixels of walkers.
    """
    found = dis(a, b, preset, guess)
    better = _unlike(a, b, found) < _unlike(a, b, guess)
    return cv2.copyTo(found, better.view(np.uint8), guess.copy())


def _unlike(a: np.ndarray, b: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """[H, W]: how much the pictures differ along a flow, about each place."""
    return cv2.boxFilter(cv2.min(cv2.absdiff(a, along(b, flow)), ALIKE), cv2.CV_16U, (AROUND, AROUND), normalize=False)


def along(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """What another frame holds at the end of the flow that leads there; the border goes on outside."""
    return cv2.remap(values, grid(flow.shape[1::-1]) + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
