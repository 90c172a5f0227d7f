"""Media: the arrays of an .npz file, read by any thread, and numbers of half the bits; numpy and OpenCV."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

# NumPy reads an array's header with Python's parser, which up to 3.11 counts its depth for all threads at once and now and then
# fails when two parse together (CPython issue 106905). Unpacking, which takes the time, is left to all threads.
_PARSER = threading.Lock()


def read_arrays(path: Path) -> dict[str, NDArray]:
    """All arrays of the file by their names, no objects among them; a ValueError where it is no whole archive."""
    try:
        with zipfile.ZipFile(path) as held:
            packed = {name.removesuffix(".npy"): held.read(name) for name in held.namelist()}
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name} is no archive of arrays: {error}") from error
    with _PARSER:
        return {name: np.lib.format.read_array(io.BytesIO(content), allow_pickle=False) for name, content in packed.items()}


def halved(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Pictures [H, W(, C)] with 16 bits for a number; the same as NumPy's in a tenth of its time."""
    return cv2.convertFp16(np.ascontiguousarray(values, np.float32)).view(np.float16)


def whole(values: NDArray[np.float16]) -> NDArray[np.float32]:
    """The way back."""
    return cv2.convertFp16(values.view(np.int16))
