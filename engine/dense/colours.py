"""Dense room: depth as a picture to look at; numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Google's turbo map as polynomials in 0..1 (A. Mikhailov 2019, the published approximation).
_TURBO = np.array([
    [0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
    [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
    [0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
])


def turbo(share: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Shares in 0..1 [...] -> RGB [..., 3]: 0 dark blue, 1 dark red."""
    powers = np.stack([np.clip(share, 0, 1) ** k for k in range(6)], -1)
    return (np.clip(powers @ _TURBO.T, 0, 1) * 255).astype(np.uint8)


def of_inverse(inverse: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Nearness [H, W] of any scale and offset -> RGB [H, W, 3], between its own 2nd and 98th percentile."""
    low, high = np.percentile(inverse, (2, 98))
    return turbo((inverse - low) / max(high - low, 1e-9))


def of_depth(depth: NDArray[np.floating], near: float, far: float) -> NDArray[np.uint8]:
    """Depth [H, W] -> RGB [H, W, 3], even in inverse depth, near red, far blue, unknown black; one range for a whole shot."""
    known = depth > 0
    inverse = 1 / np.where(known, depth, far)
    share = (inverse - 1 / far) / max(1 / near - 1 / far, 1e-12)
    return turbo(share) * known[..., None].astype(np.uint8)
