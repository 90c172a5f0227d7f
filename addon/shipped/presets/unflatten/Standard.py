"""Standard: what a new clip starts with, for the knobs that Draft and Fine turn."""

import bpy

asked = (getattr(bpy.context, "edit_movieclip", None) or bpy.context.scene.active_clip).unflatten
turned = {
    "frames": ["size"], "flow": ["size", "preset"], "solve": ["size", "tracks"], "consistent_depth": ["reach"], "cloud": ["step"], "mattes": ["soft"],
}
for stage, names in turned.items():
    for name in names:
        getattr(asked, stage).property_unset(name)
