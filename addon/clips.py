"""Which clip is meant, by a panel or an operator. Imports bpy."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .importers import footage
from .languages import CONTEXT, say


def clip_of(context: bpy.types.Context) -> bpy.types.MovieClip | None:
    """The clip that is edited, else the scene's, else the only one; in place of frames that stand in for a clip, that clip."""
    shown = in_editor(context) or context.scene.active_clip
    if shown:
        return behind(shown)
    every = {behind(clip) for clip in bpy.data.movieclips}
    return every.pop() if len(every) == 1 else None


def in_editor(context: bpy.types.Context) -> bpy.types.MovieClip | None:
    """What the Movie Clip Editor shows, where this is one."""
    space = context.space_data
    return space.clip if space is not None and space.type == "CLIP_EDITOR" else None


def behind(shown: bpy.types.MovieClip) -> bpy.types.MovieClip:
    """The clip that these frames stand in for, which holds all settings and results; else the clip itself. See importers/footage.py."""
    for clip in bpy.data.movieclips:
        memory = clip.unflatten.made.get(footage.ROLE)
        if memory is not None and memory.clip == shown:
            return clip
    return shown


class OnClip:
    """Operators that need a clip; the greyed button says so."""

    bl_translation_context = CONTEXT

    clip: StringProperty(name="Clip", translation_context=CONTEXT, description="Name of the clip; empty for the one that is shown", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if clip_of(context) is None and len(bpy.data.movieclips) == 0:
            cls.poll_message_set(say("Open a clip first"))
            return False
        return True

    def find(self, context: bpy.types.Context) -> bpy.types.MovieClip | None:
        """The clip of that name, else the one that is shown; None after telling that there is none."""
        found = bpy.data.movieclips.get(self.clip) if self.clip else clip_of(context)
        if found is None:
            self.report({"ERROR"}, say("There is no clip '{name}'.", name=self.clip) if self.clip else say("Open a clip first"))
        return found


class OnImported:
    """Operators that need what was imported for the clip: its roles, and what to say where one is missing."""

    bl_translation_context = CONTEXT
    needs: tuple[tuple[str, str], ...] = (("camera", "Recover and import the camera first"),)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        clip = clip_of(context)
        memory = clip.unflatten.made if clip else {}
        for role, reason in cls.needs:
            if role not in memory or memory[role].object is None:
                cls.poll_message_set(say(reason))
                return False
        return True
