"""Add-on: sentences over as many lines as the region is wide, in the user's font and language. Imports bpy."""

from __future__ import annotations

import re

import blf
import bpy

MARGINS, ICON = 64, 22  # px at a user interface scale of 1: tabs and edges of a box in the sidebar; an icon beside a text
# Chinese and Japanese break anywhere but before a stop.
_WORD = re.compile(r"[\u2e80-\uffff][、。，；：？！）」』”]*|[^ \u2e80-\uffff]+[、。，；：？！）」』”]*| +")
_UNIT = re.compile(r"(?<=\d) (?=(?:%|px|mm|s|GB|MB)(?!\w))")  # a number stays with its unit



def split(text: str, wide: float) -> list[str]:
    """Lines of at most `wide` px as Blender's panels draw them; a longer word stays whole."""
    size = bpy.context.preferences.ui_styles[0].widget.points * (bpy.context.preferences.system.ui_scale or 1.0)
    blf.size(0, size)
    lines = [""]
    for word in _WORD.findall(_UNIT.sub("\u00a0", text)):
        if lines[-1] and blf.dimensions(0, lines[-1] + word)[0] > wide:
            lines.append("")
        lines[-1] += word if lines[-1] else word.lstrip(" ")
    return [line.rstrip(" ") for line in lines]


def draw_text(layout: bpy.types.UILayout, text: str, icon: str = "NONE", width: int = 0) -> None:
    """A sentence in the user's language, wrapped; `width` in px at a scale of 1 where the region is not filled."""
    region, scale = bpy.context.region, bpy.context.preferences.system.ui_scale or 1.0
    wide = width * scale if width else (region.width if region else 280 * scale) - (MARGINS + ICON * (icon != "NONE")) * scale
    column = layout.column(align=True)
    column.scale_y = 0.85
    for index, line in enumerate(split(text, max(wide, 100 * scale))):
        column.label(text=line, icon=icon if index == 0 else "BLANK1" if icon != "NONE" else "NONE", translate=False)
