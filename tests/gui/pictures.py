"""README's pictures of real windows, from those that `build.py test --gui` keeps: `.venv/bin/python tests/gui/pictures.py demo/windows/sid`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

SAMPLE = Path(__file__).resolve().parents[2] / "sample"
WIDE = 1400  # px of the whole window in README
EDITOR = (slice(275, 724), slice(300, 1315))  # rows and columns of the footage with its sidebar, as drive.py lays the window out


def main(folder: Path) -> None:
    """Write sample/window.jpg and sample/window_running.jpg."""
    whole = cv2.imread(str(folder / "6_inserted.png"))
    whole = cv2.resize(whole, (WIDE, whole.shape[0] * WIDE // whole.shape[1]), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(SAMPLE / "window.jpg"), whole, [cv2.IMWRITE_JPEG_QUALITY, 82])
    cv2.imwrite(str(SAMPLE / "window_running.jpg"), cv2.imread(str(folder / "3_running.png"))[EDITOR], [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
