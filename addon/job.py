"""One clip's request on its way through the engine: what its messages tell, as the panels show it. Imports bpy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..engine.contract import messages
from ..engine.contract.job import Request
from . import preferences, request
from .preview import Shown, read
from .process import Engine


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
            self.end("failed" if self.failures else "done")
        return bool(heard)

    def cancel(self) -> None:
        """Stop it, started or not."""
        if self.engine is not None and not self.finished:
            self.engine.cancel()
        elif not self.finished:
            self.end("cancelled")

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
        self.end("cancelled")

    def _on_done(self, it: messages.Done) -> None:
        self.overall, self.seconds_left = 1.0, 0.0
        self.end("failed" if it.failed or self.failures else "done")

    def _remember(self, stage: str, path: str, state: StageState, summary: dict[str, Any]) -> None:
        clip = self.clip_block()
        if clip is None:
            return
        memory = clip.unflatten.results.get(stage) or clip.unflatten.results.add()
        memory.name, memory.path, memory.used, memory.seconds = stage, path, state.used, state.seconds
        memory.warnings = "\n".join(map(str, summary.get("warnings", [])))

    def end(self, status: str) -> None:
        """Nothing more will come: done, failed or cancelled."""
        self.status = status
        for state in self.stages.values():
            if state.status == "running":
                state.status = status if status != "done" else "failed"
        if self.path:
            self.path.unlink(missing_ok=True)
        request.forget()
        if self.on_end:
            self.on_end(self)
