"""Fine: full size, the finest flow, more tracks, the finest edges; takes several times as long."""

import bpy

asked = (getattr(bpy.context, "edit_movieclip", None) or bpy.context.scene.active_clip).unflatten
asked.frames.size = 0
asked.flow.size = 1280
asked.flow.preset = "fine"
asked.solve.size = 1920
asked.solve.tracks = 1600
asked.consistent_depth.reach = 4
asked.cloud.step = 1
asked.mattes.soft = "closed"
