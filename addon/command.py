"""Without a window: `blender -b [FILE.blend] --command unflatten [CLIP, FOLDER or CSV] --want camera,depth --save scene.blend`. Imports bpy.

`main(argv)` is the same for scripts inside Blender; operators do the work, so that buttons and commands give the same scene.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import bpy

from ..engine.contract.option import WrongOption, describe
from ..engine.contract.stages import BY_NAME, WANTS
from . import batch, jobs, preferences
from .clips import clip_of
from .importers import place
from .job import Job

NAME = "unflatten"
_handle = None


def main(argv: list[str]) -> int:
    """Exit status: 0 done, 1 failed (of several: any), 2 wrong usage."""
    try:
        given = _parse(argv)
        if batch.is_several(given.clip):
            return _several(argv, given)
        return _one(given)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except WrongOption as error:
        return _refuse(str(error), 2)


def _one(given: argparse.Namespace) -> int:
    """One clip: by path, by its name in the open file, or the only one there."""
    if given.clip and given.clip not in bpy.data.movieclips:
        clip, fault = _open(given.clip)
    else:
        clip, fault = bpy.data.movieclips.get(given.clip) or clip_of(bpy.context), "The file holds no clip; name one."
    if clip is None:
        return _refuse(fault, 1)
    _settle(clip, given)
    return _work(clip, given)


def _several(argv: list[str], given: argparse.Namespace) -> int:
    """Every shot in a file of its own, made from the one that is open; one line for each, and it goes on after a failure."""
    start, worst = bpy.data.filepath, 0
    shots = [(row, _parse([*argv, *row.words])) for row in batch.rows_of(given.clip)]
    for row, asked in shots:
        if start:
            bpy.ops.wm.open_mainfile(filepath=start)
        else:
            bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        name, began = row.name, time.monotonic()
        asked.clip, asked.quiet = row.clip, True
        for word in ("save", "render"):  # without a row of its own: a folder that receives one of each
            if getattr(asked, word) and getattr(asked, word) == getattr(given, word):
                setattr(asked, word, str(Path(getattr(given, word)) / (f"{name}.blend" if word == "save" else name)))
        try:
            status = _one(asked)
        except (WrongOption, RuntimeError, OSError) as error:  # Blender's operators raise RuntimeError
            status = _refuse(str(error), 1)
        worst = max(worst, 1 if status else 0)
        print(f"{name}: {'failed' if status else 'done'} in {time.monotonic() - began:.0f} s", flush=True)
    return worst


def _refuse(why: str, status: int) -> int:
    print(f"unflatten: {why}", file=sys.stderr)
    return status


def _work(clip: bpy.types.MovieClip, given: argparse.Namespace) -> int:
    scene, wants = bpy.context.scene, tuple(given.want.split(","))
    status = 0
    if not given.results:
        python = given.python or preferences.engine_python()
        if python is None:
            return _refuse("The engine is not set up. Run the set-up in the add-on's preferences, or name a Python by --python.", 1)
        job = jobs.wait(jobs.make(clip, scene, wants), python, (lambda job: None) if given.quiet else _tell)
        for failure in job.failures:
            _refuse(f"{failure.code}: {failure.what} {failure.why} {failure.remedy} {failure.log}".rstrip(), 1)
        status = 1 if job.failures else 0
        if not job.folders:
            return 1
    folder = {"folder": str(Path(given.results).absolute())} if given.results else {}
    try:
        bpy.ops.unflatten.import_results(clip=clip.name, wants=given.want, **folder)
    except RuntimeError as error:
        status = _refuse(str(error), 1)
    if given.save:
        Path(given.save).absolute().parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(Path(given.save).absolute()))
    if given.render:
        scene.render.filepath = str(Path(given.render).absolute()) + "/"
        bpy.ops.render.render(animation=True)
    return status


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"blender --command {NAME}", description="Recovers camera, depth, mattes and slow motion of a clip.")
    parser.add_argument(
        "clip", nargs="?", default="",
        help="a film, one image of a sequence, a clip's name in the open file, nothing for the only one there; a folder or a CSV file for several shots",
    )
    parser.add_argument("--want", default="camera,depth", help=f"comma-separated: {', '.join(WANTS)}")
    parser.add_argument("--results", default="", metavar="FOLDER", help="import what `python -m engine --out FOLDER` has written; run nothing")
    parser.add_argument("--frames", default="", metavar="FIRST-LAST", help="frame numbers of the clip, both included")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.OPTION=VALUE", dest="knobs")
    parser.add_argument("--store", default="", metavar="FOLDER", help="folder of the cache")
    parser.add_argument("--python", default="", help="the Python that runs the engine")
    parser.add_argument("--save", default="", metavar="FILE", help="save the scene here; of several shots: a folder")
    parser.add_argument("--render", default="", metavar="FOLDER", help="render the scene's frames into this folder")
    parser.set_defaults(quiet=False)
    return parser.parse_args(argv)


def _open(path: str) -> tuple[bpy.types.MovieClip | None, str]:
    if not Path(path).exists():
        return None, f"There is no clip at {path}."
    try:
        return place.load_clip(str(Path(path).absolute())), ""
    except RuntimeError as error:
        return None, f"Blender cannot open {path}: {error}"


def _settle(clip: bpy.types.MovieClip, given: argparse.Namespace) -> None:
    """The command's words as the clip's settings."""
    if given.frames:
        first, _, last = given.frames.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise WrongOption(f"--frames wants FIRST-LAST, not '{given.frames}'.")
        clip.unflatten.use_range, clip.unflatten.first, clip.unflatten.last = True, int(first), int(last or first)
    if given.store:
        preferences.override_store(str(Path(given.store).absolute()))
    for knob in given.knobs:
        where, equals, value = knob.partition("=")
        stage, dot, name = where.partition(".")
        if not (equals and dot) or stage not in BY_NAME:
            raise WrongOption(f"--set wants STAGE.OPTION=VALUE, not '{knob}'.")
        about = next((it for it in describe(BY_NAME[stage].options) if it.name == name), None)
        if about is None:
            raise WrongOption(f"The stage '{stage}' has no option '{name}'.")
        setattr(getattr(clip.unflatten, stage), name, about.check(value))


def _tell(job: Job) -> None:
    """One line when a stage is done."""
    for name, state in job.stages.items():
        if state.status == "done" and not state.note.startswith("told"):
            state.note = "told"
            print(f"  {name:<18} {state.seconds:7.1f} s  {'reused  ' if state.reused else ''}{state.used}", flush=True)


def register() -> None:
    """Make the command known to Blender."""
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, main)


def unregister() -> None:
    """Forget it."""
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
    _handle = None
