"""Where the demo puts its objects, chosen from depth and mattes, and what they look like; imports bpy and numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bmesh
import bpy
import numpy as np

STEP = 4  # pixels between candidates
KNOWN = 0.02  # confidence of a sky, which lies infinitely far, is less


@dataclass(frozen=True)
class Place:
    """A pixel on the ground (parts of width and height) and the height of the object that stands there, in scene units."""

    pixel: tuple[float, float]
    height: float


@dataclass(frozen=True)
class Choice:
    """What was chosen on one frame; `towards` is the azimuth from the ground to the camera."""

    frame: int
    first: int
    behind: Place | None
    front: Place | None
    towards: float
    reach: float  # median distance of what is known of the scene
    extent: float  # within which most of that lies


def read_channel(path: Path, channel: int) -> np.ndarray:
    """One channel [H, W] of a picture file, top row first."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(values)
    out = values.reshape(image.size[1], image.size[0], image.channels)[::-1, :, channel].copy()
    bpy.data.images.remove(image)
    return out


def choose(results: Path) -> Choice:
    """The frame, and the best ground behind and in front of what stands in the picture."""
    with np.load(results / "camera" / "camera.npz", allow_pickle=False) as content:
        camera = {key: content[key] for key in content}
    rows = np.flatnonzero(camera["solved"])
    row = int(rows[len(rows) // 2])
    frame = int(camera["frame"][row])
    depth, confidence = (read_channel(results / "depth" / f"{frame:06d}.exr", channel) for channel in (0, 1))
    height, width = depth.shape
    scale = width / float(camera["size"][0])
    focal = float(camera["focal"][row, 0]) * scale
    points, up = _world(camera, row, depth, scale)
    ground = _ground(points, up, depth)
    matte = _matte(results, frame, depth.shape)
    ahead = camera["world_from_camera"][row][:3, 2]
    known = depth[(depth > 0) & (confidence > KNOWN)]
    reach, extent = (float(value) for value in np.percentile(known if len(known) else depth[depth > 0], (50, 85)))
    behind = _best(depth, ground, focal, 0.21 * reach, lambda hidden, by_mover, tall, side: _hidden(hidden, by_mover, tall), matte)
    taken = behind[1] if behind else None
    front = _best(depth, ground, focal, 0.13 * reach, _open, matte, taken)
    towards = float(np.arctan2(-ahead[1], -ahead[0]))
    return Choice(frame, int(camera["frame"].min()), behind and _place(behind, depth.shape), front and _place(front, depth.shape), towards, reach, extent)


def _world(camera: dict[str, np.ndarray], row: int, depth: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Points [H, W, 3] in the world and their upward share of the normal [H, W]."""
    from unflatten.addon.rigs.surface import undistort

    height, width = depth.shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    plane = (np.stack([x, y], -1) / scale - camera["centre"][row]) / camera["focal"][row]
    rays = np.concatenate([undistort(plane, camera["distortion"][row]), np.ones((height, width, 1))], -1)
    pose = camera["world_from_camera"][row]
    points = (rays * depth[..., None]) @ pose[:3, :3].T + pose[:3, 3]
    far = 4
    across, down = np.zeros_like(points), np.zeros_like(points)
    across[:, far:-far] = points[:, 2 * far:] - points[:, :-2 * far]
    down[far:-far] = points[2 * far:] - points[:-2 * far]
    normal = np.cross(across, down)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    return points, np.abs(normal[..., 2])


def _ground(points: np.ndarray, up: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """[H, W] bool: level, and as high as most of what is level; the table where there is no floor."""
    level = (up > 0.9) & (depth > 0)
    if level.sum() < 500:
        level = (up > 0.75) & (depth > 0)
    if level.sum() < 500:
        return depth > 0
    heights = points[level][:, 2]
    spread = float(np.median(depth[depth > 0])) * 0.03
    bins = np.arange(heights.min(), heights.max() + 2 * spread, spread)
    weight = depth[level] ** 2  # an area on the ground, not in the picture
    counts, edges = np.histogram(heights, bins, weights=np.minimum(weight, np.median(weight) * 4))
    at = counts.argmax()
    return level & (points[..., 2] > edges[at] - spread) & (points[..., 2] < edges[at] + 2 * spread)


def _matte(results: Path, frame: int, shape: tuple[int, int]) -> np.ndarray:
    """[H, W] bool: any subject, at the size of the depth."""
    total = np.zeros(shape, bool)
    for path in (results / "mattes").glob(f"*/alpha/{frame:06d}.png"):
        alpha = read_channel(path, 0)
        rows = (np.arange(shape[0]) * alpha.shape[0] // shape[0])[:, None]
        total |= alpha[rows, np.arange(shape[1]) * alpha.shape[1] // shape[1]] > 0.5
    return total


def _hidden(hidden: float, by_mover: float, tall: float) -> float:
    """How well an object half hidden serves: best when a mover hides some two fifths of it, and it is not tiny."""
    if not 0.15 < hidden < 0.7 or tall < 0.08:
        return 0.0
    return (1 - abs(hidden - 0.4)) * (0.4 + by_mover / max(hidden, 1e-6)) * min(tall / 0.2, 1.0)


def _open(hidden: float, by_mover: float, tall: float, side: float) -> float:
    """How well an object in the open serves: nothing before it, and a quarter of the picture high."""
    return 0.0 if hidden > 0.01 else max(0.0, 1 - abs(tall - 0.26) / 0.26) * (1 - 0.5 * side)


def _best(depth, ground, focal, size, score, matte, taken=None) -> tuple[float, tuple[int, int, int, int], float] | None:
    """The best candidate: score, its box in the picture (x0, y0, x1, y1), and the height of the object."""
    height, width = depth.shape
    best = None
    solid = np.where(depth > 0, depth, np.inf)
    for y in range(height // 3, height - STEP, STEP):
        for x in range(STEP, width - STEP, STEP):
            if not ground[y, x] or matte[y, x]:
                continue
            tall = size * focal / depth[y, x]
            box = (int(x - 0.3 * tall), int(y - tall), int(x + 0.3 * tall), y)
            if box[0] < 2 or box[2] >= width - 2 or box[1] < 2 or tall < 8:
                continue
            if taken and min(box[2], taken[2]) > max(box[0], taken[0]):
                continue
            window = (slice(box[1], box[3], 2), slice(box[0], box[2], 2))
            before = solid[window] < depth[y, x] * 0.95
            value = score(before.mean(), (before & matte[window]).mean(), tall / height, abs(x / width - 0.5) * 2)
            if value > (best[0] if best else 0.0):
                best = (value, box, size)
    return best


def _place(found: tuple[float, tuple[int, int, int, int], float], shape: tuple[int, int]) -> Place:
    _, (left, _, right, bottom), height = found
    return Place(((left + right + 1) / 2 / shape[1], (bottom + 0.5) / shape[0]), height)


def _finish(name: str, mesh: bmesh.types.BMesh, colour: tuple[float, float, float], height: float, azimuth: float) -> bpy.types.Object:
    data = bpy.data.meshes.new(name)
    mesh.to_mesh(data)
    mesh.free()
    data.polygons.foreach_set("use_smooth", [True] * len(data.polygons))
    material = bpy.data.materials.new(name)
    if not material.node_tree:
        material.use_nodes = True
    surface = material.node_tree.nodes["Principled BSDF"].inputs
    surface["Base Color"].default_value, surface["Roughness"].default_value = (*colour, 1.0), 0.28
    data.materials.append(material)
    target = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(target)
    corners = np.array(target.bound_box)
    scale = height / float(np.ptp(corners[:, 2]))
    data.transform(_turn(azimuth))
    target.scale = (scale, scale, scale)
    bpy.context.view_layer.update()
    return target


def _turn(azimuth: float):
    from mathutils import Matrix

    return Matrix.Rotation(azimuth, 4, "Z")


def monkey(height: float, towards: float) -> bpy.types.Object:
    """Blender's monkey, looking at the camera and a little past it."""
    mesh = bmesh.new()
    bmesh.ops.create_monkey(mesh)
    bmesh.ops.subdivide_edges(mesh, edges=mesh.edges[:], cuts=1, use_grid_fill=True, smooth=0.6)
    return _finish("Monkey", mesh, (0.05, 0.16, 0.75), height, towards + np.pi / 2 + 0.35)


def pawn(height: float, towards: float) -> bpy.types.Object:
    """A chessman, the same from all sides."""
    angles = np.linspace(-1.25, np.pi / 2, 14)
    profile = [(0.0, 0.0), (0.30, 0.0), (0.30, 0.06), (0.26, 0.11), (0.17, 0.20), (0.115, 0.38), (0.10, 0.56), (0.17, 0.60), (0.17, 0.635), (0.09, 0.66)]
    profile += [(0.165 * np.cos(a), 0.82 + 0.165 * np.sin(a)) for a in angles]
    mesh, sides = bmesh.new(), 48
    rings = [[mesh.verts.new((r * np.cos(a), r * np.sin(a), z)) for a in np.linspace(0, 2 * np.pi, sides, endpoint=False)] for r, z in profile]
    for low, high in zip(rings, rings[1:], strict=False):
        for i in range(sides):
            mesh.faces.new((low[i], low[(i + 1) % sides], high[(i + 1) % sides], high[i]))
    bmesh.ops.remove_doubles(mesh, verts=mesh.verts[:], dist=1e-5)
    return _finish("Pawn", mesh, (0.72, 0.03, 0.05), height, towards)
