"""Geometry of masks: without specks, rims and pinholes; numpy and OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # [H, W]
Box = tuple[slice, slice]  # rows and columns
LEAST = 5e-4  # part of the picture below which a blob is noise
THIN = 0.005  # of the picture's width: half the thickness below which a blob is the rim of something still
HOLE = 0.02  # part of all that is marked below which a hole is an oversight
GAP = 0.08  # the same in a first, rough mask
BARE, OPEN = 0.3, 0.25  # texture up to which a place shows nothing; the part of a bare place's outline that may lie at the end of a mask


def cleaned(mask: Mask) -> Mask:
    """The blobs that are large and somewhere thick enough to be a thing, their cracks closed and their holes filled."""
    count, label, about, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    inner = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    thick = np.zeros(count, bool)
    thick[label[inner >= THIN * mask.shape[1]]] = True
    keep = thick & (about[:, cv2.CC_STAT_AREA] >= LEAST * mask.size)
    keep[0] = False
    reach = max(1, round(THIN * mask.shape[1]))
    return filled(cv2.morphologyEx(keep[label].astype(np.uint8), cv2.MORPH_CLOSE, disc(reach)) > 0, GAP)


def filled(mask: Mask, hole: float = HOLE) -> Mask:
    """Holes smaller than `hole` of the mask's area belong to it; what opens to the picture's border is no hole."""
    count, label, about, _ = cv2.connectedComponentsWithStats((~np.pad(mask, 1)).astype(np.uint8), connectivity=4)
    small = about[:count, cv2.CC_STAT_AREA] < hole * max(1, np.count_nonzero(mask))
    small[0] = False
    small[label[0, 0]] = False
    return mask | small[label][1:-1, 1:-1]


def showing(mask: Mask, texture: NDArray[np.float32]) -> Mask:
    """Without bare parts that end in the open: where a thing ends its outline shows. `texture` [H, W] 0..1, flat to clear, over windows."""
    reach = max(1, round(THIN * mask.shape[1]))
    bare = cv2.morphologyEx((mask & (texture < BARE)).astype(np.uint8), cv2.MORPH_OPEN, disc(reach))
    count, label, about, _ = cv2.connectedComponentsWithStats(bare, connectivity=4)
    outline = label * (cv2.erode(bare, disc(1)) == 0)
    length = np.bincount(outline.ravel(), minlength=count)
    # A window that holds an edge is not bare: what is, and lies beside the mask's end, has none there.
    ends = np.bincount(outline[cv2.dilate((~mask).astype(np.uint8), disc(2)) > 0], minlength=count)
    drop = (ends > OPEN * length) & (about[:, cv2.CC_STAT_AREA] >= LEAST * mask.size)
    drop[0] = False
    return mask & ~drop[label]


def nearest(mask: Mask, metric: int = cv2.DIST_MASK_5) -> NDArray[np.int64]:
    """The place in the flattened picture [H, W] of the pixel of a mask that is nearest to each; the mask holds one at least."""
    _, label = cv2.distanceTransformWithLabels((~mask).astype(np.uint8), cv2.DIST_L2, metric, labelType=cv2.DIST_LABEL_PIXEL)
    place = np.zeros(int(label.max()) + 1, np.int64)
    place[label[mask]] = np.flatnonzero(mask)
    return place[label]


def framed(mask: Mask, margin: int) -> Box | None:
    """The rows and columns that hold anything, and `margin` px around."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return (
        slice(max(0, int(rows[0]) - margin), min(mask.shape[0], int(rows[-1]) + margin + 1)),
        slice(max(0, int(columns[0]) - margin), min(mask.shape[1], int(columns[-1]) + margin + 1)),
    )


def disc(radius: int) -> NDArray[np.uint8]:
    """A round element [2 radius + 1, 2 radius + 1] to widen and to narrow blobs with."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
