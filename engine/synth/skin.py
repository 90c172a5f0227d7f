"""Synth room: tileable procedural textures with detail at every scale, and their filtered lookup; imports no stage and no bpy."""

from __future__ import annotations

import zlib
from functools import cache

import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree

SIDE = 512  # texels along a tile
DENSITY = 256.0  # texels per metre: a tile spans two metres

# name: (dark colour, light colour, pattern, cells along a tile); colours are linear albedo
SKINS = {
    "pavement": ((0.10, 0.09, 0.08), (0.55, 0.51, 0.45), "cells", 60),
    "brick": ((0.16, 0.05, 0.03), (0.52, 0.24, 0.15), "bricks", 10),
    "planks": ((0.12, 0.06, 0.02), (0.50, 0.32, 0.17), "planks", 7),
    "moss": ((0.02, 0.06, 0.02), (0.25, 0.42, 0.12), "cells", 300),
    "plaster": ((0.25, 0.24, 0.22), (0.72, 0.68, 0.60), "specks", 140),
    "teal": ((0.01, 0.10, 0.13), (0.10, 0.48, 0.50), "specks", 160),
    "ochre": ((0.24, 0.12, 0.02), (0.75, 0.50, 0.10), "cells", 120),
    "crimson": ((0.20, 0.01, 0.02), (0.70, 0.10, 0.08), "cells", 90),
    "denim": ((0.01, 0.03, 0.12), (0.14, 0.22, 0.50), "specks", 220),
    "skin": ((0.30, 0.14, 0.08), (0.75, 0.48, 0.34), "specks", 60),
}


def _cloud(random: np.random.Generator, slope: float) -> np.ndarray:
    """Tileable noise [SIDE, SIDE] with amplitude 1 / frequency ** slope, mean 0 and deviation 1."""
    spectrum = np.fft.rfft2(random.standard_normal((SIDE, SIDE)))
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    frequency[0, 0] = np.inf
    picture = np.fft.irfft2(spectrum / frequency**slope, s=(SIDE, SIDE))
    return (picture - picture.mean()) / picture.std()


def _cells(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Periodic Voronoi cells: distance to the nearest border [SIDE, SIDE] in texels, and a random tone per cell."""
    tree = cKDTree(random.uniform(0, SIDE, (count, 2)), boxsize=SIDE)
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2)
    distance, index = tree.query(grid, k=2)
    border = (distance[:, 1] - distance[:, 0]).reshape(SIDE, SIDE)
    return border, random.uniform(-1, 1, count)[index[:, 0]].reshape(SIDE, SIDE)


def _rows(random: np.random.Generator, rows: int, columns: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of bricks or planks: distance to the joint in texels, and a random tone per piece."""
    y, x = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5, indexing="ij")
    row = np.floor(y * rows / SIDE).astype(int)
    column = x * columns / SIDE + (row % 2) * shift
    across = np.abs((column + 0.5) % 1 - 0.5) * SIDE / columns
    along = np.abs((y * rows / SIDE + 0.5) % 1 - 0.5) * SIDE / rows
    tone = random.uniform(-1, 1, (rows, columns))[row, np.floor(column).astype(int) % columns]
    return np.minimum(across, along), tone


@cache
def mips(name: str) -> tuple[torch.Tensor, ...]:
    """A texture's levels, SIDE down to 4 texels, each [1, 3, S + 2, S + 2] float32 linear albedo with its far edge repeated."""
    dark, light, pattern, cells = SKINS[name]
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if pattern == "bricks":
        border, tone = _rows(random, cells * 2, cells, 0.5)
    elif pattern == "planks":
        border, tone = _rows(random, cells, 2, 0.3)
    else:
        border, tone = _cells(random, cells)
    fine, broad = _cloud(random, 0.8), _cloud(random, 1.4)
    value = 0.55 + 0.17 * fine + 0.10 * broad + 0.16 * tone
    if pattern == "planks":  # grain runs along the plank
        value += 0.14 * cv2.blur(_cloud(random, 0.5), (61, 1), borderType=cv2.BORDER_REFLECT) * 3
    if pattern != "specks":
        value -= 0.45 * np.exp(-border / 1.8)
    hue = 0.05 * np.stack([_cloud(random, 1.2) for _ in range(3)], -1)
    value = np.clip(value, 0.0, 1.15)[..., None]
    picture = np.clip(np.array(dark) * (1 - value) + np.array(light) * value, 0.004, 0.95) * (1 + hue)
    level = np.clip(picture, 0.003, 1.0).astype(np.float32)
    levels = []
    while level.shape[0] >= 4:
        levels.append(torch.from_numpy(np.pad(level.transpose(2, 0, 1), ((0, 0), (1, 1), (1, 1)), mode="wrap")[None]))
        level = cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return tuple(levels)


def _bilinear(level: torch.Tensor, uv: np.ndarray) -> np.ndarray:
    """Exact periodic bilinear lookup; uv [N, 2] in tiles; returns [N, 3]."""
    side = level.shape[-1] - 2
    grid = torch.from_numpy(((np.mod(uv, 1.0) * side + 1.0) * (2.0 / (side + 2)) - 1.0).astype(np.float32))
    found = torch.nn.functional.grid_sample(level, grid[None, None], mode="bilinear", align_corners=False)
    return found[0, :, 0].numpy().T


def look_up(name: str, metres: np.ndarray, footprint: np.ndarray, density: float = DENSITY) -> np.ndarray:
    """Albedo [N, 3] at surface coordinates metres [N, 2], filtered over footprint [N] metres (trilinear between levels)."""
    levels = mips(name)
    wanted = np.clip(np.log2(np.maximum(footprint * density, 1e-6)), 0.0, len(levels) - 1.001)
    lower = wanted.astype(np.int32)
    upper_share = (wanted - lower).astype(np.float32)
    uv = metres * (density / SIDE)
    out = np.zeros((len(uv), 3), np.float32)
    for number in np.unique(lower):
        here = np.flatnonzero(lower == number)
        share = upper_share[here, None]
        out[here] = _bilinear(levels[number], uv[here]) * (1 - share) + _bilinear(levels[number + 1], uv[here]) * share
    return out
