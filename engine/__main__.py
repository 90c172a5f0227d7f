"""The command line: `python -m engine CLIP --want camera,depth`, `python -m engine job.json`, and the engine's other words."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path
from typing import Any

from . import cancel, child, commands, device, terminal
from .contract import CONTRACT, job, messages
from .contract.option import WrongOption
from .contract.places import default_store
from .contract.stages import WANTS
from .failures import of_exception
from .previews import Previews
from .publish import publish, write_summary
from .run import Run
from .say import Say, json_lines

DONE, FAILED, WRONG_USAGE = 0, 1, 2


def main(argv: list[str]) -> int:
    """Exit status: 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    device.one_thread_products()
    device.keep_memory()
    if argv and argv[0] in commands.WORDS:
        return commands.WORDS[argv[0]](argv[1:])
    try:
        if len(argv) == 1 and argv[0].endswith(".json"):
            request, as_json = job.from_json(Path(argv[0]).read_text(encoding="utf-8")), True
        else:
            request, as_json = _parse(argv)
    except (WrongOption, OSError) as error:
        print(f"engine: {error}", file=sys.stderr)
        return WRONG_USAGE
    return work(request, json_lines() if as_json else terminal.bar(), Previews() if as_json else None)


def work(request: job.Request, say: Say, previews: Previews | None = None) -> int:
    """Carry out a request, saying everything through `say`."""
    run = Run(request, say, previews)

    def stop() -> None:
        say(messages.Cancelled(run.current))
        child.kill_all()
        if previews:
            previews.remove()

    cancel.watch(stop)
    say(messages.Started(CONTRACT, platform.python_version(), _device_name(request.device), _memory()))
    say.beat()
    run.go()
    try:
        if request.out:
            publish(run.folders, request.wants, Path(request.out))
            write_summary(Path(request.out), summary(run))
    except OSError as error:
        run.fail("", of_exception(error, str(run.log), Path(request.out)))
    for stage, failure in run.failed.items():
        _tell(stage, failure)
    say(messages.Done(sorted(run.failed)))
    if previews:
        previews.remove()
    return FAILED if run.failed else DONE


def summary(run: Run) -> dict[str, Any]:
    """What summary.json holds."""
    return {
        "clip": run.request.clip, "contract": CONTRACT, "wants": list(run.request.wants), "stages": run.results,
        "skipped": run.skipped,
        "failed": {
            stage: {"code": it.code, "what": it.what, "why": it.why, "remedy": it.remedy, "change": it.change, "log": it.log}
            for stage, it in run.failed.items()
        },
    }


def _tell(stage: str, failure: Any) -> None:
    if not sys.stderr.isatty():
        print(messages.to_line(messages.Failed(
            failure.code, failure.what, failure.why, failure.remedy, stage, failure.change, failure.log, failure.network,
        )), file=sys.stderr)


def _parse(argv: list[str]) -> tuple[job.Request, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m engine", description="Gives a flat shot its space back.",
        epilog=f"Other words: {', '.join(commands.WORDS)}. `python -m engine stages` lists every option.",
    )
    parser.add_argument("clip", help="a video file, a folder of images, one image of a sequence, or a job.json")
    parser.add_argument("--want", default="camera,depth,mattes,slowmo", help=f"comma-separated: {', '.join(WANTS)}")
    parser.add_argument("--out", default="", help="folder that receives the results")
    parser.add_argument("--store", default="", help="folder of the cache")
    parser.add_argument("--frames", default="", metavar="FIRST-LAST", help="frame numbers of the clip, both included")
    parser.add_argument("--step", type=int, default=1, help="take every so many frames")
    parser.add_argument("--fps", default="", help="frame rate of an image sequence")
    parser.add_argument("--size", type=int, help="longest side of the frames, in pixels")
    parser.add_argument("--masks", help="folder of images, white on what moves by itself")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.OPTION=VALUE", dest="knobs")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--json", action="store_true", help="JSON lines on stdout, as when it is not a terminal")
    given = parser.parse_args(argv)
    options = _options(given)
    first, last = _range(given.frames)
    request = job.Request(
        clip=os.path.abspath(given.clip), wants=tuple(want for want in given.want.split(",") if want),
        store=os.path.abspath(given.store or default_store()), out=os.path.abspath(given.out) if given.out else "",
        first=first, last=last, step=given.step, device=given.device, fps=given.fps, options=options,
    )
    for stage in request.stages():
        request.options_of(stage)
    return request, given.json or not sys.stdout.isatty()


def _options(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    options: dict[str, dict[str, Any]] = {}
    if given.size is not None:
        options.setdefault("frames", {})["size"] = given.size
    if given.masks:
        options.setdefault("movers", {})["masks"] = os.path.abspath(given.masks)
    for knob in given.knobs:
        place, equals, value = knob.partition("=")
        stage, dot, name = place.partition(".")
        if not (equals and dot):
            raise WrongOption(f"--set wants STAGE.OPTION=VALUE, not '{knob}'.")
        options.setdefault(stage, {})[name] = value
    return options


def _range(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    first, dash, last = text.partition("-")
    try:
        return (int(first) if first else None), (int(last) if last else None) if dash else int(first)
    except ValueError:
        raise WrongOption(f"--frames wants FIRST-LAST, not '{text}'.") from None


def _device_name(wanted: str) -> str:
    """cpu or cuda, without waking torch where its build already tells: a job that only reuses must not wait for it."""
    from importlib import metadata

    try:
        if wanted == "cpu" or metadata.version("torch").endswith("+cpu"):
            return "cpu"
        return device.pick("auto").type
    except (metadata.PackageNotFoundError, ImportError):  # the first stage that needs torch says so
        return "cpu"


def _memory() -> int:
    return device.memory_free()


if __name__ == "__main__":
    status = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)  # the thread that watches the parent holds stdin, on which the interpreter's own way out would trip
