"""The queue: one engine at a time, fed clip by clip; a persistent timer carries its messages to the panels. Imports bpy.

Headless callers use the same jobs and block: see `wait`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..engine.contract import messages
from ..engine.contract.job import Request
from . import preferences, request, versions
from .preview import Shown, read
from .process import Engine

TICK = 0.1  # s between looks at the queue
CALM = 0.25  # s between two drawings of progress: more often tells no more, and drawing is what an artist would feel
STILL = 1.0  # s between two drawings of the footage for its sake, which cost a frame each


@dataclass
class StageState:
    """What the panel shows of one stage: waiting, running, done, failed, skipped or cancelled."""

    status: str = "waiting"
    done: int = 0
    total: int = 0
    note: str = ""
    used: str = ""
    seconds: float = 0.0
    reused: bool = False
    losses: list[float] = field(default_factory=list)  # of a stage that learns, as it told them


@dataclass
class Job:
    """One clip's request on its way through the engine."""

    clip: str  # the clip's name, and its number within this session: a rename or an undo must not lose it
    uid: int
    request: Request
    status: str = "waiting"  # waiting, running, done, failed, cancelled
    overall: float = 0.0
    seconds_left: float | None = None
    device: str = ""
    memory_free: int = 0
    stages: dict[str, StageState] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    failures: list[messages.Failed] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    on_end: Callable[[Job], None] | None = None
    engine: Engine | None = None
    path: Path | None = None
    preview: Shown | None = None  # what the running stage has made last

    def __post_init__(self) -> None:
        self.stages = {stage.name: StageState() for stage in self.request.stages()}

    @property
    def finished(self) -> bool:
        """Nothing more will come."""
        return self.status in ("done", "failed", "cancelled")

    def start(self, python: str | Path) -> None:
        """Write job.json and start the engine."""
        with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="unflatten-", delete=False, encoding="utf-8") as file:
            file.write(self.request.to_json())
        self.path, self.status = Path(file.name), "running"
        self.engine = Engine(python, preferences.ROOT, self.path, behind=not bpy.app.background)

    def step(self) -> bool:
        """Take in what the engine has said; True when something changed."""
        if self.engine is None:
            return False
        heard = self.engine.messages()
        for message in heard:
            self._take(message)
        if self.engine.ended and not self.finished:
            self._end("failed" if self.failures else "done")
        return bool(heard)

    def cancel(self) -> None:
        """Stop it, started or not."""
        if self.engine is not None and not self.finished:
            self.engine.cancel()
        elif not self.finished:
            self._end("cancelled")

    def clip_block(self) -> bpy.types.MovieClip | None:
        """The clip in the file, wherever it went."""
        return next((clip for clip in bpy.data.movieclips if clip.session_uid == self.uid), bpy.data.movieclips.get(self.clip))

    def _take(self, message: Any) -> None:
        kind = type(message).__name__.lower()
        getattr(self, f"_on_{kind}", lambda it: None)(message)

    def _on_started(self, it: messages.Started) -> None:
        self.device, self.memory_free = it.device, it.memory_free

    def _on_progress(self, it: messages.Progress) -> None:
        state = self.stages.setdefault(it.stage, StageState())
        state.status, state.done, state.total, state.note = "running", it.done, it.total, it.note
        self.overall, self.seconds_left = it.overall, it.seconds_left
        if it.loss is not None:
            state.losses.append(it.loss)

    def _on_preview(self, it: messages.Preview) -> None:
        pixels = read(it.path)
        if pixels is not None:
            self.preview = Shown(it.stage, it.frame, self.preview.number + 1 if self.preview else 1, pixels)

    def _on_artifact(self, it: messages.Artifact) -> None:
        state = self.stages.setdefault(it.stage, StageState())
        state.status, state.reused = "done", it.reused
        state.used, state.seconds = str(it.summary.get("used", "")), float(it.summary.get("seconds", 0))
        self.folders[it.stage] = Path(it.path)
        self._remember(it.stage, it.path, state, it.summary)
        request.forget()

    def _on_warning(self, it: messages.Warning) -> None:
        self.warnings.append(it.text)

    def _on_failed(self, it: messages.Failed) -> None:
        self.failures.append(it)
        if it.stage:
            self.stages.setdefault(it.stage, StageState()).status = "failed"

    def _on_skipped(self, it: messages.Skipped) -> None:
        self.stages.setdefault(it.stage, StageState()).status = "skipped"

    def _on_cancelled(self, it: messages.Cancelled) -> None:
        if it.stage in self.stages:
            self.stages[it.stage].status = "cancelled"
        self._end("cancelled")

    def _on_done(self, it: messages.Done) -> None:
        self.overall, self.seconds_left = 1.0, 0.0
        self._end("failed" if it.failed or self.failures else "done")

    def _remember(self, stage: str, path: str, state: StageState, summary: dict[str, Any]) -> None:
        clip = self.clip_block()
        if clip is None:
            return
        memory = clip.unflatten.results.get(stage) or clip.unflatten.results.add()
        memory.name, memory.path, memory.used, memory.seconds = stage, path, state.used, state.seconds
        memory.warnings = "\n".join(map(str, summary.get("warnings", [])))

    def _end(self, status: str) -> None:
        self.status = status
        for state in self.stages.values():
            if state.status == "running":
                state.status = status if status != "done" else "failed"
        if self.path:
            self.path.unlink(missing_ok=True)
        request.forget()
        if self.on_end:
            self.on_end(self)


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
                job._end("failed")
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
