"""Geometry of coloured points in a file: binary PLY, x y z float32, red green blue uint8; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FIELDS = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
_KINDS = {"<f4": "float", "u1": "uchar"}


def encode(xyz: NDArray[np.float64], rgb: NDArray[np.uint8]) -> bytes:
    """Points [N, 3] and their colours [N, 3]."""
    rows = np.empty(len(xyz), _FIELDS)
    for k, (name, _) in enumerate(_FIELDS):
        rows[name] = xyz[:, k] if k < 3 else rgb[:, k - 3]
    properties = "".join(f"property {_KINDS[kind]} {name}\n" for name, kind in _FIELDS)
    return f"ply\nformat binary_little_endian 1.0\nelement vertex {len(rows)}\n{properties}end_header\n".encode() + rows.tobytes()


def decode(content: bytes) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """What `encode` made."""
    rows = np.frombuffer(content.split(b"end_header\n", 1)[1], _FIELDS)
    names = [name for name, _ in _FIELDS]
    return np.stack([rows[name] for name in names[:3]], 1).astype(np.float64), np.stack([rows[name] for name in names[3:]], 1)
