"""The queue: one engine at a time, fed clip by clip; a persistent timer carries its messages to the panels. Imports bpy.

Headless callers use the same jobs and block: see `wait`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import bpy

from ..engine.contract import messages
from . import preferences, request, versions
from .job import Job

TICK = 0.1  # s between looks at the queue
CALM = 0.25  # s between two drawings of progress: more often tells no more, and drawing is what an artist would feel
STILL = 1.0  # s between two drawings of the footage for its sake, which cost a frame each

_queue: list[Job] = []
_last: dict[int, Job] = {}  # clip -> its last job, for the panel
_stale, _drawn_at = False, 0.0  # whether panels show less than is known, and when they were drawn last
_footage_at = 0.0  # and the footage


def make(clip: bpy.types.MovieClip, scene: bpy.types.Scene, wants: tuple[str, ...] = ()) -> Job:
    """A job for the clip with its settings of this moment."""
    if clip.source == "SEQUENCE" and not clip.unflatten.rate:
        clip.unflatten.rate = request.rate_of(scene)  # from here on the scene may change without making results stale
    job = Job(clip.name, clip.session_uid, request.request_of(clip, scene, wants))
    _last[job.uid] = job
    return job


def enqueue(job: Job) -> None:
    """Behind those that wait already."""
    _queue.append(job)
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, persistent=True)
    tick()


def wait(job: Job, python: str | Path, on_step: Callable[[Job], None] = lambda job: None) -> Job:
    """Start the job and block until it has ended."""
    job.start(python)
    try:
        while not job.finished:
            if job.step():
                on_step(job)
            time.sleep(0.02)
    finally:
        if not job.finished and job.engine:
            job.engine.kill()
    return job


def tick() -> float | None:
    """Called by Blender's timer: moves the first job on, starts the next; None ends the timer when nothing is left."""
    changed = False
    if _queue:
        job = _queue[0]
        if job.status == "waiting":
            python = preferences.engine_python()
            changed = True
            if python is None:
                job.failures.append(messages.Failed(
                    "no-engine", "The engine is not set up.", "Its Python was not found.", "Press 'Set up the engine'.",
                ))
                job.end("failed")
            else:
                job.start(python)
        changed = job.step() or changed
        if job.finished:
            _queue.remove(job)
            changed = True
    _show(changed)
    return TICK if _queue else None


def _show(changed: bool) -> None:
    """Draw what has changed, now or soon."""
    global _stale, _drawn_at, _footage_at
    _stale, now = _stale or changed, time.monotonic()
    if _stale and (not _queue or now - _drawn_at > CALM):
        footage = not _queue or now - _footage_at > STILL
        _stale, _drawn_at, _footage_at = False, now, now if footage else _footage_at
        redraw(footage)


def of(clip: bpy.types.MovieClip) -> Job | None:
    """The clip's last job, running or not."""
    return _last.get(clip.session_uid)


def running() -> Job | None:
    """The job that the engine works on."""
    return next((job for job in _queue if job.status == "running"), None)


def waiting() -> list[Job]:
    """Those behind it."""
    return [job for job in _queue if job.status == "waiting"]


def redraw(footage: bool = False) -> None:
    """Let everything that shows a job draw itself again; the footage only where it shows something new, for that costs a frame."""
    for window in bpy.context.window_manager.windows:
        versions.refresh_status_bar(window)
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
            elif area.type == "CLIP_EDITOR":
                for region in area.regions:
                    if footage or region.type == "UI":
                        region.tag_redraw()


def register() -> None:
    """Nothing runs yet."""


def unregister() -> None:
    """Stop everything: a switched-off add-on leaves no process and no timer."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    for job in [*_queue]:
        job.on_end = None
        if job.engine:
            job.engine.kill()
        if job.path:
            job.path.unlink(missing_ok=True)
    _queue.clear()
    _last.clear()
