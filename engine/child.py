"""Work in a process of its own, so that a library that aborts takes only itself down.

A child is a module with `main(folder)`: it reads what the parent laid into the folder and writes its answer there.
It dies with its parent: the parent holds its stdin, and end of stdin means that the parent is gone.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Callable

from .failures import ChildFailure

ROOT = Path(__file__).resolve().parent.parent
_running: list[subprocess.Popen[str]] = []


def run(module: str, folder: Path, on_line: Callable[[str], None] = lambda line: None) -> None:
    """Run `module.main(folder)` in a child and wait; each line it prints reaches on_line. ChildFailure when it dies."""
    log = folder / "child.log"
    with open(log, "wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "engine.child", module, str(folder)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8", errors="replace",
        )
    _running.append(child)
    try:
        assert child.stdout is not None
        for line in child.stdout:
            on_line(line.rstrip("\n"))
        status = child.wait()
    finally:
        _running.remove(child)
        child.kill()
    if status != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise ChildFailure(
            "child-died", f"The process that runs {module.rsplit('.', 1)[-1]} ended early (status {status}).",
            f"Its last words: {tail[0]}", "Run again with a smaller size or fewer tracks; if it stays, send the log with a report.",
        )


def kill_all() -> None:
    """End every child at once; called before the engine itself ends."""
    for child in list(_running):
        child.kill()


def _watch_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    threading.Thread(target=_watch_parent, daemon=True).start()
    try:
        importlib.import_module(sys.argv[1]).main(Path(sys.argv[2]))
        sys.stdout.flush()
        os._exit(0)  # some libraries hang or crash in their own tear-down
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
