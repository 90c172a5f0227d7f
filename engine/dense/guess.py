"""Dense room: the stage prior's result as the depth stages read it; numpy, no stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .. import store
from ..contract.artifacts import FRAME
from ..media.arrays import read_arrays
from .shot import Picture


class Guess:
    """A guess of inverse depth for every frame. `kind`: relative (any scale and offset), scaled (any scale) or metric."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder, self.kind, self.network = folder, str(about["kind"]), str(about.get("network", "a network"))

    def frame(self, number: int, size: tuple[int, int]) -> Picture:
        """Inverse depth [H, W] at `size` (W, H), larger is nearer; 0 where not known."""
        inverse = np.asarray(read_arrays(self.folder / f"{FRAME % number}.npz")["inverse"], np.float32)
        down = size[0] < inverse.shape[1] and size[1] < inverse.shape[0]
        return np.maximum(cv2.resize(inverse, size, interpolation=cv2.INTER_AREA if down else cv2.INTER_LINEAR), 0)


def of(folder: Path | None) -> Guess | None:
    """The guess in a folder of the stage prior, or None where there is none."""
    if folder is None or not (folder / "prior.json").is_file():
        return None
    about = store.read_json(folder / "prior.json")
    return None if about["kind"] == "none" else Guess(folder, about)
