"""The world put right by hand: three points become the floor, two points and a length the scale. Imports bpy.

Only the one empty that carries everything is moved, so camera, points, depth and rigs stay together.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from bpy.props import FloatProperty, FloatVectorProperty
from mathutils import Matrix, Vector

from ..clips import OnImported, clip_of
from ..importers import camera as cameras
from ..importers import depth, place
from ..languages import CONTEXT, say
from ..sidebar import OfClip
from . import surface
from .eyedropper import Eyedropper

NEAR = 0.03  # of the picture's width, within which a click means a recovered point
UP = Vector((0, 0, 1))


def set_floor(clip: bpy.types.MovieClip, scene: bpy.types.Scene, points: list[Vector]) -> bool:
    """Turn and shift the root so that three points of the world as shown lie at z = 0, the camera above; False where they lie on a line."""
    a, b, c = points
    normal = (b - a).cross(c - a)
    if normal.length < 1e-3 * max((b - a).length, (c - a).length) ** 2:
        return False
    eye = place.made(clip, "camera").object.matrix_world.translation
    normal = normal.normalized() * (1 if normal.dot(eye - a) > 0 else -1)
    turn = normal.rotation_difference(UP).to_matrix().to_4x4()
    middle = (a + b + c) / 3
    foot = Vector((middle.x, middle.y, 0))
    _move(clip, scene, Matrix.Translation(foot) @ turn @ Matrix.Translation(-middle))
    return True


def set_scale(clip: bpy.types.MovieClip, scene: bpy.types.Scene, points: list[Vector], length: float) -> bool:
    """Scale the root about the world's origin so that two points lie `length` apart; False where they are one."""
    apart = (points[1] - points[0]).length
    if apart < 1e-9:
        return False
    _move(clip, scene, Matrix.Scale(length / apart, 4))
    return True


def _move(clip: bpy.types.MovieClip, scene: bpy.types.Scene, by: Matrix) -> None:
    root = place.root_of(clip, scene)
    root.matrix_world = by @ root.matrix_world
    bpy.context.view_layer.update()


def point_at(clip: bpy.types.MovieClip, scene: bpy.types.Scene, x: float, y: float) -> Vector | None:
    """The world's point at (x, y), parts of the plate from the top left: on the depth, where there is any, else the nearest point of the solve."""
    memory = clip.unflatten.made.get(depth.SURFACE)
    if memory is not None and memory.object is not None:
        spot = surface.find_spot(clip, scene, x, y)
        if spot is not None:
            return spot.point
    folder = Path(place.made(clip, "camera").path)
    if not (folder / "points.npz").is_file():
        return None
    camera = cameras.read(folder)
    row = int(np.searchsorted(camera.frame, scene.frame_current - place.frame_shift(clip)))
    if row == len(camera.frame) or not camera.solved[row] or camera.frame[row] != scene.frame_current - place.frame_shift(clip):
        return None
    with np.load(folder / "points.npz", allow_pickle=False) as content:
        xyz = content["xyz"].astype(float)
    inside = np.linalg.inv(camera.world_from_camera[row])
    xyz = xyz[xyz @ inside[2, :3] + inside[2, 3] > 1e-6]
    if not len(xyz):
        return None
    away = np.linalg.norm(cameras.project(camera, np.full(len(xyz), row), xyz) - np.array([x, y]) * camera.size, axis=1) / camera.size[0]
    return place.root_of(clip, scene).matrix_world @ Vector(xyz[away.argmin()]) if away.min() < NEAR else None


class _Pick(Eyedropper, OnImported):
    """So many clicks on the plate in the Movie Clip Editor; scripts give `spots`: x and y of each, parts of the plate from the top left."""

    bl_options = {"REGISTER", "UNDO"}

    def take(self, places: list[float]) -> None:
        self.spots = places

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = clip_of(context)
        points = [point_at(clip, context.scene, *self.spots[2 * k : 2 * k + 2]) for k in range(self.count)]
        if any(point is None for point in points):
            self.report({"ERROR"}, say("Nothing was recovered at one of these places on this frame; pick others."))
            return {"CANCELLED"}
        if not self.act(clip, context.scene, points):
            self.report({"ERROR"}, say("These places lie in one line; pick others.") if self.count == 3 else say("These are one place; pick two."))
            return {"CANCELLED"}
        return {"FINISHED"}


class UNFLATTEN_OT_floor(_Pick, bpy.types.Operator):
    """Click three places of the floor: the world is set level on them"""

    bl_idname = "unflatten.floor"
    bl_label = "Three points are the floor"
    count = 3

    spots: FloatVectorProperty(size=6, default=(0.3, 0.8, 0.7, 0.8, 0.5, 0.6), min=0.0, max=1.0, options={"SKIP_SAVE"})

    def act(self, clip: bpy.types.MovieClip, scene: bpy.types.Scene, points: list[Vector]) -> bool:
        """Called with the picked points."""
        return set_floor(clip, scene, points)


class UNFLATTEN_OT_scale(_Pick, bpy.types.Operator):
    """Click two places whose distance you know: the world is scaled to it"""

    bl_idname = "unflatten.scale"
    bl_label = "Two points are so far apart"
    count = 2

    spots: FloatVectorProperty(size=4, default=(0.3, 0.8, 0.7, 0.8), min=0.0, max=1.0, options={"SKIP_SAVE"})
    length: FloatProperty(
        name="Distance", translation_context=CONTEXT, description="Between the two places", default=1.0, min=1e-4, soft_max=100.0, unit="LENGTH",
    )

    def act(self, clip: bpy.types.MovieClip, scene: bpy.types.Scene, points: list[Vector]) -> bool:
        """Called with the picked points."""
        return set_scale(clip, scene, points, self.length)


class UNFLATTEN_PT_world(OfClip, bpy.types.Panel):
    """Where the floor lies, and how large all is."""

    bl_label = "Put the world right"
    bl_parent_id = "UNFLATTEN_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator("unflatten.floor", icon="ORIENTATION_GIMBAL")
        column.operator("unflatten.scale", icon="DRIVER_DISTANCE")


CLASSES = (UNFLATTEN_OT_floor, UNFLATTEN_OT_scale, UNFLATTEN_PT_world)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
