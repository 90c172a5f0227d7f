"""The media room's EXR: parts, layers and windows in, display colour out of scene light, float layers; never imports torch."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from ..store import beside

REMARK = "The pictures hold linear light: they are shown as sRGB, and what is brighter than 0.8 rolls off softly towards white."
_KNEE = 0.8


@dataclass(frozen=True)
class About:
    """What a picture file says of itself besides pixels."""

    aspect: Fraction = Fraction(1)
    fps: Fraction | None = None
    remark: str = ""
    layer: str = ""  # the part or layer that was taken, where other programs may show another


@cache
def _display_of_half() -> np.ndarray:
    with np.errstate(all="ignore"):
        return to_display(np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32))


def to_display(linear: np.ndarray) -> np.ndarray:
    """Linear light [H, W, 3] float16 or float32 -> sRGB uint16.

    Up to 0.8 exactly the sRGB curve (IEC 61966-2-1). Above, a hyperbola that joins smoothly and goes to 1 at infinity comes
    first (1 becomes 0.9, 2 becomes 0.971, 8 becomes 0.995): highlights keep their order and can still be tracked, where
    clipping would make them flat. Negative values and NaN become 0.
    """
    if linear.dtype == np.float16:  # there are only 65536 of them
        return _display_of_half()[linear.view(np.uint16)]
    light = np.nan_to_num(linear, nan=0.0, posinf=1e6, neginf=0.0).clip(0.0, 1e6)
    bright = light > _KNEE
    over = (light[bright] - _KNEE) / (1 - _KNEE)
    light[bright] = _KNEE + (1 - _KNEE) * over / (1 + over)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    return np.rint(curve * 65535).astype(np.uint16)


def read_display(path: Path) -> tuple[np.ndarray, About]:
    """The picture of an EXR as uint16 sRGB [H, W, 3] over its display window, from the first part and layer that hold colour."""
    with _open(path) as file:
        part, names = _colour(file.parts, path)
        planes = [np.asarray(part.channels[name].pixels) for name in names]
        linear = np.stack(planes, axis=-1)
        linear = _in_display_window(linear if linear.dtype == np.float16 else linear.astype(np.float32), part.header)
        return to_display(linear), About(_aspect(part.header), _fps(part.header), REMARK, _layer(file.parts, part, names[0]))


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Channel name -> float32 [H, W], over the data window of the first part."""
    with _open(path) as file:
        return {name: np.asarray(channel.pixels, np.float32) for name, channel in file.parts[0].channels.items()}


def write_exr(path: Path, channels: dict[str, np.ndarray], half: tuple[str, ...] = ()) -> None:
    """Write [H, W] float layers, ZIP compressed, one part; those named in `half` with 16 bits. Raises OSError where the disk is full."""
    pixels = {name: np.ascontiguousarray(plane, np.float16 if name in half else np.float32) for name, plane in channels.items()}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with beside(path) as fresh:
        OpenEXR.File(header, pixels).write(str(fresh))
        if _cut_off(fresh.read_bytes()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _cut_off(content: bytes) -> bool:
    """Whether a file of one part in scan lines ends before its last chunk does: OpenEXR does not notice when its last write fails."""
    at = 8  # magic number and version; then attributes (name, type, length, value) up to an empty name, a table of chunks, the chunks
    while content[at : at + 1] not in (b"", b"\0"):
        at = content.index(b"\0", content.index(b"\0", at) + 1) + 1
        at += 4 + int.from_bytes(content[at : at + 4], "little")
    first = int.from_bytes(content[at + 1 : at + 9], "little")
    last = int.from_bytes(content[first - 8 : first], "little")  # the table is written last, over noughts
    return not first or len(content) < last + 8 + int.from_bytes(content[last + 4 : last + 8], "little")


def write_depth(path: Path, z: np.ndarray, confidence: np.ndarray) -> None:
    """Depth [H, W] in scene units (0 = unknown) and its confidence 0..1, as Z and confidence.

    Blender reads nothing but R, G, B from a file, so depth stands once more in R, and confidence in G: both arrive there
    exactly, in Image.pixels and in the Geometry Nodes Image Texture.
    """
    write_exr(
        path, {"R": z, "G": confidence, "B": np.zeros_like(confidence), "Z": z, "confidence": confidence}, half=("G", "B", "confidence"),
    )


def read_depth(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(depth, confidence), float32 [H, W] each."""
    channels = read_exr(path)
    return channels["Z"], channels["confidence"]


def _open(path: Path) -> Any:
    return OpenEXR.File(str(path), separate_channels=True)


def _colour(parts: list[Any], path: Path) -> tuple[Any, tuple[str, str, str]]:
    """The first part with R, G, B, else with a layer that ends in them, else with one channel of brightness."""
    for part in parts:
        if {"R", "G", "B"} <= part.channels.keys():
            return part, ("R", "G", "B")
    for part in parts:
        for name in part.channels:
            layer = name[:-1]
            if name.endswith(".R") and {f"{layer}G", f"{layer}B"} <= part.channels.keys():
                return part, (f"{layer}R", f"{layer}G", f"{layer}B")
    for part in parts:
        if "Y" in part.channels:
            return part, ("Y", "Y", "Y")
    raise ValueError(f"no colour among its channels: {', '.join(name for part in parts for name in part.channels)}")


def _layer(parts: list[Any], part: Any, channel: str) -> str:
    """What sets the chosen pictures apart from others in the file: the name of their part and layer; empty where there are no others."""
    return ".".join(filter(None, (part.name() if len(parts) > 1 else "", channel.rpartition(".")[0])))


def _in_display_window(pixels: np.ndarray, header: dict[str, Any]) -> np.ndarray:
    """Crop overscan, pad what the data window leaves out with black."""
    (x0, y0), (x1, y1) = (tuple(map(int, corner)) for corner in header["displayWindow"])
    (left, top), _ = (tuple(map(int, corner)) for corner in header["dataWindow"])
    height, width = pixels.shape[:2]
    if (left, top, width, height) == (x0, y0, x1 - x0 + 1, y1 - y0 + 1):
        return pixels
    out = np.zeros((y1 - y0 + 1, x1 - x0 + 1, 3), pixels.dtype)
    ya, yb = max(y0, top), min(y1 + 1, top + height)
    xa, xb = max(x0, left), min(x1 + 1, left + width)
    if ya < yb and xa < xb:
        out[ya - y0:yb - y0, xa - x0:xb - x0] = pixels[ya - top:yb - top, xa - left:xb - left]
    return out


def _aspect(header: dict[str, Any]) -> Fraction:
    aspect = Fraction(float(header.get("pixelAspectRatio", 1.0))).limit_denominator(1000)
    return aspect if Fraction(1, 4) <= aspect <= 4 else Fraction(1)


def _fps(header: dict[str, Any]) -> Fraction | None:
    told = header.get("framesPerSecond")
    try:
        return Fraction(int(told.n), int(told.d)) if told is not None and int(told.n) > 0 else None
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None
