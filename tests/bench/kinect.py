"""A better truth for 7-Scenes: the path of its depth camera, from all depth frames registered to each other. Held against a made shot by

    python -m engine.synth loop --out MADE --frames 40 --size 640x360 --no-between
    python tests/bench/kinect.py MADE

The stored path was tracked frame by frame against a growing model, so what it once got wrong stays. Here no frame is first: points of each
are held against the surfaces that 20 others saw (point to plane, Chen and Medioni 1991, found by projection, Blais and Levine 1995), weighed
by the sensor's noise (Nguyen, Izadi and Lovell 2012) and Tukey's function, all poses adjusted at once. No colour picture is used.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.geometry.pose import pose, rotation_from_vector  # noqa: E402
from engine.media.frames import read_depth  # noqa: E402
from engine.metrics.trajectory import compare  # noqa: E402

Array = NDArray[np.float64]
NEAR, FAR = 0.3, 3.5  # metres between which the sensor is believed
GAPS = 1, 2, 4, 8, 13, 20, 30, 40, 55, 70  # frames between those held against each other
ROUNDS, WIDE = 12, 4  # of adjustment, and how many of them look far for a surface
REACH = 0.08, 0.05  # metres within which a surface is looked for, at first and at last
ALIKE, SLANTED, TUKEY = 0.85, 0.3, 5.0  # least cosines between two normals and of normal to ray; standard errors that count for nothing
GRID = 9  # px between points
FOCAL, CENTRE = 585.0, np.array([320.0, 240.0])  # px of the depth camera of 7-Scenes


def seven_scenes(folder: Path, stored: dict[int, Array]) -> dict[int, Array]:
    """Poses of the clip in `folder`, registered to each other, by frame number, begun from the `stored` ones."""
    depths = [cv2.imread(str(folder / f"frame-{number:06d}.depth.png"), cv2.IMREAD_UNCHANGED) / 1000 for number in stored]
    return dict(zip(stored, registered(depths, FOCAL, CENTRE, np.array(list(stored.values())))))


def noise(depth: Array) -> Array:
    """Standard error in metres of the Kinect's depth in metres."""
    return 0.0012 + 0.0019 * np.maximum(depth - 0.4, 0) ** 2


def surface(depth: Array, focal: float, centre: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Points and normals [H, W, 3] in the camera of depth [H, W] in metres, and where they can be trusted."""
    height, width = depth.shape
    none = ~((depth > NEAR) & (depth < FAR))
    far = cv2.dilate(np.where(none, 0, depth), np.ones((5, 5)))
    near = cv2.erode(np.where(none, FAR, depth), np.ones((5, 5)))
    trusted = cv2.boxFilter((none | (far - near > 0.06 * depth)).astype(np.float32), -1, (13, 13), normalize=False) < 0.5
    ray = np.dstack([*((np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) + 0.5 - centre) / focal).transpose(2, 0, 1), np.ones(depth.shape)])
    points = ray * np.where(none, 0, depth)[..., None]
    even = cv2.blur(points, (9, 9))
    normal = np.cross(np.roll(even, -4, 1) - np.roll(even, 4, 1), np.roll(even, -4, 0) - np.roll(even, 4, 0))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
    trusted &= np.abs((normal * ray).sum(-1)) > SLANTED * np.linalg.norm(ray, axis=-1)
    trusted[:8] = trusted[-8:] = trusted[:, :8] = trusted[:, -8:] = False
    return points, normal, trusted


def registered(depths: list[Array], focal: float, centre: Array, start: Array) -> Array:
    """world_from_camera [T, 4, 4] of depth frames [H, W] in metres (0: none) near `start` [T, 4, 4]; the first stays. `focal`, `centre` px."""
    seen = [surface(np.asarray(depth, np.float64), focal, centre) for depth in depths]
    pairs = [(a, a + gap) for gap in GAPS for a in range(0, len(seen) - gap, 1 if gap < 8 else 2)]
    poses = np.array(start, np.float64)
    for round_ in range(ROUNDS):
        normal, slope = np.zeros((len(poses), 6, len(poses), 6)), np.zeros((len(poses), 6))
        for one, other in pairs + [pair[::-1] for pair in pairs]:
            row, error = held(seen[one], seen[other], poses[one], poses[other], focal, centre, REACH[round_ >= WIDE])
            square, down = row.T @ row, row.T @ error
            for i, j in ((one, other), (other, one)):
                normal[i, :, i] += square
                normal[i, :, j] -= square
            slope[one] += down
            slope[other] -= down
        step = np.zeros_like(slope)
        step[1:] = -np.linalg.solve(normal[1:, :, 1:].reshape(slope[1:].size, -1), slope[1:].ravel()).reshape(-1, 6)
        poses = pose(rotation_from_vector(step[:, :3]), step[:, 3:]) @ poses
    return poses


def held(one: tuple, other: tuple, from_one: Array, from_other: Array, focal: float, centre: Array, reach: float) -> tuple[Array, Array]:
    """Rows [N, 6] by a turn and shift of the world about `one`, and errors [N], weighed; `other`'s rows are the same with the other sign."""
    points, facing, trusted = (part[::GRID, ::GRID] for part in one)
    points, facing = points[trusted], facing[trusted] @ from_one[:3, :3].T
    world = points @ from_one[:3, :3].T + from_one[:3, 3]
    local = (world - from_other[:3, 3]) @ from_other[:3, :3]
    x, y = np.floor(local[:, :2] / np.maximum(local[:, 2:], 1e-6) * focal + centre).astype(int).T
    height, width = other[2].shape
    inside = (local[:, 2] > NEAR) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = x * inside, y * inside
    target, across = other[0][y, x], other[1][y, x] @ from_other[:3, :3].T
    match = inside & other[2][y, x] & (np.linalg.norm(local - target, axis=1) < reach) & ((facing * across).sum(1) > ALIKE)
    world, target, across = world[match], target[match], across[match]
    sigma = np.hypot(noise(points[match, 2]), noise(target[:, 2]))
    error = ((world - target @ from_other[:3, :3].T - from_other[:3, 3]) * across).sum(1) / sigma
    weight = np.maximum(1 - (error / TUKEY) ** 2, 0)  # the root of Tukey's
    row = np.concatenate([np.cross(world, across), across], 1) * (weight / sigma)[:, None]
    return row, weight * error


def main() -> None:
    """A made shot's true depth with the sensor's noise, its path bent by a per cent: what is left of that."""
    made, random = Path(sys.argv[1]), np.random.default_rng(0)
    with np.load(made / "camera.npz") as file:
        truth, frames, focal, centre = file["world_from_camera"], file["frame"], float(file["focal"][0, 0]), np.asarray(file["centre"])[0]
    depths = [np.array(read_depth(made / "depth" / f"{n:06d}.exr")[0], np.float64) for n in frames]
    closer = 1.5 / np.median(depths[0])  # as if the room were one for this sensor
    truth[:, :3, 3] *= closer
    depths = [d * closer + random.normal(size=d.shape) * noise(d * closer) for d in depths]
    along = np.linspace(0, 2 * np.pi, len(truth))[:, None]
    length = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1).sum()
    bent = truth.copy()
    bent[:, :3, 3] += 0.015 * length * np.sin(along * (1, 0.7, 1.3) + (0, 1, 2))
    bent[:, :3, :3] = bent[:, :3, :3] @ rotation_from_vector(np.radians(0.3) * np.sin(along * (0.6, 1.1, 0.9)))
    for name, path in (("bent", bent), ("registered", registered(depths, focal, centre, bent))):
        error = compare(path, truth)
        print(f"{name}: {error.ate_percent:.3f} % of the path, {error.rotation_degrees:.3f} degrees")


if __name__ == "__main__":
    main()
