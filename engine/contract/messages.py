"""The contract's vocabulary: everything that the engine may say, one JSON line each; standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Started:
    """Always first. `contract` is compared before anything else is believed."""

    contract: int
    engine: str
    device: str
    memory_free: int  # bytes


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of a stage; `overall` 0..1 over the whole job; seconds_left is None while unknown.

    `loss` is what a stage that learns makes small, None for all others: unitless, to be compared within one stage alone.
    """

    stage: str
    done: int
    total: int
    overall: float
    seconds_left: float | None = None
    note: str = ""
    loss: float | None = None


@dataclass(frozen=True)
class Preview:
    """What the running stage sees at a frame: a small PPM picture (P6, 8 bit) that the next one replaces; it goes when the job ends."""

    stage: str
    frame: int
    path: str


@dataclass(frozen=True)
class Artifact:
    """A stage's result stands at `path`, new or reused; summary says what was used, seconds, figures, warnings."""

    stage: str
    path: str
    reused: bool
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Warning:
    """Something the user should know that did not stop the work."""

    text: str
    stage: str = ""


@dataclass(frozen=True)
class Failed:
    """A stage cannot give its result. `remedy` is a sentence, `change` {stage: {option: value}} or empty, `log` a file that tells more or empty.

    `network` is the pretrained network that is missing, by its name in weights.toml, or empty.
    """

    code: str
    what: str
    why: str
    remedy: str
    stage: str = ""
    change: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: str = ""
    network: str = ""


@dataclass(frozen=True)
class Skipped:
    """A stage that was not tried because one that it needs failed."""

    stage: str
    because: str


@dataclass(frozen=True)
class Heartbeat:
    """The engine lives; every two seconds."""


@dataclass(frozen=True)
class Cancelled:
    """The user stopped the work in this stage. Always last."""

    stage: str = ""


@dataclass(frozen=True)
class Done:
    """All that could be made is made; `failed` names the stages that could not. Always last."""

    failed: list[str] = field(default_factory=list)


MESSAGES = (Started, Progress, Preview, Artifact, Warning, Failed, Skipped, Heartbeat, Cancelled, Done)
_BY_TYPE = {message.__name__.lower(): message for message in MESSAGES}


def to_line(message: Any) -> str:
    """One line of ASCII JSON, without the line end."""
    return json.dumps({"type": type(message).__name__.lower(), **asdict(message)})


def from_line(line: str) -> Any | None:
    """The message of a line, or None for a line that is none (a stray print, a newer engine's word)."""
    try:
        content = json.loads(line)
        kind = _BY_TYPE[content.pop("type")]
        return kind(**content)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
