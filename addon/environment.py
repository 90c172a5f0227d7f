"""Makes, proves, repairs and removes the engine's own Python; standard library only: no bpy, no engine, no other file of the add-on.

build.py loads this file by its path, the add-on imports it: both make the same environment in the same way.

    folder/                 a virtual environment
    folder/unflatten.json   written last: which lock it holds. Without it the folder counts as unfinished
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

STAMP = "unflatten.json"
OLDEST = (3, 11)
NEWEST = (3, 13)
PIP = "pip>=25.1,<27"  # tells its progress in plain lines and goes on with a broken download
_STRAY = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "__PYVENV_LAUNCHER__")

Line = Callable[[str], None]


class EnvironmentFailure(Exception):
    """The environment could not be made or proven: what happened, why, and what to do, one sentence each."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(f"{what} {why} {remedy}")
        self.what, self.why, self.remedy = what, why, remedy


class Cancelled(Exception):
    """The user stopped the set-up; what was downloaded is kept for the next try."""


def python_of(folder: Path) -> Path:
    """The Python of the environment in `folder`, whether it stands or not."""
    return Path(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def stamp(lock: Path) -> str:
    """What identifies a lock: another text is another environment."""
    return hashlib.blake2b(Path(lock).read_bytes(), digest_size=12).hexdigest()


def is_ready(folder: Path, lock: Path) -> bool:
    """Whether `folder` holds a finished environment of exactly this lock whose Python still starts from where it lies."""
    try:
        note = json.loads((Path(folder) / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # A moved folder has scripts and paths that point to where it was.
    return note.get("lock") == stamp(lock) and note.get("folder") == str(Path(folder).resolve()) and python_of(folder).exists()


def make(
    folder: Path, lock: Path, on_line: Line = print, *, python: str | Path | None = None, kit: Path | None = None,
    downloads: Path | None = None, on_progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """The Python of an environment that holds exactly what `lock` names; instant where it already stands.

    `kit` is a folder of wheels for machines without network; `downloads` keeps what was fetched, so that a broken
    set-up goes on where it stopped, and is removed at the end; on_progress receives bytes of the running download.
    """
    folder, lock = Path(folder).absolute(), Path(lock).absolute()
    target = python_of(folder)
    if is_ready(folder, lock):
        return target
    _check_kit(kit, lock)
    (folder / STAMP).unlink(missing_ok=True)
    base = str(python) if python else find_python()
    if not _starts(target) or _version(target) != _version(base):
        remove(folder)
        _make_bare(base, folder, on_line, cancelled)
    source = ["--no-index", "--find-links", str(kit)] if kit else []
    keep = ["--cache-dir", str(downloads)] if downloads else []
    install = [str(target), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-warn-script-location", *source, *keep]
    if not kit:
        run([*install, PIP], on_line, cancelled, "The package installer could not be brought up to date.")
    raw = [] if kit else ["--progress-bar", "raw"]
    take = split_progress(on_line, on_progress)
    first = _first(lock)
    if first and not kit:
        run([*install, *raw, "--retries", "1", "--no-deps", *first], take, cancelled, "The engine's packages could not be installed.")
    run([*install, *raw, "-r", str(lock)], take, cancelled, "The engine's packages could not be installed.")
    note = {"lock": stamp(lock), "name": lock.name, "python": _version(target), "folder": str(folder.resolve())}
    (folder / STAMP).write_text(json.dumps(note, indent=1), encoding="utf-8")
    if downloads:
        shutil.rmtree(downloads, ignore_errors=True)
    return target


def repair(folder: Path, lock: Path, on_line: Line = print, **how: Any) -> Path:
    """The environment made anew, whatever state it was in."""
    remove(folder)
    return make(folder, lock, on_line, **how)


def remove(folder: Path) -> None:
    """Delete the environment; refuses a folder that is none."""
    folder = Path(folder)
    if not folder.exists():
        return
    if any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        raise EnvironmentFailure(f"{folder} was left as it is.", "It holds something else than an engine.", "Choose an empty folder.")
    shutil.rmtree(folder)


def move(folder: Path, target: Path) -> Path:
    """Take an environment to another place, on another drive too; gives back its Python there."""
    folder, target = Path(folder).absolute(), Path(target).absolute()
    if target.exists() and any(target.iterdir()):
        raise EnvironmentFailure("The engine was not moved.", f"{target} is not empty.", "Choose an empty folder.")
    if not (folder / STAMP).is_file():
        raise EnvironmentFailure("The engine was not moved.", f"There is no finished engine in {folder}.", "Set it up first.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rmdir()
    note = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    (folder / STAMP).unlink()  # half a move is no engine, at neither place
    shutil.move(folder, target)
    # Only `python -m` is ever called: the scripts, whose first lines name the old place, are not.
    (target / STAMP).write_text(json.dumps({**note, "folder": str(target.resolve())}, indent=1), encoding="utf-8")
    return python_of(target)


def fill_kit(python: str | Path, lock: Path, kit: Path, on_line: Line = print, source: tuple[str, ...] = ()) -> None:
    """Fetch everything that `lock` names for machines like this one into the folder `kit`, with the lock itself beside it.

    `source`: further arguments for pip, such as another index. Run again, it goes on where it stopped.
    """
    lock, kit = Path(lock).absolute(), Path(kit).absolute()
    kit.mkdir(parents=True, exist_ok=True)
    fetch = [str(python), "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    fetch += ["--dest", str(kit), "--find-links", str(kit), *source]
    first, failed = _first(lock), "The kit could not be filled."
    if first:
        run([*fetch, "--no-deps", *first], on_line, lambda: False, failed)
    run([*fetch, "-r", str(lock)], on_line, lambda: False, failed)
    shutil.copyfile(lock, kit / lock.name)  # last: what it stands beside is whole


def lock_of_kit(kit: Path, locks: Path) -> Path | None:
    """The lock of this release that a kit was filled for, or None."""
    return next((lock for lock in sorted(Path(locks).glob("*.txt")) if _same(kit, lock)), None)


def verify(python: str | Path, root: Path) -> dict[str, Any]:
    """Run `python -m engine check --json` in `root` (the folder that holds engine/) and give back what it measured."""
    done = subprocess.run(
        [str(python), "-m", "engine", "check", "--json"], cwd=root, env=clean_environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=600, **hidden(),
    )
    said = ([entry for entry in map(_object, done.stdout.splitlines()) if entry] or [_object(done.stdout) or {}])[-1]
    if done.returncode != 0 or not said or said.get("ok") is False:
        missing = "; ".join(f"{name}: {reason}" for name, reason in said.get("missing", {}).items())
        why = missing or said.get("why") or (done.stderr.strip().splitlines() or ["It said nothing."])[-1]
        raise EnvironmentFailure("The engine does not run.", str(why), "Repair the engine in the add-on's preferences, or run `build.py env`.")
    return said


def choose(locks: Path) -> tuple[Path, str]:
    """The lock for this machine and the reason in one sentence."""
    locks = Path(locks)
    card = _graphics_card()
    if card and (locks / "cuda.txt").exists():
        return locks / "cuda.txt", f"CUDA, because this machine has {card}."
    if card:
        return locks / "cpu.txt", f"CPU: this machine has {card}, but this release carries no CUDA engine."
    return locks / "cpu.txt", "CPU, because no NVIDIA graphics card answers here."


def size_of(lock: Path) -> str:
    """What a lock says of its size in a comment `# size: 1.6 GB installed, 0.5 GB download`; empty where it says nothing."""
    found = re.search(r"^#\s*size:\s*(.+)$", Path(lock).read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1).strip() if found else ""


def _same(kit: Path, lock: Path) -> bool:
    twin = Path(kit) / Path(lock).name
    return twin.is_file() and stamp(twin) == stamp(lock)


def _check_kit(kit: Path | None, lock: Path) -> None:
    if kit is not None and not _same(kit, lock):
        raise EnvironmentFailure(
            "The offline kit cannot be used.", f"{kit} was not filled for this release's {Path(lock).name}.",
            "Make a kit with `build.py kit` of this very release, on a machine of the same kind.",
        )


def _first(lock: Path) -> list[str]:
    """Arguments of a line `# first on linux: torch==… --extra-index-url …`: what must come from another place than the rest."""
    found = re.search(r"^#\s*first on (\w+):\s*(.+)$", Path(lock).read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(2).split() if found and sys.platform == found.group(1) else []


def find_python() -> str:
    """A Python that can carry the engine: this one (Blender's own is good), else one of the system."""
    names = [sys.executable, *(f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)), "python3", "python"]
    for name in filter(None, names):
        path = shutil.which(name)
        if path and OLDEST <= _parsed(_version(path)) <= NEWEST:
            return path
    raise EnvironmentFailure(
        "No Python for the engine was found.", f"It needs Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}.",
        "Install one from python.org, or choose it in the add-on's preferences.",
    )


def clean_environment() -> dict[str, str]:
    """The environment variables of a child that must not inherit another Python's."""
    kept = {name: value for name, value in os.environ.items() if name not in _STRAY}
    return {**kept, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def hidden() -> dict[str, Any]:
    """Popen arguments that keep Windows from opening a console."""
    return {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}


def _make_bare(base: str, folder: Path, on_line: Line, cancelled: Callable[[], bool]) -> None:
    """An environment with pip and nothing else."""
    if OLDEST > _parsed(_version(base)):
        raise EnvironmentFailure(
            f"{base} cannot carry the engine.", f"It is Python {_version(base) or 'unknown'}; {OLDEST[0]}.{OLDEST[1]} is the oldest that can.",
            "Choose another Python in the add-on's preferences.",
        )
    on_line(f"Making {folder} with Python {_version(base)}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if subprocess.run([base, "-c", "import ensurepip, venv"], capture_output=True, env=clean_environment(), **hidden()).returncode == 0:
        run([base, "-m", "venv", str(folder)], on_line, cancelled, "The environment could not be made.")
        return
    # Debian's own Python comes without ensurepip; its pip can still fill an environment.
    on_line("This Python has no ensurepip; its own pip fills the environment.")
    remedy = "Install the packages python3-venv and python3-pip, then run again."
    run([base, "-m", "venv", "--without-pip", str(folder)], on_line, cancelled, "The environment could not be made.", remedy)
    run([base, "-m", "pip", "--python", str(python_of(folder)), "install", PIP], on_line, cancelled, "There is no pip for the environment.", remedy)


def run(command: list[str], on_line: Line, cancelled: Callable[[], bool], what: str, remedy: str = "", root: Path | None = None) -> None:
    """Run to the end, line by line; EnvironmentFailure with the line that tells most when it fails."""
    child = subprocess.Popen(
        command, cwd=root, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, encoding="utf-8", errors="replace", **hidden(),
    )
    tail: list[str] = []
    try:
        for line in _lines(child, cancelled):
            on_line(line)
            if not line.startswith("Progress "):
                tail = [*tail[-40:], line]
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
    if child.returncode != 0:
        usual = "Check the connection and the free space, then press the button again: it goes on where it stopped."
        raise EnvironmentFailure(what, _telling(tail), remedy or usual)


def _lines(child: subprocess.Popen[str], cancelled: Callable[[], bool]) -> Iterator[str]:
    """The child's lines; a thread reads them, so that a silent child can be cancelled too."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            lines.put(line.rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        if cancelled():
            raise Cancelled
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        if line is None:
            return
        if line:
            yield line


def split_progress(on_line: Line, on_progress: Callable[[int, int], None]) -> Line:
    """pip's `Progress 5 of 10` goes to on_progress, the rest to on_line."""
    def take(line: str) -> None:
        found = re.fullmatch(r"Progress (\d+) of (\d+)", line)
        if found:
            on_progress(int(found.group(1)), int(found.group(2)))
        else:
            on_line(line)

    return take


def _telling(tail: list[str]) -> str:
    errors = [line for line in tail if "error" in line.lower()]
    return (errors or tail or ["It said nothing."])[-1].strip()


def _starts(python: Path) -> bool:
    return python.exists() and bool(_version(python))


def _version(python: str | Path) -> str:
    """'3.11', or '' where it does not start."""
    try:
        asked = subprocess.run(
            [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True,
            timeout=60, env=clean_environment(), **hidden(),
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")) if version else (0,)


def _object(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _graphics_card() -> str:
    """The name of an NVIDIA card whose driver answers, or ''."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return ""
    try:
        asked = subprocess.run([tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=20, **hidden())
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip().splitlines()[0] if asked.returncode == 0 and asked.stdout.strip() else ""
