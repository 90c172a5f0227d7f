"""Dense room: depth maps that another program has made, one file for each frame; numpy and OpenCV, no stage."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from ..failures import RequestFailure
from ..media.frames import read_exr, read_png
from .shot import Picture

KINDS = (".exr", ".npy", ".npz", ".png", ".tif", ".tiff")
NAMES = ("Z", "Y", "R", "V", "depth.Z", "depth.V")  # channels of an EXR, the first that is there
ARRAYS = ("inverse", "depth", "disparity", "arr_0")  # of an NPZ


def find(folder: Path, numbers: list[int]) -> dict[int, Path]:
    """The file of every frame, by the last number in its name; a failure names what is missing."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        digits = re.findall(r"\d+", path.stem)
        if digits and path.suffix.lower() in KINDS:
            found[int(digits[-1])] = path
    missing = [number for number in numbers if number not in found]
    if missing:
        raise RequestFailure(
            "prior-missing", "Depth maps are missing.", f"{len(missing)} of {len(numbers)} frames have none in {folder}, such as frame {missing[0]}.",
            f"Give a folder of {', '.join(KINDS)} files named by their frame numbers, or choose no network.", {"prior": {"method": "none"}},
        )
    return {number: found[number] for number in numbers}


def read(path: Path, holds: str) -> Picture:
    """Inverse depth [h, w] of a file, larger is nearer; not known (0, or not finite) becomes 0."""
    try:
        values = np.squeeze(_read(path)).astype(np.float32)
        values = values[..., 0] if values.ndim == 3 else values
        if values.ndim != 2 or min(values.shape) < 2:
            raise ValueError(f"it holds an array of shape {values.shape}")
    except (OSError, ValueError, KeyError) as error:
        raise RequestFailure(
            "prior-damaged", f"The depth map {path.name} cannot be read.", f"{error}.".replace("..", "."), "Write it anew, as one float channel.",
            {"prior": {"method": "none"}},
        ) from None
    values[~np.isfinite(values)] = 0
    return np.where(values > 0, 1 / np.maximum(values, 1e-9), 0).astype(np.float32) if holds == "depth" else values


def _read(path: Path) -> np.ndarray:
    kind = path.suffix.lower()
    if kind == ".exr":
        channels = read_exr(path)
        name = next((name for name in NAMES if name in channels), None)
        if name is None:
            raise ValueError(f"its channels are {', '.join(channels)}; one of {', '.join(NAMES)} is needed")
        return channels[name]
    if kind == ".png":
        return read_png(path)
    if kind in (".tif", ".tiff"):
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise ValueError("it is no picture")
        return picture
    held = np.load(path, allow_pickle=False)
    if kind == ".npz":
        with held:
            return held[next((name for name in ARRAYS if name in held.files), held.files[0])]
    return held
