"""The contract's request: one clip, what is wanted of it, and the address of each result; standard library only."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import sequence
from .option import Option, WrongOption, build, describe
from .places import installed
from .stages import BY_NAME, STAGES, WANTS, Stage, plan

_SAMPLE = 1 << 20  # bytes hashed at each end of a large file


@dataclass(frozen=True)
class Request:
    """What job.json holds. Empty `out` leaves the results in the store alone."""

    clip: str
    wants: tuple[str, ...]
    store: str
    out: str = ""
    first: int | None = None  # frame numbers of the clip, both included
    last: int | None = None
    step: int = 1
    device: str = "auto"
    fps: str = ""  # for image sequences, which carry none: '24' or '24000/1001'
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for want in self.wants:
            if want not in WANTS:
                raise WrongOption(f"'{want}' cannot be made; choose among: {', '.join(WANTS)}.")
        for stage in self.options:
            if stage not in BY_NAME:
                raise WrongOption(f"There is no stage '{stage}'; known: {', '.join(BY_NAME)}.")
        if self.step < 1:
            raise WrongOption(f"The frame step must be 1 or more, not {self.step}.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise WrongOption(f"The device is auto, cpu or cuda, not '{self.device}'.")

    def stages(self) -> tuple[Stage, ...]:
        """The plan, in order. Where a camera is found anyway, it tells what moves before that is cut out."""
        found, mattes = plan(self.wants), self.options.get("mattes", {}).get("method", "motion")
        if mattes != "motion" or not {"orient", "mattes"} <= {stage.name for stage in found}:
            return found
        return tuple(stage for stage in STAGES if stage in found or stage.name == "scene_movers")

    def options_of(self, stage: Stage) -> Any:
        """The stage's options as its frozen dataclass, checked."""
        return build(stage.options, self.options.get(stage.name, {}))

    def to_json(self) -> str:
        """The text of job.json."""
        return json.dumps(asdict(self), indent=1)


def from_json(text: str) -> Request:
    """The request of a job.json, or WrongOption with one sentence."""
    try:
        content = json.loads(text)
        return Request(**{**content, "wants": tuple(content["wants"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, WrongOption):
            raise
        raise WrongOption(f"This is not a job that this engine can read: {error}.") from None


def fingerprint(path: str) -> str:
    """What identifies a file, a folder or an image sequence without reading all of it: names, sizes, times, head and tail."""
    digest = hashlib.blake2b(digest_size=16)
    if not path:
        return ""
    files = _files(Path(path))
    whole = len(files) == 1
    for entry in files:
        about = entry.stat()
        digest.update(f"{entry.name} {about.st_size} {about.st_mtime_ns}\n".encode())
        if whole:
            digest.update(_ends(entry, about.st_size))
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    found = sequence.find(path)
    if found is not None:
        return [entry for _, entry in sorted(found.files.items())]
    if not path.is_dir():
        return [path]
    return sequence.films(path) or sorted(entry for entry in path.iterdir() if entry.is_file())


def _ends(path: Path, size: int) -> bytes:
    with open(path, "rb") as file:
        head = file.read(_SAMPLE)
        file.seek(max(0, size - _SAMPLE), os.SEEK_SET)
        return head + file.read(_SAMPLE)


def _content(about: Option, options: Any) -> Any:
    """An option's value as it counts for an address: what lies in a file or a folder and all within, not where that is."""
    value = getattr(options, about.name)
    if about.kind not in ("file", "folder"):
        return value
    path = value or installed(about.stands_for(options))
    if path and not os.path.exists(path):
        raise WrongOption(f"{about.label}: there is nothing at {path}.")
    if about.kind == "file" or not path:
        return fingerprint(path)
    entries = sorted((entry, entry.stat()) for entry in Path(path).rglob("*") if entry.is_file())
    return [f"{entry.relative_to(path).as_posix()} {of.st_size} {of.st_mtime_ns}" for entry, of in entries]


def clip_identity(request: Request) -> str:
    """The first link of every address: the clip and the frames taken of it."""
    frames = f"{request.first} {request.last} {request.step} {request.fps}"
    return f"{fingerprint(request.clip)} {frames}"


def address(stage: Stage, options: Any, inputs: dict[str, str], clip: str) -> str:
    """Where a result belongs: the same question always has the same address.

    `inputs` holds the addresses of what the stage reads; `clip` (see clip_identity) counts for stages that read nothing else.
    """
    knobs = {
        about.name: _content(about, options) for about in describe(stage.options) if about.counts(options)
    }
    question = {"stage": stage.name, "version": stage.version, "options": knobs, "inputs": inputs}
    if not stage.needs:
        question["clip"] = clip
    text = json.dumps(question, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


__all__ = ["STAGES", "Request", "address", "clip_identity", "fingerprint", "from_json"]
