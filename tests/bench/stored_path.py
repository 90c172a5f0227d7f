"""How far pictures contradict a stored path, and how far ours. Run from the repository's root, after tests/bench/camera.py with --keep:

    python tests/bench/camera.py 7scenes kitti --frames 80 --size 640 --peers "" --keep FOLDER
    python tests/bench/stored_path.py FOLDER

A true path that another sensor has measured has errors of its own. SIFT matches between frames far apart, which neither path was made from, are
held against both: distance from the epipolar line that a path says (Sampson), in px. To the stored path is given whatever focal length, clock
and either lens (ours, or one without distortion) suit it best; ours stays as it was solved. So too to that of 7scenes as kinect.py has it.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import camera as bench
import cv2
import numpy as np

from engine.camera import outcome
from engine.geometry import lens
from engine.geometry.pose import interpolate, skew
from engine.geometry.reprojection import sampson
from engine.media.frames import read_png

APART = 1 / 8, 1 / 4, 2 / 5  # of the shot, between the frames of a pair
LENGTHS, CLOCKS = np.linspace(0.85, 1.15, 61), np.arange(-3, 3.1, 0.5)  # times the focal length told; frames by which the stored clock runs behind
SLIPPED = 5.0  # px beyond which a match is none, under either path

Array = np.ndarray
Pairs = list[tuple[int, int, Array, Array]]  # places of two frames in the shot, and matches [N, 2] px in each


def main() -> None:
    """A row for each shot and path."""
    root = Path(sys.argv[1])
    print("| shot | path | median, px | 80 % | focal length, px | clock, frames |\n|---|---|---|---|---|---|")
    for name in bench.STORED:
        got = outcome.read(root / name / "solve").camera
        _, stored, width = bench.shot(name, 0, 0, root)
        rows = [row for row, number in enumerate(got.frame) if int(number) in stored and got.solved[row]]
        pairs = matched([read_png(root / name / "frames" / f"{int(got.frame[row]):06d}.png") for row in rows])
        centre, own, bent = got.centre[rows[0]], float(np.median(got.focal[rows])), got.distortion[rows[0]]
        told = stored[int(got.frame[rows[0]])][1] * got.size[0] / width
        numbers = [int(got.frame[row]) for row in rows]
        found = {"ours": (missed(pairs, got.world_from_camera[rows], own, centre, bent), own, "")}
        found["stored"] = at_best(pairs, np.array([stored[number][0] for number in numbers]), told, centre, bent)
        if name == "7scenes":
            found["registered"] = at_best(pairs, np.array([bench.better(name)[number] for number in numbers]), told, centre, bent)
        match = np.min([error for error, _, _ in found.values()], axis=0) < SLIPPED
        for path, (error, focal, clock) in found.items():
            print(f"| {name} | {path} | {np.median(error[match]):.3f} | {np.quantile(error[match], 0.8):.3f} | {focal:.1f} | {clock} |", flush=True)


def at_best(pairs: Pairs, truth: Array, told: float, centre: Array, bent: Array) -> tuple[Array, float, str]:
    """Distances [N] px by the poses [T, 4, 4] with the clock, focal length (px, near `told`) and lens that suit them best, and the former two."""
    ways, steps = {}, np.arange(len(truth))
    for late in CLOCKS:
        poses = interpolate(steps, truth, steps - late)
        for length, glass in product(told * LENGTHS, ("ours", "straight")):
            ways[late, length, glass] = missed(pairs, poses, length, centre, bent * (glass == "ours"))
    late, length, glass = min(ways, key=lambda way: np.median(ways[way]))
    return ways[late, length, glass], length, f"{late:+.1f}"


def matched(pictures: list[Array]) -> Pairs:
    """Mutual SIFT matches that are clearly the best of each other."""
    sift, matcher = cv2.SIFT_create(3000), cv2.BFMatcher()
    seen = [sift.detectAndCompute(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture, None) for picture in pictures]
    pairs = []
    for gap in (max(1, round(part * len(pictures))) for part in APART):
        for first in range(0, len(pictures) - gap, max(1, len(pictures) // 13)):
            (a, told_a), (b, told_b) = seen[first], seen[first + gap]
            back = {one.queryIdx: one.trainIdx for one in matcher.match(told_b, told_a)}
            best = [one for one, two in matcher.knnMatch(told_a, told_b, 2) if one.distance < 0.75 * two.distance and back[one.trainIdx] == one.queryIdx]
            places = (np.array([points[getattr(one, side)].pt for one in best]) + 0.5 for points, side in ((a, "queryIdx"), (b, "trainIdx")))
            pairs.append((first, first + gap, *places))
    return pairs


def missed(pairs: Pairs, poses: Array, focal: float, centre: Array, distortion: Array) -> Array:
    """Distances [N] px of all matches from the lines that the poses say."""
    back = np.linalg.inv(np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]]))
    out = []
    for first, second, a, b in pairs:
        relative = np.linalg.solve(poses[second], poses[first])
        fundamental = back.T @ skew(relative[:3, 3]) @ relative[:3, :3] @ back
        straight = (lens.unproject(side, focal, centre, distortion)[:, :2] * focal + centre for side in (a, b))
        out.append(np.abs(sampson(fundamental, *straight)))
    return np.concatenate(out)


if __name__ == "__main__":
    main()
