"""Add-on: what all panels in the Movie Clip Editor's sidebar share."""

from __future__ import annotations

import bpy

from .clips import clip_of
from .languages import CONTEXT


class Sidebar:
    """A panel under the tab 'Unflatten'."""

    bl_space_type, bl_region_type, bl_category = "CLIP_EDITOR", "UI", "Unflatten"
    bl_translation_context = CONTEXT


class OfClip(Sidebar):
    """One that is there, folded, while a clip is open."""

    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it is drawn."""
        return clip_of(context) is not None
