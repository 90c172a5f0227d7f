"""From a clip to what the engine is asked, and from that to what is already there. Imports bpy, settings and the contract."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..engine.contract import job
from ..engine.contract.cache import DONE
from ..engine.contract.option import WrongOption
from ..engine.contract.stages import STAGES
from . import preferences, retiming, settings

_FRESH = 1.0  # s for which a look at the disk is believed
_DRAWN = 0.05  # s in which all panels are drawn once: they share one answer


def request_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene, wants: tuple[str, ...] = ()) -> job.Request:
    """What the engine is asked for this clip."""
    asked = clip.unflatten
    options = {stage.name: settings.values_of(getattr(asked, stage.name), stage.options) for stage in STAGES}
    if times := retiming.times_of(clip):
        options["interpolate"]["times"] = times
    sequence = clip.source == "SEQUENCE"
    return job.Request(
        clip=bpy.path.abspath(clip.filepath), wants=wants or settings.wants_of(clip), store=str(preferences.store_folder()),
        first=asked.first if asked.use_range else None, last=asked.last if asked.use_range else None, step=asked.step,
        device=preferences.get().device, fps=(asked.rate or rate_of(scene)) if sequence else "",
        options={name: values for name, values in options.items() if values},
    )


def rate_of(scene: bpy.types.Scene) -> str:
    """The scene's frame rate as the contract writes it; an image sequence has none of its own."""
    base = round(scene.render.fps_base, 6)
    return str(scene.render.fps) if base == 1 else f"{scene.render.fps * 1000}/{round(base * 1000)}"


@dataclass
class Standing:
    """What is on disk for a request: stage -> finished folder, and what each said of itself."""

    folders: dict[str, Path] = field(default_factory=dict)
    summaries: dict[str, dict[str, Any]] = field(default_factory=dict)
    fault: str = ""  # why nothing could be looked up


def look(request: job.Request) -> Standing:
    """Walk the plan by its addresses: the same question has the same address, so a finished folder there is the answer."""
    standing, addresses = Standing(), {}
    try:
        clip = job.clip_identity(request)
        for stage in request.stages():
            if any(need not in addresses for need in stage.needs):
                continue
            inputs = {name: addresses[name] for name in stage.needs + stage.uses if name in addresses}
            place = job.address(stage, request.options_of(stage), inputs, clip)
            folder = Path(request.store) / stage.name / place
            if (folder / DONE).is_file():
                addresses[stage.name], standing.folders[stage.name] = place, folder
                standing.summaries[stage.name] = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except WrongOption as error:
        standing.fault = str(error)
    except (OSError, ValueError) as error:
        standing.fault = f"The clip or its results cannot be read: {error}"
    return standing


_seen: dict[str, tuple[float, Standing]] = {}
_last: tuple[float, int, str, Standing] = (0.0, 0, "", Standing())  # when, which clip, which scene


def standing_of(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> Standing:
    """The same for buttons: a look at the disk at most once a second."""
    try:
        wanted, every = request_of(clip, scene), request_of(clip, scene, tuple(settings.WANT_LABELS))
    except WrongOption as error:
        return Standing(fault=str(error))
    key, now = wanted.to_json(), time.monotonic()
    known = _seen.get(key)
    if known is None or now - known[0] > _FRESH:
        _seen.clear()  # one clip is looked at; older questions are never asked again
        known = _seen[key] = (now, _joined(look(wanted), look(every)))
    return known[1]


def drawn_standing(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> Standing:
    """The same for panels, a dozen of which ask in every redraw."""
    global _last
    if time.monotonic() - _last[0] > _DRAWN or _last[1:3] != (clip.session_uid, scene.name):
        _last = time.monotonic(), clip.session_uid, scene.name, standing_of(clip, scene)
    return _last[3]


def _joined(wanted: Standing, every: Standing) -> Standing:
    """What is wanted, and beside it what was made when more was wanted."""
    return Standing({**every.folders, **wanted.folders}, {**every.summaries, **wanted.summaries}, wanted.fault or every.fault)


def forget() -> None:
    """The disk has changed."""
    global _last
    _last = (0.0, 0, "", Standing())
    _seen.clear()
