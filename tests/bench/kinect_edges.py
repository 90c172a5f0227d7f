"""The focal length of 7-Scenes' colour camera, without any motion: `python tests/bench/kinect_edges.py`

Edges of depth are laid on edges of colour: what is near a jump lies in the colour picture where the depth picture has it, scaled by the ratio
of both focal lengths, and aside by the distance of both cameras over depth (matched as by Barrow et al. 1977, chamfer matching).
"""

from __future__ import annotations

import cv2
import kinect
import numpy as np
from camera import CLIPS
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize

Array = NDArray[np.float64]
FRAMES = range(0, 80, 8)
JUMP, AWAY = 0.12, 3  # part of depth that is a jump, within so many px
MOST = 6.0  # px that an edge may be off, beyond which it has none
STARTS = [(base, x, y) for base in (-13.0, 0.0, 13.0) for x in (-8.0, 8.0) for y in (-8.0, 8.0)]


def edges(number: int) -> tuple[Array, Array, Array]:
    """Pixels [N, 2] from the middle and depth [N] in metres of the near sides of a frame's jumps; and px [H, W] to the nearest edge of colour."""
    name = CLIPS / "depthpose_7scenes_redkitchen" / f"frame-{number:06d}"
    metres = cv2.imread(f"{name}.depth.png", cv2.IMREAD_UNCHANGED) / 1000
    metres[(metres < kinect.NEAR) | (metres > kinect.FAR)] = np.nan
    beside = [np.roll(metres, shift, (0, 1)) for shift in ((AWAY, 0), (-AWAY, 0), (0, AWAY), (0, -AWAY))]
    near = np.any([other - metres > JUMP * metres for other in beside], 0)
    near[:8], near[-8:], near[:, :8], near[:, -8:] = False, False, False, False
    y, x = np.nonzero(near)
    colour = cv2.GaussianBlur(cv2.imread(f"{name}.color.jpg", cv2.IMREAD_GRAYSCALE), (0, 0), 1.2)
    away = cv2.distanceTransform((cv2.Canny(colour, 40, 100) == 0).astype(np.uint8), cv2.DIST_L2, 5)
    return np.stack([x, y], 1) + 0.5 - kinect.CENTRE, metres[y, x], away


def off(aside: Array, ratio: float, frames: list[tuple[Array, Array, Array]]) -> float:
    """Mean px by which edges of depth miss those of colour; `aside`: distance of the cameras in px metres, and px right and down."""
    missed = []
    for pixels, metres, away in frames:
        x, y = (ratio * pixels + kinect.CENTRE + aside[1:]).T
        x = x + aside[0] / metres
        inside = (x > 4) & (x < away.shape[1] - 4) & (y > 4) & (y < away.shape[0] - 4)
        missed.append(map_coordinates(away, [y[inside] - 0.5, x[inside] - 0.5], order=1))
    return float(np.minimum(np.concatenate(missed), MOST).mean())


def main() -> None:
    """A row for each ratio, the rest as suits it best."""
    frames = [edges(number) for number in FRAMES]
    print("| focal length of colour, px | edges off, px | between the cameras, cm |\n|---|---|---|")
    for ratio in np.arange(0.82, 0.96, 0.01):
        found = [minimize(off, start, (ratio, frames), method="Nelder-Mead", options={"maxiter": 60}) for start in STARTS]
        best = min(found, key=lambda one: one.fun)
        print(f"| {ratio * kinect.FOCAL:.0f} | {best.fun:.3f} | {-100 * best.x[0] / (ratio * kinect.FOCAL):.1f} |", flush=True)


if __name__ == "__main__":
    main()
