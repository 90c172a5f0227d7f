"""What a stage is given: its inputs, and the ear it reports to. A stage is one function run(inputs, options, report, room)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from .contract import messages
from .contract.job import Request


@dataclass(frozen=True)
class Inputs:
    """The finished folders that a stage reads, by stage name, and the request they belong to."""

    request: Request
    folders: dict[str, Path]

    def __getitem__(self, stage: str) -> Path:
        return self.folders[stage]

    def get(self, stage: str) -> Path | None:
        """The folder of a stage in `uses`, or None where it is not part of this job."""
        return self.folders.get(stage)

    @property
    def device(self) -> Any:
        """The torch device of this job."""
        from . import device

        return device.pick(self.request.device)


@dataclass
class Report:
    """A stage's voice. What it says of itself ends up in done.json and in summary.json."""

    stage: str
    say: Callable[[Any], None]
    on_progress: Callable[[int, int, str, float | None], None]
    on_preview: Callable[[Path], Path | None] | None = None  # makes a small picture of a file; without it the file itself is told
    used: str = ""  # one line: which method did the work
    figures: dict[str, Any] = field(default_factory=dict)  # measured facts, JSON
    warnings: list[str] = field(default_factory=list)

    def progress(self, done: int, total: int, note: str = "", loss: float | None = None) -> None:
        """Step `done` of `total` is finished; `loss` of a stage that learns."""
        self.on_progress(done, total, note, loss)

    def preview(self, frame: int, path: Path) -> None:
        """A picture worth showing while the stage runs; most stages need not: what they write is looked at by itself."""
        shown = self.on_preview(path) if self.on_preview else path
        if shown is not None:
            self.say(messages.Preview(self.stage, frame, str(shown)))

    def warning(self, text: str) -> None:
        """Something the user should know; kept with the result."""
        self.warnings.append(text)
        self.say(messages.Warning(text, self.stage))
