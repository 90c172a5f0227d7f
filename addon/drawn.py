"""What the artist draws, boxes or points at, as keys of the mattes: Blender's masks and markers on the frame that is shown. Imports bpy, numpy."""

from __future__ import annotations

import hashlib
from pathlib import Path

import bpy
import numpy as np
from bpy.props import BoolProperty, StringProperty

from . import preferences
from .clips import clip_of
from .importers import place
from .languages import CONTEXT, say
from .sidebar import OfClip

STEPS = 16  # pieces of a curve between two of its points


def frame_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> int:
    """The clip's number of the frame that is shown."""
    return scene.frame_current - place.frame_shift(clip)


def mask_of(context: bpy.types.Context) -> bpy.types.Mask | None:
    """The mask that the editor shows, else the only one that no import made."""
    space = context.space_data
    if space is not None and space.type == "CLIP_EDITOR" and space.mask:
        return space.mask
    clip = clip_of(context)
    ours = {entry.mask for entry in clip.unflatten.made if entry.mask} if clip else set()
    drawn = [mask for mask in bpy.data.masks if mask not in ours]
    return drawn[0] if len(drawn) == 1 else None


def outlines(mask: bpy.types.Mask, size: tuple[int, int]) -> list[tuple[bool, list[np.ndarray]]]:
    """For each layer that counts, from the lowest: whether it takes away, and its closed curves [N, 2] px from the top left."""
    found = []
    for layer in mask.layers:
        if layer.hide_render or layer.alpha <= 0:
            continue
        curves = [_curve(spline, size) for spline in layer.splines if len(spline.points) > 1]
        found.append((layer.blend == "SUBTRACT", curves))
    return found


def _curve(spline: bpy.types.MaskSpline, size: tuple[int, int]) -> np.ndarray:
    points = list(spline.points)
    knots = np.array([[point.co, point.handle_left, point.handle_right] for point in points], np.float64)
    after = np.roll(knots, -1, 0)
    t = (np.arange(STEPS) / STEPS)[None, :, None]
    p0, p1, p2, p3 = (part[:, None] for part in (knots[:, 0], knots[:, 2], after[:, 1], after[:, 0]))
    curve = ((1 - t) ** 3 * p0 + 3 * t * (1 - t) ** 2 * p1 + 3 * t * t * (1 - t) * p2 + t**3 * p3).reshape(-1, 2)
    longest = max(size)
    return np.stack([size[0] / 2 + (curve[:, 0] - 0.5) * longest, size[1] / 2 - (curve[:, 1] - 0.5) * longest], -1)


def fill(curves: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """[H, W] bool: pixels whose centres the curves enclose, a curve within another cutting a hole."""
    width, height = size
    flips = np.zeros((height, width + 1), np.int64)
    for curve in curves:
        for (x0, y0), (x1, y1) in zip(curve, np.roll(curve, -1, 0)):
            (x0, y0), (x1, y1) = sorted([(x0, y0), (x1, y1)], key=lambda end: end[1])
            rows = np.arange(max(0, int(np.ceil(y0 - 0.5))), min(height, int(np.ceil(y1 - 0.5))))
            if len(rows):
                cross = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                np.add.at(flips, (rows, np.clip(np.ceil(cross - 0.5), 0, width).astype(np.int64)), 1)
    return np.cumsum(flips, axis=1)[:, :-1] % 2 == 1


def filled(mask: bpy.types.Mask, size: tuple[int, int]) -> np.ndarray:
    """The mask as it stands on this frame, [H, W] bool from the top."""
    whole = np.zeros(size[::-1], bool)
    for takes_away, curves in outlines(mask, size):
        whole = whole & ~fill(curves, size) if takes_away else whole | fill(curves, size)
    return whole


def folder_of(clip: bpy.types.MovieClip) -> Path:
    """Where the drawn masks of a clip lie: the artist's own folder, or one beside the results."""
    if clip.unflatten.mattes.drawn:
        return Path(bpy.path.abspath(clip.unflatten.mattes.drawn))
    path = bpy.path.abspath(clip.filepath)
    return preferences.store_folder() / "drawn" / f"{Path(path).stem}-{hashlib.blake2b(path.encode(), digest_size=4).hexdigest()}"


def write(path: Path, mask: np.ndarray) -> None:
    """A mask as PNG, white inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("Unflatten mask", mask.shape[1], mask.shape[0])
    try:
        image.colorspace_settings.name = "Non-Color"
        values = np.ones((*mask.shape, 4), np.float32)
        values[..., :3] = mask[::-1, :, None]
        image.pixels.foreach_set(values.ravel())
        image.filepath_raw, image.file_format = str(path), "PNG"
        image.save()
    finally:
        bpy.data.images.remove(image)


def add_prompt(clip: bpy.types.MovieClip, prompt: str) -> None:
    """One more box or point, once."""
    asked = clip.unflatten.mattes
    known = [part.strip() for part in asked.prompts.split(";") if part.strip()]
    asked.method, asked.prompts = "drawn", "; ".join(known + [prompt] * (prompt not in known))


class _OnDrawn:
    """Operators on what was drawn for the clip that is shown."""

    bl_translation_context = CONTEXT
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if clip_of(context) is None:
            cls.poll_message_set(say("Open a clip first"))
            return False
        return True


class UNFLATTEN_OT_use_mask(_OnDrawn, bpy.types.Operator):
    """The mask, as it stands on this frame, is the subject; on a further frame it corrects what was carried there"""

    bl_idname = "unflatten.use_mask"
    bl_label = "Mask is the subject here"

    mask: StringProperty(name="Mask", translation_context=CONTEXT, description="Name of the mask; empty for the one that is shown", options={"SKIP_SAVE"})
    box: BoolProperty(
        name="Only its box", translation_context=CONTEXT, description="Look for the subject inside the mask's borders", default=False, options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip, mask = clip_of(context), bpy.data.masks.get(self.mask) if self.mask else mask_of(context)
        size = tuple(clip.size)
        inside = filled(mask, size) if mask else np.zeros((1, 1), bool)
        if not inside.any():
            self.report({"ERROR"}, say("Draw a mask round the subject first, and show it."))
            return {"CANCELLED"}
        number = frame_of(clip, context.scene)
        if self.box:
            rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
            borders = (columns[0] / size[0], rows[0] / size[1], (columns[-1] + 1) / size[0], (rows[-1] + 1) / size[1])
            add_prompt(clip, f"{number} box {','.join(f'{part:.4f}' for part in borders)}")
        else:
            folder = folder_of(clip)
            write(folder / f"{number:06d}.png", inside)
            clip.unflatten.mattes.method, clip.unflatten.mattes.drawn = "drawn", str(folder)
        return {"FINISHED"}


class UNFLATTEN_OT_use_markers(_OnDrawn, bpy.types.Operator):
    """The selected tracking markers of this frame lie on the subject, or outside of it; they correct a box or a mask of the same frame"""

    bl_idname = "unflatten.use_markers"
    bl_label = "Markers lie on the subject"

    outside: BoolProperty(name="Outside", translation_context=CONTEXT, description="They lie on what is not the subject", default=False, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = clip_of(context)
        number = frame_of(clip, context.scene)
        at = number - place.first_frame(clip) + 1  # markers count from the clip's first frame
        markers = [track.markers.find_frame(at, exact=True) for track in clip.tracking.objects.active.tracks if track.select]
        places = [marker.co for marker in markers if marker is not None and not marker.mute]
        if not places:
            self.report({"ERROR"}, say("Select tracking markers on this frame first."))
            return {"CANCELLED"}
        for across, up in places:
            add_prompt(clip, f"{number} {'out' if self.outside else 'in'} {across:.4f},{1 - up:.4f}")
        return {"FINISHED"}


class UNFLATTEN_OT_forget_drawn(_OnDrawn, bpy.types.Operator):
    """Forget the masks, boxes and points of this clip's subject; a folder of your own stays as it is"""

    bl_idname = "unflatten.forget_drawn"
    bl_label = "Forget what was drawn"

    def execute(self, context: bpy.types.Context) -> set[str]:
        clip = clip_of(context)
        given, asked = folder_of(clip), clip.unflatten.mattes
        for name in ("drawn", "prompts", "method"):
            asked.property_unset(name)
        if given == folder_of(clip):
            for path in given.glob("*.png"):
                path.unlink()
        return {"FINISHED"}


class UNFLATTEN_PT_drawn(OfClip, bpy.types.Panel):
    """A subject from a drawn mask, a box or points"""

    bl_label = "Draw the subject"
    bl_parent_id = "UNFLATTEN_PT_mattes"

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator("unflatten.use_mask", icon="MOD_MASK")
        column.operator("unflatten.use_mask", text=say("Only its box"), icon="SHADING_BBOX").box = True
        column.operator("unflatten.use_markers", icon="TRACKER")
        column.operator("unflatten.use_markers", text=say("Outside"), icon="X").outside = True
        self.layout.operator("unflatten.forget_drawn", icon="TRASH")


CLASSES = (UNFLATTEN_OT_use_mask, UNFLATTEN_OT_use_markers, UNFLATTEN_OT_forget_drawn, UNFLATTEN_PT_drawn)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
