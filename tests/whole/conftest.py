"""A tiny shot with truth, and the engine as users start it: by its command line, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Engine:
    """`python -m engine` with a store of its own; `said` holds the messages of the last run."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.said: list[dict] = []

    def command(self, *arguments: object) -> list[str]:
        """The command line, with the store."""
        return [sys.executable, "-m", "engine", *map(str, arguments), "--store", str(self.store), "--json"]

    def start(self, *arguments: object, **more) -> subprocess.Popen:
        """Start and do not wait."""
        return subprocess.Popen(
            self.command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            stdin=more.pop("stdin", subprocess.DEVNULL), env={**os.environ, "PYTHONUNBUFFERED": "1"}, **more,
        )

    def __call__(self, *arguments: object) -> int:
        """Run to the end; the exit status."""
        process = self.start(*arguments)
        out, self.err = process.communicate()
        self.said = [json.loads(line) for line in out.splitlines()]
        return process.returncode

    def of(self, kind: str) -> list[dict]:
        """The messages of one type."""
        return [message for message in self.said if message["type"] == kind]

    def folder(self, stage: str) -> Path:
        """Where a stage's result lies."""
        return next(Path(message["path"]) for message in self.of("artifact") if message["stage"] == stage)


@pytest.fixture
def engine(tmp_path) -> Engine:
    return Engine(tmp_path / "store")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A synthetic orbit with a moving figure, 320x180, 16 frames, as a video file."""
    from engine.synth.files import write_clip
    from engine.synth.shots import render

    path = tmp_path_factory.mktemp("tiny") / "clip.mp4"
    write_clip(render("orbit", 16, (320, 180)), path)
    return path
