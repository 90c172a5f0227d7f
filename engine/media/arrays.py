"""Media: the arrays of an .npz file, read by any thread, and numbers of half the bits; numpy and OpenCV."""

from __future__ import annotations

import io
import threading
import zipfile
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

# NumPy reads an array's header with Python's parser, which up to 3.11 counts its depth for all threads at once and now and then
# fails when two parse together (CPython issue 106905). Headers are mostly the same; the rest is left to all threads.
_PARSER = threading.Lock()


def read_arrays(path: Path) -> dict[str, NDArray]:
    """All arrays of the file by their names, no objects among them; a ValueError where it is no whole archive."""
    try:
        with zipfile.ZipFile(path) as held:
            packed = {name.removesuffix(".npy"): held.read(name) for name in held.namelist()}
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name} is no archive of arrays: {error}") from error
    return {name: _array(content) for name, content in packed.items()}


def _array(content: bytes) -> NDArray:
    """The array in the bytes of an .npy file (NumPy's format, versions 1 and 2)."""
    start = 10 + int.from_bytes(content[8:10], "little") if content[6:7] == b"\x01" else 12 + int.from_bytes(content[8:12], "little")
    with _PARSER:
        shape, by_column, kind = _header(content[:start])
    if kind.hasobject:
        raise ValueError("an array of objects would need allow_pickle, which nothing here has")
    values = np.frombuffer(content, kind, offset=start, count=int(np.prod(shape)))
    return values.reshape(shape, order="F" if by_column else "C").copy(order="K")


@lru_cache(maxsize=64)
def _header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type that the first bytes of an .npy file tell."""
    file = io.BytesIO(head)
    version = np.lib.format.read_magic(file)
    return (np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)


def halved(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Pictures [H, W(, C)] with 16 bits for a number; the same as NumPy's in a tenth of its time."""
    return cv2.convertFp16(np.ascontiguousarray(values, np.float32)).view(np.float16)


def whole(values: NDArray[np.float16]) -> NDArray[np.float32]:
    """The way back."""
    return cv2.convertFp16(values.view(np.int16))
