"""Synth room: casts rays at a scene — picture, depth, matte and flow, exact; imports numpy and the room itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scene import Body, Scene, View
from .skin import DENSITY, look_up

SKY = 1e5  # metres: what no body covers; written as unknown depth
SOFTNESS = 1.5  # lens and anti-aliasing filter: textures are filtered over so many (sub)pixels


def distort(plane: np.ndarray, distortion: tuple[float, ...]) -> np.ndarray:
    """OpenCV's k1 k2 p1 p2 on points [..., 2] of the plane z = 1."""
    k1, k2, p1, p2 = distortion
    x, y = plane[..., 0], plane[..., 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * k2)
    return np.stack([x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], -1)


def undistort(plane: np.ndarray, distortion: tuple[float, ...]) -> np.ndarray:
    """Inverse of `distort` by fixed-point iteration."""
    out = plane
    if any(distortion):
        for _ in range(40):
            error = plane - distort(out, distortion)
            out = out + error
            if np.abs(error).max() < 1e-10:
                break
    return out


def pixel_rays(view: View, size: tuple[int, int], supersample: int = 1) -> np.ndarray:
    """Directions [H * s, W * s, 3] in the camera, z = 1, through the centres of (sub)pixels."""
    width, height = size[0] * supersample, size[1] * supersample
    focal = view.focal * width
    x = (np.arange(width) + 0.5 - width / 2) / focal
    y = (np.arange(height) + 0.5 - height / 2) / focal
    plane = undistort(np.stack(np.meshgrid(x, y), -1), view.distortion)
    return np.concatenate([plane, np.ones_like(plane[..., :1])], -1)


def project(points: np.ndarray, view: View, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """World points [..., 3] to pixels [..., 2] (pixel centres at +0.5) and depth [...] along the optical axis."""
    rotation, eye = view.world_from_camera[:3, :3], view.world_from_camera[:3, 3]
    local = (points - eye) @ rotation
    depth = local[..., 2]
    plane = distort(local[..., :2] / np.where(np.abs(depth) < 1e-9, 1e-9, depth)[..., None], view.distortion)
    return plane * (view.focal * size[0]) + np.array(size) / 2, depth


@dataclass(frozen=True)
class Hit:
    """What each ray meets: depth [H, W] in metres along the optical axis, index [H, W] of the body or -1 for the sky."""

    depth: np.ndarray
    index: np.ndarray
    rays: np.ndarray  # [H, W, 3] camera directions, z = 1
    view: View

    def points(self) -> np.ndarray:
        """[H, W, 3] in the world, as precise as the rays."""
        pose = self.view.world_from_camera.astype(self.rays.dtype)
        return (self.rays * self.depth[..., None]) @ pose[:3, :3].T + pose[:3, 3]


def _enter(shape: str, origin: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Distance [N] at which origin + t * way enters the unit shape, inf where it does not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if shape == "ball":
            near, far = _quadric(origin, way)
        else:
            near, far = _slab(origin[2], way[..., 2])
            sides = [_quadric(origin[:2], way[..., :2])] if shape == "drum" else [_slab(origin[i], way[..., i]) for i in (0, 1)]
            for side_near, side_far in sides:
                near, far = np.maximum(near, side_near), np.minimum(far, side_far)
        return np.where((near <= far) & (near > 1e-3), near, np.inf)


def _slab(origin: np.ndarray, way: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entry and exit of the space between -1 and 1 along one axis."""
    middle, half = -origin / way, np.abs(1 / way)
    return middle - half, middle + half


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum of products over the last axis; einsum, since numpy sums short axes slowly."""
    return np.einsum("...i,...i->...", first, second)


def _quadric(origin: np.ndarray, way: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entry and exit of the unit sphere (3-D) or circle (2-D)."""
    a, b = _dot(way, way), way @ origin
    root = np.sqrt(b * b - a * (origin @ origin - 1))
    return (-b - root) / a, (-b + root) / a


def _window(body: Body, time: float, view: View, size: tuple[int, int]) -> tuple[slice, slice] | None:
    """Rows and columns of the (sub)pixel grid that can see the body; all where it reaches behind the camera."""
    corners = np.array([[x, y, z, 1.0] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) @ body.world_from_unit(time).T
    pixels, depth = project(corners[:, :3], view, size)
    if depth.min() < 0.05:
        return None if depth.max() < 0.05 else (slice(0, size[1]), slice(0, size[0]))
    margin = 0.04 * size[0] if any(view.distortion) else 2.0
    low, high = np.floor(pixels.min(0) - margin).astype(int), np.ceil(pixels.max(0) + margin).astype(int)
    low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    return (slice(low[1], high[1]), slice(low[0], high[0])) if (high > low).all() else None


def cast(scene: Scene, time: float, size: tuple[int, int], supersample: int = 1) -> Hit:
    """The nearest body along the ray of every (sub)pixel."""
    view = scene.view(time)
    rays = pixel_rays(view, size, supersample)
    if supersample > 1:  # pictures need no double precision
        rays = rays.astype(np.float32)
    fine = (size[0] * supersample, size[1] * supersample)
    depth = np.full(rays.shape[:2], SKY, rays.dtype)
    index = np.full(rays.shape[:2], -1, np.int16)
    for number, body in enumerate(scene.bodies):
        window = _window(body, time, view, fine)
        if window is None:
            continue
        unit_from_camera = np.linalg.inv(body.world_from_unit(time)) @ view.world_from_camera
        way = rays[window] @ unit_from_camera[:3, :3].T.astype(rays.dtype)
        distance = _enter(body.shape, unit_from_camera[:3, 3].astype(rays.dtype), way)
        nearer = distance < depth[window]
        depth[window][nearer] = distance[nearer]
        index[window][nearer] = number
    return Hit(depth, index, rays, view)


def shade(scene: Scene, time: float, hit: Hit) -> np.ndarray:
    """Linear radiance [H, W, 3]: sun and sky light on textured bodies, a soft sky where nothing is hit."""
    points = hit.points()
    pose = hit.view.world_from_camera
    picture = _sky(hit.rays @ pose[:3, :3].T.astype(hit.rays.dtype))
    pixel = SOFTNESS / (hit.view.focal * hit.rays.shape[1])  # a pixel's width at depth 1
    for number in np.unique(hit.index[hit.index >= 0]):
        body, here = scene.bodies[number], hit.index == number
        picture[here] = _surface(scene, body, time, points[here], pose[:3, 3], hit.depth[here] * pixel)
    return picture


def _surface(scene: Scene, body: Body, time: float, points: np.ndarray, eye: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """Radiance [N, 3] of a body at points [N, 3]; footprint [N] is a pixel's width there, facing the camera."""
    inverse, eye = np.linalg.inv(body.world_from_unit(time)).astype(points.dtype), eye.astype(points.dtype)
    unit = points @ inverse[:3, :3].T + inverse[:3, 3]
    slope = _unit_normal(body.shape, unit)
    normal = slope @ inverse[:3, :3]
    normal /= np.sqrt(_dot(normal, normal))[:, None]
    away = eye - points
    footprint = footprint / np.clip(_dot(normal, away) / np.sqrt(_dot(away, away)), 0.2, 1.0)
    metres = unit * np.asarray(body.size, unit.dtype)
    blend = slope**2 * slope**2 * slope**2
    blend /= (blend[:, 0] + blend[:, 1] + blend[:, 2])[:, None]
    albedo = np.zeros((len(points), 3), np.float32)
    for axis in range(3):
        part = np.flatnonzero(blend[:, axis] > 0.02)
        if len(part):
            face = (axis + np.sign(slope[part, axis]) * 1.7)[:, None]  # every side shows another part of the texture
            uv = metres[part][:, [i for i in range(3) if i != axis]] + np.array([0.37, 0.71], unit.dtype) * face
            fine = look_up(body.skin, uv, footprint[part])
            broad = look_up("plaster", uv, footprint[part], DENSITY / 5.3)[:, 1:2]
            albedo[part] += blend[part, axis, None] * fine * (0.45 + 1.1 * broad)
    sun = (np.asarray(scene.sun) / np.linalg.norm(scene.sun)).astype(points.dtype)
    light = 0.42 + 0.18 * normal[:, 2:] + 1.05 * np.clip(normal @ sun, 0, None)[:, None]
    return albedo * light


def _unit_normal(shape: str, unit: np.ndarray) -> np.ndarray:
    """Outward normals [N, 3] of the unit shape at points on it."""
    if shape == "ball":
        return unit
    if shape == "drum":
        lid = np.abs(unit[:, 2]) > 1 - 1e-4
        return unit * np.stack([~lid, ~lid, lid], 1)
    x, y, z = np.abs(unit).T
    face = np.stack([(x >= y) & (x >= z), (y > x) & (y >= z), (z > x) & (z > y)], 1)
    return face * np.sign(unit)


def _sky(directions: np.ndarray) -> np.ndarray:
    """A pale gradient [H, W, 3] by the height of the direction."""
    height = directions[..., 2] / np.sqrt(_dot(directions, directions))
    share = np.clip(height * 1.6, 0, 1)[..., None].astype(np.float32)
    return (1 - share) * np.float32([0.75, 0.80, 0.86]) + share * np.float32([0.22, 0.40, 0.72])


def displaced(scene: Scene, hit: Hit, time: float, later: float, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where every hit point stands in the picture at `later`: pixels [H, W, 2] and depth [H, W]; exact, hidden or not."""
    points = hit.points()
    for number in np.unique(hit.index[hit.index >= 0]):
        body, here = scene.bodies[number], hit.index == number
        if body.mover:
            motion = body.world_from_unit(later) @ np.linalg.inv(body.world_from_unit(time))
            points[here] = points[here] @ motion[:3, :3].T + motion[:3, 3]
    return project(points, scene.view(later), size)
