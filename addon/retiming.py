"""Slow motion by curve: a keyed speed or a keyed source frame on the clip becomes the engine's list of times. Imports bpy; changes nothing."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty

from . import versions
from .importers import place
from .languages import CONTEXT, say

LONGEST = 100_000  # output frames
PROPERTIES = {
    "retime_by": EnumProperty(
        name="Retime by", translation_context=CONTEXT, description="What says how fast the slow motion runs",
        items=(
            ("OPTIONS", "Factor", "The options below"),
            ("SPEED", "Speed", "A speed in percent that can be keyed over the output's frames: 0 freezes, below 0 runs backwards"),
            ("FRAME", "Source frame", "A frame of the clip, keyed over the output's frames: any order, holds and reverses"),
        ),
    ),
    "retime_speed": FloatProperty(
        name="Speed", translation_context=CONTEXT, default=50.0, min=-5000.0, max=5000.0, precision=1, subtype="PERCENTAGE",
        description="Of the clip, in percent; key it and shape its curve in the Graph Editor",
    ),
    "retime_frame": FloatProperty(
        name="Source frame", translation_context=CONTEXT, default=1.0, precision=2,
        description="The frame of the clip that is shown; key it and shape its curve in the Graph Editor",
    ),
}


def times_of(clip: bpy.types.MovieClip) -> str:
    """The contract's option 'times': a source time for each output frame; empty where the factor rules."""
    asked = clip.unflatten
    if asked.retime_by == "OPTIONS":
        return ""
    span = _span(clip)
    times = _by_speed(clip, *span) if asked.retime_by == "SPEED" else _by_frame(clip, *span)
    return " ".join(f"{time:.4f}".rstrip("0").rstrip(".") for time in times)


def _span(clip: bpy.types.MovieClip) -> tuple[int, int]:
    """The clip's frames that are worked on."""
    first, last, asked = place.first_frame(clip), place.last_frame(clip), clip.unflatten
    return (max(first, asked.first), min(last, asked.last)) if asked.use_range else (first, last)


def _by_speed(clip: bpy.types.MovieClip, first: int, last: int) -> list[float]:
    """Walk at the speed of each moment until the clip runs out; from its end where the speed begins below 0. A freeze at the end lasts to the last key."""
    curve = versions.fcurve_of(clip, "unflatten.retime_speed")
    start, end = (int(frame) for frame in curve.range()) if curve else (0, 0)

    def speed(frame: int) -> float:
        return (curve.evaluate(frame) if curve else clip.unflatten.retime_speed) / 100

    times, time, frame = [], float(first if speed(start) >= 0 else last), start
    while first - 1e-6 <= time <= last + 1e-6 and len(times) < LONGEST:
        times.append(min(max(time, first), last))
        step = (speed(frame) + speed(frame + 1)) / 2
        if frame >= end and abs(step) < 1e-6:
            break
        time, frame = time + step, frame + 1
    return times


def _by_frame(clip: bpy.types.MovieClip, first: int, last: int) -> list[float]:
    """The curve from its first key to its last, held inside the clip; one frame without keys."""
    curve = versions.fcurve_of(clip, "unflatten.retime_frame")
    if curve is None:
        return [min(max(clip.unflatten.retime_frame, first), last)]
    start, end = (int(frame) for frame in curve.range())
    return [min(max(curve.evaluate(frame), first), last) for frame in range(start, min(end, start + LONGEST) + 1)]


def draw(layout: bpy.types.UILayout, clip: bpy.types.MovieClip) -> None:
    """The choice, the value to key, and how long the result will be."""
    asked = clip.unflatten
    layout.prop(asked, "retime_by")
    if asked.retime_by == "OPTIONS":
        return
    row = layout.row()
    row.use_property_decorate = True  # the dot that keys it
    row.prop(asked, "retime_speed" if asked.retime_by == "SPEED" else "retime_frame")
    count = len(times_of(clip).split())
    layout.label(text=say("{count} frames", count=count), icon="TIME", translate=False)
