"""The running job over the footage: how far it is, what it has made last, and a button that stops it. Imports bpy and numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..engine.contract.stages import BY_NAME
from . import jobs, report
from .clips import behind, in_editor
from .job import Job
from .languages import say
from .panels import time_left
from .preview import Shown

WIDTH, BAR, EDGE = 240, 8, 16  # px at a user interface scale of 1
GREY, BLUE, WHITE = (0.0, 0.0, 0.0, 0.55), (0.28, 0.45, 0.7, 1.0), (0.95, 0.95, 0.95, 1.0)
_handle: Any = None
_texture: tuple[int, Any] = (0, None)  # the number of the shown preview, and its picture on the card


@dataclass(frozen=True)
class Place:
    """Where it all lies, px of the region from the bottom left."""

    left: float
    top: float
    width: float
    line: float  # height of a line of text

    @property
    def bar(self) -> tuple[float, float, float, float]:
        """x, y, width, height of the bar; the button stands at its right."""
        return self.left, self.top - 2.2 * self.line, self.width - 2 * self.line, BAR * self.line / 20

    @property
    def button(self) -> tuple[float, float]:
        """The middle of the button."""
        return self.left + self.width - self.line * 0.6, self.bar[1] + self.bar[3] / 2


def place_in(area: bpy.types.Area, region: bpy.types.Region) -> Place:
    """The upper left of the footage, clear of the tools where they lie over it."""
    scale = bpy.context.preferences.system.ui_scale or 1.0
    tools = next((it for it in area.regions if it.type == "TOOLS" and it.width > 1), None)
    left = max(0, tools.x + tools.width - region.x) if tools is not None and tools.x <= region.x else 0
    return Place(left + EDGE * scale, region.height - EDGE * scale, min(WIDTH * scale, region.width * 0.36), 20 * scale)


def shown_job(context: bpy.types.Context) -> Job | None:
    """The running job of the clip that this editor shows."""
    shown = in_editor(context)
    clip = behind(shown) if shown else None
    job = jobs.of(clip) if clip is not None else None
    return job if job is not None and job.status == "running" and clip.unflatten.show_live else None


def words(job: Job) -> tuple[str, str]:
    """What is being done and how far it is; how long it takes yet."""
    name = next((name for name, it in job.stages.items() if it.status == "running"), "")
    label = say(BY_NAME[name].label) if name in BY_NAME else say("Starting")
    return f"{label}  {job.overall * 100:.0f} %", time_left(job.seconds_left)


def learned(job: Job) -> str:
    """'Loss 0.671' while a stage learns, else nothing."""
    losses = next((it.losses for it in job.stages.values() if it.status == "running"), [])
    return say("Loss {now}", now=f"{losses[-1]:.3g}") if losses else ""


def draw() -> None:
    """Called by Blender for every redraw of a Movie Clip Editor."""
    context = bpy.context
    job = shown_job(context)
    if job is None:
        return
    import gpu

    place = place_in(context.area, context.region)
    gpu.state.blend_set("ALPHA")
    head, tail = words(job)
    x, y, width, height = place.bar
    shown = job.preview
    tall = place.width * shown.shape + 1.6 * place.line if shown is not None else 0
    report.fill("TRIS", report.box(x - 8, y - 10 - tall, place.width + 16, place.top - y + 16 + tall), GREY)
    report.fill("TRIS", report.box(x, y, width, height), (1, 1, 1, 0.2))
    report.fill("TRIS", report.box(x, y, max(1.0, width * job.overall), height), BLUE)
    _write(head, x, place.top - place.line, place.line)
    _write(tail, x + width, place.top - place.line, place.line, right=True)
    if shown is not None:
        _draw_preview(shown, x, y - tall, place)
        _write(learned(job), x + place.width, y - 1.15 * place.line, place.line, right=True)
    gpu.state.blend_set("NONE")


def _draw_preview(shown: Shown, x: float, y: float, place: Place) -> None:
    from gpu_extras.presets import draw_texture_2d

    global _texture
    if _texture[0] != shown.number:
        _texture = shown.number, _to_card(shown.pixels)
    draw_texture_2d(_texture[1], (x, y), place.width, place.width * shown.shape)
    label = BY_NAME[shown.stage].label if shown.stage in BY_NAME else shown.stage
    _write(say("{stage}, frame {number}", stage=say(label), number=shown.frame), x, y + place.width * shown.shape + 0.45 * place.line, place.line)


def _to_card(pixels: np.ndarray) -> Any:
    import gpu

    height, width = pixels.shape[:2]
    values = np.ones((height, width, 4), np.float32)
    values[..., :3] = pixels[::-1].astype(np.float32) / 255
    return gpu.types.GPUTexture((width, height), format="RGBA16F", data=gpu.types.Buffer("FLOAT", values.size, values.ravel()))


def _write(text: str, x: float, y: float, line: float, right: bool = False) -> None:
    import blf

    blf.size(0, 0.6 * line)
    blf.color(0, *WHITE)
    blf.position(0, x - (blf.dimensions(0, text)[0] if right else 0), y, 0)
    blf.draw(0, text)


class UNFLATTEN_GGT_stop(bpy.types.GizmoGroup):
    """The button beside the bar."""

    bl_label = "Stop the recovery"
    bl_space_type, bl_region_type = "CLIP_EDITOR", "WINDOW"
    bl_options = {"PERSISTENT", "SCALE"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """While there is something to stop."""
        return shown_job(context) is not None

    def setup(self, context: bpy.types.Context) -> None:
        """Called once for each editor."""
        self.button = self.gizmos.new("GIZMO_GT_button_2d")
        self.button.icon, self.button.draw_options = "CANCEL", {"BACKDROP", "OUTLINE"}
        self.button.target_set_operator("unflatten.cancel")
        self.button.color, self.button.alpha = (0.6, 0.2, 0.2), 0.9
        self.button.color_highlight, self.button.alpha_highlight = (0.8, 0.25, 0.25), 1.0
        self.button.scale_basis = 10

    def draw_prepare(self, context: bpy.types.Context) -> None:
        """Called before each drawing."""
        self.button.matrix_basis[0][3], self.button.matrix_basis[1][3] = place_in(context.area, context.region).button


def register() -> None:
    """Draw over every Movie Clip Editor."""
    global _handle
    bpy.utils.register_class(UNFLATTEN_GGT_stop)
    if not bpy.app.background:
        _handle = bpy.types.SpaceClipEditor.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Draw no more."""
    global _handle, _texture
    if _handle is not None:
        bpy.types.SpaceClipEditor.draw_handler_remove(_handle, "WINDOW")
    _handle, _texture = None, (0, None)
    bpy.utils.unregister_class(UNFLATTEN_GGT_stop)
