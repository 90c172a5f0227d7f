"""The runner: walks the plan of a request, stage by stage, and lets the store remember. Knows no stage by name."""

from __future__ import annotations

import importlib
import time
import traceback
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import failures
from .contract import messages
from .contract.job import Request, address, clip_identity
from .contract.option import WrongOption
from .contract.stages import Stage
from .failures import Failure, RequestFailure
from .previews import Previews
from .say import Say
from .stage import Inputs, Report
from .store import Store


class Run:
    """One request on its way. After `go`, `results` maps stage -> summary and `failed` stage -> Failure."""

    def __init__(self, request: Request, say: Say, previews: Previews | None = None) -> None:
        self.request, self.say, self.store, self.previews = request, say, Store(Path(request.store)), previews
        self.plan = request.stages()
        self.current = ""
        self.addresses: dict[str, str] = {}
        self.folders: dict[str, Path] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, Failure] = {}
        self.skipped: dict[str, str] = {}
        self._progress = _Overall(self.plan, say)

    def go(self) -> None:
        """Make or reuse each stage of the plan; a failure ends only what depends on it."""
        clip = self._identify()
        if clip is None:
            return
        for stage in self.plan:
            self.current = stage.name
            lost = next((need for need in stage.needs if need not in self.folders), None)
            if lost is not None:
                self.skipped[stage.name] = self.skipped.get(lost, lost)
                self.say(messages.Skipped(stage.name, self.skipped[stage.name]))
            else:
                self._take(stage, clip)
            self._progress.finish(stage)
        self.current = ""

    def _identify(self) -> str | None:
        try:
            for stage in self.plan:
                self.request.options_of(stage)
            return clip_identity(self.request)
        except WrongOption as error:
            self.fail("", RequestFailure("wrong-option", "The request cannot be carried out.", str(error), "Correct the option."))
        except OSError:
            self.fail("frames", failures.ClipFailure(
                "clip-missing", "The clip cannot be opened.", f"There is no readable file or folder at {self.request.clip}.",
                "Check the path; relink the clip in Blender if it has moved.",
            ))
        return None

    def _take(self, stage: Stage, clip: str) -> None:
        inputs = [name for name in stage.needs + stage.uses if name in self.folders]
        try:
            options = self.request.options_of(stage)
            place = address(stage, options, {name: self.addresses[name] for name in inputs}, clip)
            folder = self.store.find(stage.name, place)
            reused = folder is not None
            if folder is None:
                folder = self._make(stage, options, place, inputs)
        except WrongOption as error:
            self.fail(stage.name, RequestFailure("wrong-option", "The request cannot be carried out.", str(error), "Correct the option."))
            return
        except Exception as error:
            self.fail(stage.name, failures.of_exception(error, self._log(error), self.store.root))
            return
        self.addresses[stage.name], self.folders[stage.name] = place, folder
        self.results[stage.name] = {**self.store.summary(stage.name, place), "address": place, "reused": reused}
        self.say(messages.Artifact(stage.name, str(folder), reused, self.results[stage.name]))

    def _make(self, stage: Stage, options: Any, place: str, inputs: list[str]) -> Path:
        began = time.monotonic()
        report = Report(stage.name, self.say, self._progress.of(stage))
        report.progress(0, 1)
        with self.store.room(stage.name, place) as room:
            made_meanwhile = self.store.find(stage.name, place)  # another process held the room until now
            if made_meanwhile is not None:
                return made_meanwhile
            work = importlib.import_module(f"{__package__}.stages.{stage.name}")
            with self._watched(report, room):
                work.run(Inputs(self.request, {name: self.folders[name] for name in inputs}), options, report, room)
            seconds = round(time.monotonic() - began, 2)
            return self.store.finish(stage.name, place, {
                "stage": stage.name, "used": report.used, "seconds": seconds, "figures": report.figures,
                "warnings": report.warnings, "options": asdict(options),
            })

    def _watched(self, report: Report, room: Path) -> AbstractContextManager[None]:
        """Previews of the stage while it works, where somebody looks."""
        shown = self.previews
        if shown is None:
            return nullcontext()
        report.on_preview = lambda path: shown.path if shown.show(path) else None
        return shown.watching(room, lambda frame, path: self.say(messages.Preview(report.stage, frame, str(path))))

    def fail(self, stage: str, failure: Failure) -> None:
        """Remember and say what could not be done."""
        self.failed[stage or "request"] = failure
        self.say(messages.Failed(
            failure.code, failure.what, failure.why, failure.remedy, stage, failure.change, failure.log, failure.network,
        ))

    @property
    def log(self) -> Path:
        """Where tracebacks go."""
        return self.store.root / "engine.log"

    def _log(self, error: Exception) -> str:
        try:
            self.store.root.mkdir(parents=True, exist_ok=True)
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {self.request.clip}\n{''.join(traceback.format_exception(error))}\n")
        except OSError:
            pass  # a full or read-only disk is what the failure itself will say
        return str(self.log)


class _Overall:
    """Turns the progress of one stage into that of the whole plan, with an estimate of what is left."""

    def __init__(self, plan: tuple[Stage, ...], say: Say) -> None:
        self._say, self._total = say, sum(stage.weight for stage in plan) or 1.0
        self._behind, self._worked, self._since = 0.0, 0.0, time.monotonic()
        self._reported = 0.0

    def of(self, stage: Stage) -> Any:
        """The on_progress of a stage's report."""
        began = time.monotonic()

        def on_progress(done: int, total: int, note: str, loss: float | None) -> None:
            now = time.monotonic()
            if now - self._reported < 0.1 and 0 < done < total:
                return
            self._reported = now
            part = stage.weight * min(1.0, done / max(1, total))
            worked, spent = self._worked + part, now - self._since
            ahead = self._total - self._behind - part
            left = spent * ahead / worked if worked > 0 and now - began > 1.0 else None
            self._say(messages.Progress(stage.name, done, total, (self._behind + part) / self._total, left, note, loss))
            if done >= total:
                self._worked += stage.weight

        return on_progress

    def finish(self, stage: Stage) -> None:
        """The stage is behind us, made, reused or lost."""
        self._behind += stage.weight
