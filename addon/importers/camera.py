"""The recovered camera: pose and lens on exact frames, distortion in the clip. Imports bpy and numpy.

The one place where axes change: OpenCV (x right, y down, z forward) to Blender (x right, y up, z backward).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from . import footage, keys, place

AXES = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV camera <- Blender camera, and back


@dataclass(frozen=True)
class Camera:
    """camera.npz: see engine/contract/artifacts.py for shapes and units."""

    frame: np.ndarray  # [T] int
    world_from_camera: np.ndarray  # [T, 4, 4], OpenCV axes
    focal: np.ndarray  # [T, 2] px
    centre: np.ndarray  # [T, 2] px
    distortion: np.ndarray  # [T, 4] k1 k2 p1 p2
    solved: np.ndarray  # [T] bool
    size: np.ndarray  # [2] W, H
    interpolated: np.ndarray  # [T] bool: not solved, the pose lies between those of solved neighbours

    @property
    def posed(self) -> np.ndarray:
        """[T] bool: solved or interpolated."""
        return (self.solved | self.interpolated).astype(bool)


def read(folder: Path) -> Camera:
    """The camera of a folder."""
    with np.load(Path(folder) / "camera.npz", allow_pickle=False) as content:
        fields = {name: content[name] for name in Camera.__dataclass_fields__ if name in content}
        return Camera(**{"interpolated": np.zeros(len(content["frame"]), bool), **fields})


def to_blender(world_from_camera: np.ndarray) -> np.ndarray:
    """[..., 4, 4] poses of OpenCV cameras -> matrices of Blender cameras."""
    return world_from_camera @ AXES


def project(camera: Camera, row: np.ndarray, xyz: np.ndarray) -> np.ndarray:
    """World points [N, 3] in the frames of rows [N] -> px [N, 2] on the plate, through the distorting lens."""
    inside = np.linalg.inv(np.where(camera.solved[:, None, None], camera.world_from_camera, np.eye(4)))
    seen = np.einsum("nij,nj->ni", inside[row, :3, :3], xyz) + inside[row, :3, 3]
    x, y = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
    k1, k2, p1, p2 = camera.distortion[row].T
    rr = x * x + y * y
    radial = 1 + k1 * rr + k2 * rr * rr
    bent = np.stack([x * radial + 2 * p1 * x * y + p2 * (rr + 2 * x * x), y * radial + p1 * (rr + 2 * y * y) + 2 * p2 * x * y], -1)
    return bent * camera.focal[row] + camera.centre[row]


def import_camera(clip: bpy.types.MovieClip, scene: bpy.types.Scene, folder: Path) -> bpy.types.Object:
    """The camera object with its keys, the clip's lens, and the footage behind it. Returns the camera object."""
    camera = read(folder)
    target, fresh = place.object_of(clip, scene, "camera", f"{clip.name} camera", bpy.data.cameras.new)
    write_pose(target, camera, place.frame_shift(clip))
    write_lens(target.data, camera, place.frame_shift(clip), clip.tracking.camera.sensor_width)
    for shown in {clip, footage.of(clip)}:
        write_distortion(shown, camera)
    place.made(clip, "camera").path = str(folder)
    if fresh:
        target.data.display_size = 0.3
        target.data.clip_start, target.data.clip_end = 0.01, 10000.0
        show_plate(target.data, footage.of(clip))
    if scene.camera is None or fresh:
        scene.camera = target
    return target


def write_pose(target: bpy.types.Object, camera: Camera, shift: int) -> None:
    """Keys of location and rotation on every solved frame, breakdown keys on interpolated ones; lost frames get none."""
    known = camera.posed
    frames, between = camera.frame[known] + shift, camera.interpolated[known].astype(bool)
    matrices = to_blender(camera.world_from_camera[known])
    target.rotation_mode = "QUATERNION"
    turns = continuous(np.array([Matrix(matrix).to_quaternion() for matrix in matrices]).reshape(-1, 4))
    for axis in range(3):
        keys.write_keys(target, "location", axis, frames, matrices[:, axis, 3], breakdown=between)
    for axis in range(4):
        keys.write_keys(target, "rotation_quaternion", axis, frames, turns[:, axis], breakdown=between)


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """[T, 4] with signs so that neighbours lie on the same side: q and -q turn alike, but not when interpolated."""
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(1) < 0, -1.0, 1.0)
    return quaternions * np.concatenate([[1.0], np.cumprod(flips)])[: len(quaternions), None]


def write_lens(data: bpy.types.Camera, camera: Camera, shift: int, sensor_width: float) -> None:
    """Focal length in mm and principal point as shift, animated where they change."""
    known = camera.posed
    frames = camera.frame[known] + shift
    width, height = (float(side) for side in camera.size)
    data.type, data.sensor_fit, data.sensor_width = "PERSP", "HORIZONTAL", sensor_width
    data.sensor_height = sensor_width * height / width
    lens = camera.focal[known, 0] * sensor_width / width
    keys.write_or_set(data, data, "lens", "lens", frames, lens)
    # Blender counts both shifts in widths of the picture; its y points up.
    keys.write_or_set(data, data, "shift_x", "shift_x", frames, (width / 2 - camera.centre[known, 0]) / width)
    keys.write_or_set(data, data, "shift_y", "shift_y", frames, (camera.centre[known, 1] - height / 2) / width)


def write_distortion(clip: bpy.types.MovieClip, camera: Camera) -> None:
    """The lens in the clip's tracking settings, for undistorted plates and Blender's own tools. One lens for the whole clip."""
    middle = int(np.flatnonzero(camera.solved)[camera.solved.sum() // 2])
    lens = clip.tracking.camera
    width, height = clip.size if clip.size[0] else camera.size
    across, down = width / float(camera.size[0]), height / float(camera.size[1])
    lens.units = "PIXELS"
    lens.focal_length_pixels = float(camera.focal[middle, 0]) * across
    lens.units = "MILLIMETERS"
    centre = camera.centre[middle] * (across, down)
    lens.principal_point_pixels = (float(centre[0]), float(height - centre[1]))
    k1, k2, p1, p2 = (float(value) for value in camera.distortion[middle])
    # Blender's Brown model is OpenCV's with the tangential pair swapped, and with y up the sign of one turns.
    lens.distortion_model = "BROWN"
    lens.brown_k1, lens.brown_k2, lens.brown_k3, lens.brown_k4 = k1, k2, 0.0, 0.0
    lens.brown_p1, lens.brown_p2 = p2, -p1


def show_plate(data: bpy.types.Camera, plate: bpy.types.MovieClip) -> None:
    """The clip, undistorted, behind what the camera sees in the viewport."""
    data.show_background_images = True
    picture = data.background_images.new()
    picture.source, picture.clip = "MOVIE_CLIP", plate
    picture.display_depth, picture.frame_method, picture.alpha = "BACK", "FIT", 1.0
    picture.clip_user.use_render_undistorted = any(
        (plate.tracking.camera.brown_k1, plate.tracking.camera.brown_k2, plate.tracking.camera.brown_p1, plate.tracking.camera.brown_p2)
    )


def match_scene(clip: bpy.types.MovieClip, scene: bpy.types.Scene, frames: Path | None, size: tuple[int, int]) -> None:
    """Scene size, frame rate and range as the clip has them; colours are shown as the plate has them."""
    scene.active_clip = clip
    render = scene.render
    about = json.loads((frames / "clip.json").read_text(encoding="utf-8")) if frames else {}
    full = about.get("size") or size
    # The engine may have worked on smaller frames; one that was turned upright or made square keeps its own shape.
    shown = footage.of(clip)
    own = [side * wide for side, wide in zip(shown.size, shown.display_aspect)]
    if own[0] and abs(own[0] / own[1] * full[1] / full[0] - 1) < 0.01:
        full = own
    render.resolution_x, render.resolution_y, render.resolution_percentage = round(full[0]), round(full[1]), 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    if about.get("fps"):
        write_rate(scene, about["fps"])
    numbers = about.get("frames") or [place.first_frame(clip), place.last_frame(clip)]
    shift = place.frame_shift(clip)
    scene.frame_start, scene.frame_end = min(numbers) + shift, max(numbers) + shift
    scene.view_settings.view_transform = "Standard"  # any other would change the plate's colours


def write_rate(scene: bpy.types.Scene, text: str) -> None:
    """Frame rate 'num/den' exactly: 24000/1001 is 24 over 1.001."""
    top, _, bottom = text.partition("/")
    rate = float(top) / float(bottom or 1)
    if rate > 0:
        scene.render.fps = max(1, round(rate))
        scene.render.fps_base = scene.render.fps / rate
