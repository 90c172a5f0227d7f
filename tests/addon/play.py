"""A stand-in for the engine: it reads job.json, lays a ready-made shot into the store at the right addresses, and tells it as the engine does."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = '''
import json, os, shutil, signal, sys, time
from pathlib import Path
from engine.contract import CONTRACT, job, messages
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell starts with it ignored
say = lambda message: print(messages.to_line(message), flush=True)
request = job.from_json(Path(sys.argv[1]).read_text())
shot, how = Path({shot!r}), {how!r}
say(messages.Started(CONTRACT, "play", "cpu", 8_000_000_000))
places = dict(frames="frames", orient="camera", consistent_depth="depth", cloud="cloud", mattes="mattes")
addresses, failed, clip = {{}}, [], job.clip_identity(request)
for stage in request.stages():
    lost = next((need for need in stage.needs if need not in addresses), None)
    if lost:
        say(messages.Skipped(stage.name, lost)); continue
    say(messages.Progress(stage.name, 0, 2, 0.5, 3.0))
    if how == "slow" and stage.name == "flow":
        time.sleep(60)
    if how == "fails" and stage.name == "solve" and not request.options.get("solve"):
        failed.append("solve")
        why = ("The camera could not be solved.", "It only turns.", "Solve it as a tripod.")
        say(messages.Failed("no-parallax", *why, "solve", dict(solve=dict(motion="tripod", tracks=900))))
        continue
    inputs = {{name: addresses[name] for name in stage.needs + stage.uses if name in addresses}}
    place = job.address(stage, request.options_of(stage), inputs, clip)
    folder = Path(request.store) / stage.name / place
    reused = (folder / "done.json").is_file()
    if not reused:
        source = shot / places.get(stage.name, "nothing")
        shutil.copytree(source, folder) if source.is_dir() else folder.mkdir(parents=True)
        (folder / "done.json").write_text(json.dumps(dict(stage=stage.name, used="play", seconds=0.5, warnings=[])))
    addresses[stage.name] = place
    say(messages.Artifact(stage.name, str(folder), reused, dict(used="play", seconds=0.5, warnings=[])))
say(messages.Done(failed))
sys.exit(1 if failed else 0)
'''


def make_engine(root: Path, shot: Path, how: str = "works") -> Path:
    """A folder that holds such an engine, to stand in for the extension's own."""
    (root / "engine").mkdir(parents=True, exist_ok=True)
    (root / "engine" / "__init__.py").touch()
    if not (root / "engine" / "contract").exists():
        shutil.copytree(ROOT / "engine" / "contract", root / "engine" / "contract", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "engine" / "__main__.py").write_text(SCRIPT.format(shot=str(shot), how=how))
    return root


PYTHON = sys.executable
