"""Dense room: how near and how far the parallax of a shot can tell; numpy, no stage."""

from __future__ import annotations

import numpy as np

from .shot import Shot

FAR = 0.1  # px of parallax over the widest baseline below which a point counts as infinitely far
NEAR = 0.6  # of the picture's width of parallax per flow gap: nothing nearer can have been matched


def limits(shot: Shot, solved: list[int]) -> tuple[float, float]:
    """The least and greatest inverse depth that this shot's parallax can tell, the same for all frames."""
    place = shot.camera.place[[shot.row(number) for number in solved]]
    focal = float(np.median(shot.camera.focal[:, 0]))
    gap = min(max(1, shot.gaps[-1] // shot.step), len(place) - 1)
    wide = float(np.percentile(np.linalg.norm(place[gap:] - place[:-gap], axis=1), 90))
    step = float(np.median(np.linalg.norm(np.diff(place, axis=0), axis=1)))
    wide = max(wide, 1e-9)
    return FAR / (focal * wide), NEAR * shot.size[0] / (focal * max(step, wide / gap / 4))
