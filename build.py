#!/usr/bin/env python3
"""The one door: demo · test · package · kit · env · bench · sample. Standard library only."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from engine import terminal
from engine.contract import messages

HERE = Path(__file__).resolve().parent
ENGINE, BLENDER = HERE / ".venv", HERE / ".venv-blender"
LOCKS, TEST_LOCKS = HERE / "engine" / "locks", HERE / "tests" / "locks"
SAMPLE = HERE / "sample" / "sample.mp4"
BLENDERS = (("4.2", 11, "blender-4.2.txt"), ("4.5", 11, "blender-4.5.txt"), ("5.0", 11, "blender.txt"), ("5.2", 13, "blender.txt"))  # series, Python, lock
QUICK = ("camera", "depth", "mattes", "native", "operators", "rigs", "round_trip", "settings", "slow")  # of tests/addon: what differs between Blenders
SUITES = ("trixie", "sid")  # of Debian, whose Blenders tests/gui/debian.py lays out
IN_BLENDER = ("importing", "playing", "rigs")  # benches that run inside Blender


def load_environment() -> Any:
    """addon/environment.py by its path: the same code that sets the engine up inside Blender."""
    spec = importlib.util.spec_from_file_location("environment", HERE / "addon" / "environment.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["environment"] = module
    spec.loader.exec_module(module)
    return module


environment = load_environment()


def engine_python(given: argparse.Namespace, tests: bool = False) -> Path:
    """The engine's Python, made where it is missing; with what the tests need on request."""
    lock, why = environment.choose(LOCKS)
    if getattr(given, "cpu", False) or getattr(given, "cuda", False):
        lock, why = LOCKS / ("cuda.txt" if given.cuda else "cpu.txt"), "as asked"
    if not environment.is_ready(ENGINE, lock):
        print(f"Engine: {lock.name}: {why} {environment.size_of(lock)}", flush=True)
    python = environment.make(ENGINE, lock, _say)
    if tests:
        _add(python, TEST_LOCKS / "tests.txt")
    return python


def _add(python: Path, lock: Path) -> None:
    """Install a further lock once; a stamp beside the environment remembers its text."""
    stamp = python.parent.parent / f"{lock.stem}.stamp"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock.read_text(encoding="utf-8"):
        return
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(lock)])
    shutil.copyfile(lock, stamp)


def blender_python() -> list[str] | None:
    """The command that runs a script inside Blender: the `bpy` module, else a real Blender; None with the way to get one."""
    try:
        python = environment.make(BLENDER, TEST_LOCKS / "blender.txt", _say)
        probe = subprocess.run([str(python), "-c", "import bpy"], capture_output=True)
        if probe.returncode == 0:
            return [str(python)]
    except environment.EnvironmentFailure as failure:
        print(f"  bpy: {failure}")
    found = shutil.which("blender")
    if found:
        return [found, "-b", "--factory-startup", "--python-exit-code", "1", "-P"]
    print("Blender's part is left out: `pip install bpy` needs Python 3.11 or 3.13; or put Blender 4.2 or later on the path.")
    return None


def _say(line: str) -> None:
    if not line.startswith(("Requirement already", "Looking in", "Using cached", "Processing ", "  Downloading", "Downloading")):
        print(f"  {line[:160]}", flush=True)


def run(command: list[str], **more: Any) -> None:
    """Run a command in the repository; the build ends with its status when it fails."""
    status = subprocess.run(command, cwd=HERE, **more).returncode
    if status != 0:
        sys.exit(status if status > 0 else 1)


def env(given: argparse.Namespace) -> None:
    """Make the environments, and prove the engine."""
    python = engine_python(given)
    answer = environment.verify(python, HERE)
    print(f"The engine stands in {ENGINE} ({answer.get('device')}).")
    blender = blender_python()
    print(f"Blender: {' '.join(blender) if blender else 'none'}")


def demo(given: argparse.Namespace) -> None:
    """One clip becomes a Blender scene, with stills, a short film and a contact sheet."""
    python = engine_python(given)
    blender = blender_python()
    clip = Path(given.clip or SAMPLE).resolve()
    out = Path(given.out or HERE / "demo").resolve()
    began = time.monotonic()
    status = run_engine(python, [
        str(clip), "--want", "camera,depth,mattes,slowmo,cloud", "--size", str(given.size),
        "--out", str(out / "results"), "--store", str(out / "store"),
    ])
    if blender:
        make_scene(blender, out)
    run([str(python), str(HERE / "tests" / "demo" / "contact_sheet.py"), str(out)])
    print(f"{time.monotonic() - began:.0f} s. Results: {out}")
    sys.exit(status)


def make_scene(blender: list[str], out: Path) -> None:
    """scene.blend, stills and film by Blender, whose many words go to blender.log."""
    began, log = time.monotonic(), out / "blender.log"
    with open(log, "wb") as words:
        scene = [*blender, str(HERE / "tests" / "demo" / "scene.py"), "--", "--out", str(out)]
        status = subprocess.run(scene, cwd=HERE, stdout=words, stderr=subprocess.STDOUT).returncode
    ended = f"{time.monotonic() - began:.1f} s" if status == 0 else "failed"
    print(f"{'Blender scene, stills, film':<30} {ended:>9}  {out / 'scene.blend' if status == 0 else f'see {log}'}", flush=True)


def run_engine(python: Path, arguments: list[str]) -> int:
    """Run the engine and print one line for each stage: time, and what was used. Its exit status, 0 or 1."""
    engine = subprocess.Popen(
        [str(python), "-m", "engine", *arguments, "--json"], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    assert engine.stdout
    for line in engine.stdout:
        text = terminal.line(messages.from_line(line))
        if text:
            print(text, flush=True)
    if engine.wait() not in (0, 1):
        sys.exit(engine.returncode)
    return engine.returncode


def test(given: argparse.Namespace) -> None:
    """All tests: the engine's in its Python, the add-on's in Blender's; the border between them is the users' own."""
    if given.matrix:
        test_matrix(given.rest)
    python = engine_python(given, tests=True)
    if given.gui:
        test_windows(python, given)
    more = given.rest
    status = [subprocess.run([str(python), "-m", "ruff", "check", "."], cwd=HERE).returncode]
    rooms = sorted({str(path.parent) for path in (HERE / "tests").glob("*/test_*.py")} - {str(HERE / "tests" / room) for room in ("addon", "gui")})
    status.append(subprocess.run([str(python), "-m", "pytest", *rooms, *more], cwd=HERE).returncode)
    blender = blender_python()
    if blender and len(blender) == 1:
        status.append(subprocess.run([*blender, "-m", "pytest", "tests/addon", *more], cwd=HERE).returncode)
        status.append(test_newest(more))
    sys.exit(max(status))


def test_newest(more: list[str]) -> int:
    """What differs between Blenders, on the newest of them too, where its Python is there and the bpy module can be had."""
    if sys.version_info[:2] == (3, BLENDERS[-1][1]):
        return 0
    try:
        newest = blender_of(*BLENDERS[-1])
    except environment.EnvironmentFailure as failure:
        print(f"Blender {BLENDERS[-1][0]} is left out: {failure}", flush=True)
        return 0
    quick = [f"tests/addon/test_{name}.py" for name in QUICK]
    return subprocess.run([str(newest), "-m", "pytest", *quick, *more], cwd=HERE).returncode if newest else 0


def test_matrix(more: list[str]) -> None:
    """The add-on's tests on every Blender that it is for, each as a module in an environment of its own."""
    status = []
    for series, minor, lock in BLENDERS:
        python = blender_of(series, minor, lock)
        if python:
            status.append(subprocess.run([str(python), "-m", "pytest", "tests/addon", *more], cwd=HERE).returncode)
    sys.exit(max(status, default=1))


def blender_of(series: str, minor: int, lock: str) -> Path | None:
    """The Python that holds that Blender as a module, made where it is missing; None where there is no Python for it."""
    base = find_python(minor)
    if base is None:
        print(f"Blender {series} is left out: it needs Python 3.{minor}.", flush=True)
        return None
    folder = BLENDER if base == sys.executable and lock == "blender.txt" else HERE / f".venv-blender-{series}"
    print(f"Blender {series}:", flush=True)
    return environment.make(folder, TEST_LOCKS / lock, _say, python=base)


def find_python(minor: int) -> str | None:
    """A Python 3.`minor` that runs: this one, one on the path, or one of pyenv's, whose name on the path may lead nowhere."""
    if sys.version_info[:2] == (3, minor):
        return sys.executable
    of_pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for name in (shutil.which(f"python3.{minor}"), *sorted(map(str, of_pyenv.glob(f"3.{minor}.*/bin/python3.{minor}")))):
        if name and subprocess.run([name, "-c", ""], capture_output=True).returncode == 0:
            return name
    return None


def test_windows(python: Path, given: argparse.Namespace) -> None:
    """Blenders with a window, each driven on a screen of its own; their pictures go to --out."""
    blenders = given.blender or [found for found in [shutil.which("blender")] if found]
    if not blenders or not shutil.which("Xvfb"):
        sys.exit("No window can be opened here: that needs Xvfb, and a Blender on the path or by --blender (trixie and sid lay out Debian's).")
    status = []
    for name in blenders:
        inside = [sys.executable, str(HERE / "tests" / "gui" / "debian.py"), name]
        if name in SUITES and subprocess.run([*inside, "true"]).returncode:  # laid out here, where no test's time runs
            sys.exit(f"Debian's {name} could not be laid out.")
        command = shlex.join([*inside, "blender"]) if name in SUITES else name
        folder = Path(given.out or HERE / "demo" / "windows").resolve() / (name if name in SUITES else "")
        surroundings = {**os.environ, "UNFLATTEN_BLENDER": command, "UNFLATTEN_PICTURES": str(folder)}
        print(f"{name}: pictures in {folder}", flush=True)
        status.append(subprocess.run([str(python), "-m", "pytest", "-rs", "tests/gui", *given.rest], cwd=HERE, env=surroundings).returncode)
    sys.exit(max(status))


def package(given: argparse.Namespace) -> None:
    """The extension's zip, built and validated by Blender's own tool, and the index that makes its folder a repository for Blender."""
    blender = blender_python()
    if not blender or len(blender) != 1:
        sys.exit("The package is built by the tool inside the bpy module, which is missing here.")
    tool = next(BLENDER.rglob("blender_ext.py"))
    out = Path(given.out or HERE / "dist")
    out.mkdir(parents=True, exist_ok=True)
    run([blender[0], str(tool), "build", "--source-dir", str(HERE), "--output-dir", str(out)])
    for archive in sorted(out.glob("*.zip")):
        run([blender[0], str(tool), "validate", str(archive)])
    run([blender[0], str(tool), "server-generate", "--repo-dir", str(out)])


def kit(given: argparse.Namespace) -> None:
    """All packages of the engine in one folder, for machines like this one that have no network."""
    python = engine_python(given)
    lock, _ = environment.choose(LOCKS)
    if given.cpu or given.cuda:
        lock = LOCKS / ("cuda.txt" if given.cuda else "cpu.txt")
    out = Path(given.out or HERE / "dist" / f"kit-{lock.stem}").resolve()
    environment.fill_kit(python, lock, out, _say)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e9
    print(f"{out}: {size:.1f} GB. Choose this folder as 'Offline kit' in the add-on's preferences.")


def bench(given: argparse.Namespace) -> None:
    """Measure against the peers; tables go to tests/bench/RESULTS.md."""
    python = engine_python(given, tests=True)
    names = given.rest or sorted(path.stem for path in (HERE / "tests" / "bench").glob("*.py"))
    for name in names:
        within = (blender_python() or [str(python)]) if name in IN_BLENDER else [str(python)]
        run([*within, str(HERE / "tests" / "bench" / f"{name}.py")])


def sample(given: argparse.Namespace) -> None:
    """Render the sample shot and its truth anew."""
    blender = blender_python() or sys.exit(1)
    run([*blender, str(HERE / "sample" / "make.py"), *given.rest])


def main() -> None:
    """Read the word and its options, then do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    words = parser.add_subparsers(dest="word", required=True, metavar="demo · test · package · kit · env · bench · sample")
    for work in (demo, test, package, kit, env, bench, sample):
        word = words.add_parser(work.__name__, help=(work.__doc__ or "").split("\n")[0])
        word.set_defaults(work=work)
        if work in (env, demo, test, bench, kit):
            kind = word.add_mutually_exclusive_group()
            kind.add_argument("--cpu", action="store_true", help="the engine for the CPU")
            kind.add_argument("--cuda", action="store_true", help="the engine for NVIDIA GPUs")
        if work is demo:
            word.add_argument("clip", nargs="?", help="a video or an image sequence; the sample shot otherwise")
            word.add_argument("--size", type=int, default=640, help="longest side of the frames")
        if work is test:
            word.add_argument("--matrix", action="store_true", help="the add-on alone, on Blender 4.2, 4.5, 5.0 and 5.2")
            word.add_argument("--gui", action="store_true", help="windows alone: drives a real Blender under Xvfb")
            word.add_argument(
                "--blender", action="append", metavar="COMMAND",
                help="windows of that Blender, not of the one on the path; trixie, sid: Debian's, laid out in a folder; may be given again",
            )
        if work in (demo, package, test, kit):
            word.add_argument("--out", help="where the results go")
    given, rest = parser.parse_known_args()
    given.rest = [entry for entry in rest if entry != "--"]
    try:
        given.work(given)
    except environment.EnvironmentFailure as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
