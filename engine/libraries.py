"""Third-party libraries that need a hand to load."""

from __future__ import annotations

import ctypes
import sys
from typing import Any


def open3d() -> Any:
    """Open3D. Its Linux build wants the system's libusb for cameras that nobody here uses: the one in the lock serves."""
    if sys.platform == "linux":
        import libusb_package

        ctypes.CDLL(str(libusb_package.get_library_path()), ctypes.RTLD_GLOBAL)
    import open3d

    return open3d
