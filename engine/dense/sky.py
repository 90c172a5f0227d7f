"""Dense room: the sky of a frame, which shows nothing that flow could follow and lies infinitely far off; numpy, OpenCV and torch, no stage.

Above the horizon, without texture, blue or burnt out, and hanging together with the picture's border there: a ceiling or a wall is
seldom all of that. Flow borrows motion for such places from whatever stands before them, and so would bring them near.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ..geometry.blobs import disc
from ..geometry.triangulation import Estimate
from .shot import Mask, Picture, Shot

PLAIN = 0.5  # of the trust in flow below which a place shows nothing
BLUE, CLEARLY = 0.08, 0.2  # part of the blue by which it exceeds the red: anywhere in a sky, and in the mean of it
DARK, BURNT = 0.5, 0.98  # blue below which nothing is sky; the least channel from which a place is burnt out
LEAST = 0.01  # of the picture: a smaller sky is left to what is about it
RIM = 0.02  # of the picture's width: how far a sky reaches on, over the windows in which texture is looked for
SHADE = 0.05  # difference of colour from the sky beside it up to which a pixel is of it


def seen(shot: Shot, number: int) -> Mask:
    """The sky [H, W] of a frame with a camera."""
    row = shot.row(number)
    return among(shot.picture(number), shot.texture(number), shot.rays(row), shot.camera.world_from_camera[row, 2, :3])


def among(picture: Picture, shown: Picture, rays: Picture, up: np.ndarray) -> Mask:
    """The sky [H, W] of a picture [H, W, 3] 0..1 with the texture `shown` [H, W], whose rays [H, W, 3] and `up` are in camera axes."""
    above = rays @ up.astype(np.float32) > 0
    if above.mean() < LEAST:
        return np.zeros(above.shape, bool)
    red, green, blue = cv2.split(cv2.blur(picture, (3, 3)))
    hue = (1 - red / np.maximum(blue, DARK)) * (blue > green) * (blue > DARK)
    burnt = np.minimum(np.minimum(red, green), blue) > BURNT
    plain = above & (shown < PLAIN)
    core = _reaching(plain & burnt, None) | _reaching(plain & (hue > BLUE), hue)
    if not core.any():
        return core
    reach = 2 * round(RIM * above.shape[1]) + 1
    load = cv2.boxFilter(core.astype(np.float32), -1, (2 * reach + 1,) * 2)
    colour = cv2.boxFilter(picture * core[..., None], -1, (2 * reach + 1,) * 2) / np.maximum(load, 1e-6)[..., None]
    alike = (np.abs(picture - colour).max(-1) < SHADE) & (cv2.dilate(core.astype(np.uint8), disc(reach // 2)) > 0)
    return core | (alike & above)


def _reaching(mask: Mask, hue: Picture | None) -> Mask:
    """The blobs that are large, reach the picture's border, and are clearly of a `hue` [H, W]."""
    mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc(2))
    count, label, about, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    left, top, width, height, area = about.T
    border = (top == 0) | (left == 0) | (left + width == mask.shape[1])
    keep = border & (area >= LEAST * mask.size)
    if hue is not None:
        keep &= np.bincount(label.ravel(), hue.ravel(), count) > CLEARLY * area
    keep[0] = False
    return keep[label]


def settled(found: Estimate, sky: Mask, low: float) -> Estimate:
    """The same, the sky at the least inverse depth that the shot can tell, of which nothing else shall hear."""
    if not sky.any():
        return found
    return found.changed(torch.from_numpy(sky).to(found.rho.device), low, 0.0)
