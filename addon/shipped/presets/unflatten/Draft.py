"""Draft: small pictures and quick flow, to see early whether a shot holds a camera."""

import bpy

asked = (getattr(bpy.context, "edit_movieclip", None) or bpy.context.scene.active_clip).unflatten
asked.frames.size = 640
asked.flow.size = 480
asked.flow.preset = "fast"
asked.solve.size = 640
asked.solve.tracks = 400
asked.consistent_depth.reach = 1
asked.cloud.step = 4
