"""The contract's options as properties of a MovieClip, generated, so that they are saved with the file. Imports bpy and the contract."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..engine.contract.option import Option, describe
from ..engine.contract.stages import STAGES, WANTS
from . import retiming
from .languages import CONTEXT

_LARGEST = 2**31 - 1
_DIGITS = 7  # what a float property of Blender keeps of a number

WANT_LABELS = {
    "camera": ("Camera", "The camera that shot the clip, with its lens, and the points it saw"),
    "depth": ("Depth", "The distance of everything, on every frame, in the camera's own world"),
    "cloud": ("Point cloud", "The still scene as coloured points"),
    "mattes": ("Mattes", "A soft matte and animated masks for each thing that moves"),
    "slowmo": ("Slow motion", "Frames in between, with camera, depth and mattes at the same times"),
    "export": ("Camera files", "The camera for nerfstudio and Nuke, straight plates and ST maps"),
}


def property_of(about: Option) -> Any:
    """One option of the contract as a property of Blender."""
    unit = f" ({about.unit})" if about.unit else ""
    common = {"name": about.label, "description": about.help + unit, "default": about.default, "translation_context": CONTEXT}
    if about.kind == "bool":
        return BoolProperty(**common)
    if about.unit == "px":
        common["subtype"] = "PIXEL"  # the field says so
    if about.kind == "int":
        low = -_LARGEST if about.low is None else int(about.low)
        return IntProperty(**common, min=low, max=_LARGEST if about.high is None else int(about.high))
    if about.kind == "float":
        low = -1e30 if about.low is None else about.low
        return FloatProperty(**common, min=low, max=1e30 if about.high is None else about.high, precision=3)
    if about.kind == "choice":
        return EnumProperty(**common, items=[(choice.value, choice.label, choice.help) for choice in about.choices])
    subtype = {"file": "FILE_PATH", "folder": "DIR_PATH"}.get(about.kind, "NONE")
    return StringProperty(**common, subtype=subtype)


def values_of(group: bpy.types.PropertyGroup, options: type) -> dict[str, Any]:
    """What differs from the defaults, in the contract's own numbers: 0.7 again, not 0.699999988."""
    changed = {}
    for about in describe(options):
        value = getattr(group, about.name)
        if about.kind == "float":
            value = float(f"{value:.{_DIGITS}g}")
        if about.kind in ("file", "folder") and value:
            value = bpy.path.abspath(value)
        if value != about.default:
            changed[about.name] = value
    return changed


def reset(group: bpy.types.PropertyGroup, options: type) -> None:
    """Every option back to its default."""
    for about in describe(options):
        group.property_unset(about.name)


class UNFLATTEN_PG_made(bpy.types.PropertyGroup):
    """What was made for a clip in one role, so that the next import finds it again."""

    path: StringProperty(description="The folder it came from")
    object: PointerProperty(type=bpy.types.Object)
    collection: PointerProperty(type=bpy.types.Collection)
    material: PointerProperty(type=bpy.types.Material)
    mask: PointerProperty(type=bpy.types.Mask)
    clip: PointerProperty(type=bpy.types.MovieClip)
    scene: PointerProperty(type=bpy.types.Scene)
    image: PointerProperty(type=bpy.types.Image)


class UNFLATTEN_PG_result(bpy.types.PropertyGroup):
    """The last result of one stage; `name` is the stage."""

    path: StringProperty(subtype="DIR_PATH")
    used: StringProperty()
    seconds: FloatProperty()
    warnings: StringProperty()


def _stage_group(stage: Any) -> type:
    notes = {about.name: property_of(about) for about in describe(stage.options)}
    return type(f"UNFLATTEN_PG_{stage.name}", (bpy.types.PropertyGroup,), {"__annotations__": notes, "__doc__": stage.options.__doc__})


STAGE_GROUPS = {stage.name: _stage_group(stage) for stage in STAGES}


def _clip_group() -> type:
    notes: dict[str, Any] = {f"want_{want}": BoolProperty(name=label, translation_context=CONTEXT, description=hint, default=want in ("camera", "depth"))
                             for want, (label, hint) in WANT_LABELS.items()}
    notes |= {name: PointerProperty(type=group) for name, group in STAGE_GROUPS.items()}
    notes |= {
        "made": CollectionProperty(type=UNFLATTEN_PG_made),
        "results": CollectionProperty(type=UNFLATTEN_PG_result),
        "use_range": BoolProperty(name="Part of the clip", translation_context=CONTEXT, description="Work on some of the frames alone"),
        "first": IntProperty(name="First", translation_context=CONTEXT, description="First frame, as the clip counts", default=1),
        "last": IntProperty(name="Last", translation_context=CONTEXT, description="Last frame, as the clip counts", default=100),
        "rate": StringProperty(
            name="Frame rate", translation_context=CONTEXT,
            description="Of an image sequence, which carries none: 24, 25 or 24000/1001; empty for the scene's at the first run",
        ),
        "step": IntProperty(name="Every", translation_context=CONTEXT, description="Take every so many frames", default=1, min=1, max=1000),
        "show_report": BoolProperty(
            name="Report card", translation_context=CONTEXT,
            default=True, description="Draw the solve's tracks and errors over the footage",
        ),
        "show_live": BoolProperty(
            name="Live progress", translation_context=CONTEXT,
            default=True, description="Draw how far the recovery is, and what it has made last, over the footage",
        ),
        "match_scene": BoolProperty(
            name="Match scene", translation_context=CONTEXT, default=True,
            description="Set the scene's size, frame rate and range to the clip's, and show its colours unchanged",
        ),
        "slow_strip": BoolProperty(
            name="Slow motion strip", translation_context=CONTEXT, description="Also lay the frames in between into the sequencer of their scene",
        ),
        **retiming.PROPERTIES,
        "auto_import": BoolProperty(
            name="Import when done", translation_context=CONTEXT,
            default=True, description="Lay the results into the scene as soon as they are there",
        ),
    }
    return type("UNFLATTEN_PG_clip", (bpy.types.PropertyGroup,), {"__annotations__": notes, "__doc__": "Unflatten's settings of one clip."})


UNFLATTEN_PG_clip = _clip_group()
CLASSES = (UNFLATTEN_PG_made, UNFLATTEN_PG_result, *STAGE_GROUPS.values(), UNFLATTEN_PG_clip)


def wants_of(clip: bpy.types.MovieClip) -> tuple[str, ...]:
    """What the artist has ticked."""
    return tuple(want for want in WANTS if getattr(clip.unflatten, f"want_{want}"))


def register() -> None:
    """Make the properties."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.MovieClip.unflatten = PointerProperty(type=UNFLATTEN_PG_clip)


def unregister() -> None:
    """Take the properties away."""
    del bpy.types.MovieClip.unflatten
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
