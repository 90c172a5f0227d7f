"""An object in the shot: upright on the recovered surface, in its light, with its shadow, behind what stands before it. Imports bpy."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..importers import depth, footage, place
from ..nodes import plate
from . import surface

UP = Vector((0, 0, 1))
STEEP = 0.8  # cosine to up below which a surface counts as a wall: the object then stands out from it


def insert(clip: bpy.types.MovieClip, scene: bpy.types.Scene, spot: surface.Spot, target: bpy.types.Object | None = None) -> bpy.types.Object:
    """Place `target` (or a new ball) on the spot, with occluder, shadow catcher, light, and the plate under the render."""
    size = spot.distance * 0.12
    if target is None:
        target = _ball(clip, scene, size)
    up = spot.normal if spot.normal.dot(UP) < STEEP and spot.normal.dot(UP) > -0.2 else UP
    if spot.normal.dot(UP) < 0.3:
        up = UP  # something beside a wall still stands upright
    stand(target, spot.point, up)
    surface.occluder(clip, scene)
    catch_shadow(clip, scene, spot, max(target.dimensions.length, size) * 1.3)
    light(clip, scene, spot)
    for role in ("occluder", "shadow", "sun"):  # another rig may have put them aside
        place.made(clip, role).object.hide_render = False
    show_over_plate(clip, scene)
    return target


def stand(target: bpy.types.Object, point: Vector, up: Vector) -> None:
    """Set the lowest point of the object onto `point`, its z along `up`; its scale stays."""
    corners = [Vector(corner) for corner in target.bound_box]
    foot = Vector((sum(c.x for c in corners) / 8, sum(c.y for c in corners) / 8, min(c.z for c in corners)))
    turn = UP.rotation_difference(up)
    scale = target.matrix_world.to_scale()
    scaled = Vector((foot.x * scale.x, foot.y * scale.y, foot.z * scale.z))
    target.matrix_world = Matrix.LocRotScale(point - turn @ scaled, turn, scale)


def _ball(clip: bpy.types.MovieClip, scene: bpy.types.Scene, size: float) -> bpy.types.Object:
    """Something to see light and shadow on."""
    target, fresh = place.object_of(clip, scene, "inserted", f"{clip.name} insert", _ball_mesh)
    if fresh:
        target.scale = (size, size, size)
        bpy.context.view_layer.update()
    return target


def _ball_mesh(name: str) -> bpy.types.Mesh:
    import bmesh

    mesh, shape = bpy.data.meshes.new(name), bmesh.new()
    bmesh.ops.create_uvsphere(shape, u_segments=48, v_segments=24, radius=0.5)
    for face in shape.faces:
        face.smooth = True
    shape.to_mesh(mesh)
    shape.free()
    material = bpy.data.materials.new(name)
    plate.principled(material, (0.8, 0.25, 0.05), 0.35)
    mesh.materials.append(material)
    return mesh


def catch_shadow(clip: bpy.types.MovieClip, scene: bpy.types.Scene, spot: surface.Spot, size: float) -> bpy.types.Object:
    """A plane on the surface that shows nothing but the shadow (Cycles), and nothing at all in EEVEE, which catches none."""
    target, fresh = place.object_of(clip, scene, "shadow", f"{clip.name} shadow", _square_mesh)
    if fresh:
        target.is_shadow_catcher = True
        target.data.materials.append(plate.catcher(f"{clip.name} shadow"))
    # Along the surface itself, a hair above it: a level plane would dive under a floor that is not quite level.
    lifted = spot.point + spot.normal * spot.distance * 0.004
    target.matrix_world = Matrix.LocRotScale(lifted, UP.rotation_difference(spot.normal), Vector((size, size, size)))
    return target


def _square_mesh(name: str) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], [], [(0, 1, 2, 3)])
    return mesh


def light(clip: bpy.types.MovieClip, scene: bpy.types.Scene, spot: surface.Spot) -> bpy.types.Object:
    """A start: the plate itself shines from the recovered surface, the world in its mean colour, and a sun from above."""
    source = place.made(clip, depth.SURFACE).object
    source.visible_camera = source.visible_shadow = False  # the plate is laid under the render; here it only gives light
    mean = plate_mean(clip)
    target, fresh = place.object_of(clip, scene, "sun", f"{clip.name} sun", lambda name: bpy.data.lights.new(name, "SUN"))
    if fresh:
        target.data.energy, target.data.angle = 1.0 + 2.0 * sum(mean) / 3, 0.15
        target.rotation_euler = (0.6, 0.25, 0.4)
        target.location = spot.point + Vector((0, 0, spot.distance * 0.4))
    if scene.world is None:
        scene.world = bpy.data.worlds.new(f"{clip.name} light")
        plate.background(scene.world, mean, 0.6)
    return target


def plate_mean(clip: bpy.types.MovieClip) -> tuple[float, float, float]:
    """The mean colour of the plate's first frame, as light."""
    image = place.made(clip, "plate").image
    if image is None or not image.size[0]:
        return 0.4, 0.4, 0.4
    values = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(values)
    mean = values.reshape(-1, image.channels)[::17, :3].mean(0)
    return tuple(float(value) ** 2.2 for value in mean)


def show_over_plate(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> None:
    """Render with a transparent film, and let the compositor lay it over the plate, distorted as the plate is."""
    scene.render.engine = "CYCLES"
    scene.render.film_transparent = scene.render.use_compositing = True
    plate.lay_over(scene, footage.of(clip))
