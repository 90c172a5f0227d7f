"""A shot made of numbers: a moving camera with an off-centre lens before two walls, written as the engine's artifacts would be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

SIZE = (64, 36)  # W, H of depth; the camera's own size is twice that


@dataclass
class Shot:
    """Truth and where it lies."""

    folder: Path
    frames: np.ndarray  # [T]
    poses: np.ndarray  # [T, 4, 4] world_from_camera, OpenCV axes
    focal: np.ndarray  # [T, 2] px at `size`
    centre: np.ndarray
    distortion: np.ndarray
    size: tuple[int, int]
    depth: np.ndarray  # [T, h, w]

    def project(self, index: int, points: np.ndarray) -> np.ndarray:
        """World [N, 3] -> px [N, 2] at `size`, without distortion, as OpenCV does it."""
        inside = np.linalg.inv(self.poses[index])
        seen = points @ inside[:3, :3].T + inside[:3, 3]
        return seen[:, :2] / seen[:, 2:] * self.focal[index] + self.centre[index]

    def positions(self, index: int) -> np.ndarray:
        """World [h, w, 3] of each pixel of depth, through the distorting lens."""
        width, height = SIZE
        x, y = np.meshgrid((np.arange(width) + 0.5) / width * self.size[0], (np.arange(height) + 0.5) / height * self.size[1])
        seen = np.stack([(x - self.centre[index, 0]) / self.focal[index, 0], (y - self.centre[index, 1]) / self.focal[index, 1]], -1)
        ray = undistort(seen, self.distortion[index])
        z = self.depth[index][..., None]
        inside = np.concatenate([ray * z, z], -1)
        return inside @ self.poses[index][:3, :3].T + self.poses[index][:3, 3]


def distort(ray: np.ndarray, lens: np.ndarray) -> np.ndarray:
    """OpenCV's model, [..., 2] normalised."""
    k1, k2, p1, p2 = lens
    x, y = ray[..., 0], ray[..., 1]
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2 * r2
    return np.stack([x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], -1)


def undistort(seen: np.ndarray, lens: np.ndarray) -> np.ndarray:
    """Its inverse, by Newton's method with a numerical slope: another way than the add-on's."""
    ray = seen.copy()
    for _ in range(20):
        error = distort(ray, lens) - seen
        step = 1e-6
        columns = [(distort(ray + np.eye(2)[axis] * step, lens) - distort(ray, lens)) / step for axis in range(2)]
        jacobian = np.stack(columns, -1)
        ray = ray - np.linalg.solve(jacobian, error[..., None])[..., 0]
    return ray


def make_shot(folder: Path, first: int = 1, count: int = 8, zoom: bool = False, lens: tuple[float, ...] = (0, 0, 0, 0)) -> Shot:
    """Write camera, depth, frames, points and mattes of the shot into `folder`, as `--out` lays them."""
    size = (2 * SIZE[0], 2 * SIZE[1])
    time = np.linspace(0, 1, count)
    poses = np.stack([pose(t) for t in time])
    focal = np.repeat((110.0 + (30.0 * time if zoom else 0 * time))[:, None], 2, 1)
    shot = Shot(
        folder, np.arange(first, first + count), poses, focal, np.tile((70.0, 31.0), (count, 1)), np.tile(np.float64(lens), (count, 1)), size,
        np.stack([walls(t) for t in time]),
    )
    write_camera(shot, folder / "camera")
    write_depth(shot, folder / "depth")
    write_frames(shot, folder / "frames")
    write_points(shot, folder)
    write_mattes(shot, folder / "mattes")
    return shot


def pose(t: float) -> np.ndarray:
    """A camera that walks right and turns, looking along the world's +y, z up."""
    turn, nod = 0.3 * t - 0.1, 0.1 * np.sin(3 * t)
    base = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)  # columns: camera x, y, z in the world
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_x @ base
    matrix[:3, 3] = (2 * t - 1, -5 + t, 1.5)
    return matrix


def walls(t: float) -> np.ndarray:
    """[h, w] a far slope, and a near board that moves."""
    width, height = SIZE
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    depth = 8.0 + 0.02 * x + 0.01 * y
    left = 10 + int(20 * t)
    depth[8:24, left:left + 14] = 3.0 + 0.5 * t
    return depth.astype(np.float32)


def write_camera(shot: Shot, folder: Path) -> None:
    folder.mkdir(parents=True)
    np.savez(
        folder / "camera.npz", frame=shot.frames, world_from_camera=shot.poses, focal=shot.focal, centre=shot.centre,
        distortion=shot.distortion, solved=np.ones(len(shot.frames), bool), size=np.array(shot.size),
    )
    errors = {str(int(frame)): 0.2 + 0.01 * index for index, frame in enumerate(shot.frames)}
    (folder / "report.json").write_text(json.dumps({
        "method": "truth", "scale": "metric", "verdict": "good", "error": {"mean": 0.2, "frames": errors}, "distrust": [int(shot.frames[2])],
        "solved": len(shot.frames), "total": len(shot.frames), "points": 10, "focal": {"px": 110.0, "mm36": 30.9}, "warnings": [],
    }))


def write_depth(shot: Shot, folder: Path) -> None:
    folder.mkdir(parents=True)
    for frame, depth in zip(shot.frames, shot.depth):
        picture = np.zeros((*depth.shape, 4), np.float32)
        picture[..., 0], picture[..., 1], picture[..., 3] = depth, 1.0, 1.0
        write_image(folder / f"{frame:06d}.exr", picture, "OPEN_EXR")
    (folder / "depth.json").write_text(json.dumps({"size": SIZE, "near": 3.0, "far": 9.0}))


def write_frames(shot: Shot, folder: Path) -> None:
    folder.mkdir(parents=True)
    width, height = shot.size
    for index, frame in enumerate(shot.frames):
        picture = np.ones((height, width, 4), np.float32)
        picture[..., 0] = np.linspace(0, 1, width)[None]
        picture[..., 1] = np.linspace(0, 1, height)[:, None]
        picture[..., 2] = index / 10
        write_image(folder / f"{frame:06d}.png", picture, "PNG")
    numbers = [int(frame) for frame in shot.frames]
    (folder / "clip.json").write_text(json.dumps({
        "size": shot.size, "fps": "24000/1001", "frames": numbers, "times": [n / 23.976 for n in numbers], "cuts": [], "duplicates": [],
    }))


def write_points(shot: Shot, folder: Path) -> None:
    xyz = shot.positions(0).reshape(-1, 3)[::7].astype(np.float32)
    rgb = (np.arange(len(xyz) * 3).reshape(-1, 3) % 256).astype(np.uint8)
    np.savez(folder / "camera" / "points.npz", xyz=xyz, rgb=rgb, error=np.zeros(len(xyz)), length=np.full(len(xyz), 5))
    (folder / "cloud").mkdir()
    rows = np.zeros(len(xyz), [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])
    for axis, name in enumerate("xyz"):
        rows[name] = xyz[:, axis]
    for axis, name in enumerate(("red", "green", "blue")):
        rows[name] = rgb[:, axis]
    names = "".join(f"property {kind} {name}\n" for kind, name in zip(["float"] * 3 + ["uchar"] * 3, rows.dtype.names))
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(xyz)}\n{names}end_header\n"
    (folder / "cloud" / "fused.ply").write_bytes(header.encode() + rows.tobytes())


def write_mattes(shot: Shot, folder: Path) -> None:
    """One subject: a square that moves, with a hole, and a second piece that is there on some frames alone."""
    person = folder / "person"
    (person / "alpha").mkdir(parents=True)
    width, height = shot.size
    pieces: list[dict] = [{"points": {}, "closed": True, "hole": hole} for hole in (False, True, False)]
    for index, frame in enumerate(shot.frames):
        alpha = np.zeros((height, width), np.float32)
        left = 20 + 4 * index
        for piece, (x, y, side) in enumerate(((left, 20, 30), (left + 10, 30, 10), (90, 5, 12))):
            if piece == 2 and index not in (2, 3, 4):
                continue
            alpha[y:y + side, x:x + side] = 0 if piece == 1 else 1
            pieces[piece]["points"][str(int(frame))] = square(x, y, side)
        picture = np.ones((height, width, 4), np.float32)
        picture[..., :3] = alpha[..., None]
        write_image(person / "alpha" / f"{frame:06d}.png", picture, "PNG")
    for piece in pieces:
        numbers = [int(frame) for frame in piece["points"]]
        piece["first"], piece["last"] = min(numbers), max(numbers)
    (person / "contours.json").write_text(json.dumps({"size": shot.size, "pieces": pieces}))
    (folder / "mattes.json").write_text(json.dumps({"subjects": [{"name": "person", "area": 0.1, "frames": len(shot.frames)}]}))


def square(x: float, y: float, side: float, count: int = 40) -> list[list[float]]:
    """`count` points around a square, in px."""
    along = np.arange(count) / count * 4
    corners = np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)], float)
    which = along.astype(int)
    return (corners[which] + (corners[which + 1] - corners[which]) * (along - which)[:, None]).tolist()


def write_image(path: Path, picture: np.ndarray, kind: str) -> None:
    """[h, w, 4] top row first, values as they shall be read."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new("scratch", width, height, alpha=True, float_buffer=kind == "OPEN_EXR")
    if kind == "OPEN_EXR":
        image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.ascontiguousarray(picture[::-1], np.float32).ravel())
    image.file_format = kind
    image.filepath_raw = str(path)
    image.save()
    bpy.data.images.remove(image)
