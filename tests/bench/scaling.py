"""How time and memory grow with the shot's length: a clip played to and fro. Run from the repository's root:

    python tests/bench/scaling.py CLIP 100 500 2000 --first 98
    python tests/bench/scaling.py CLIP 50 100 400 --size 640 --depth [growth|scene_flow]

The clip is decoded once; a longer shot shows the same pictures again, forwards and backwards, each read anew. Without --depth it is the
solve alone: nothing is masked, so that neither flow nor the search for movers, whose work is the same for each frame, is in the figures.
With it all stages from flow to consistent depth are run, and a row tells the share of each. Memory is the sum over all processes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine import device  # noqa: E402

device.one_thread_products()  # as the engine does, before numpy comes
device.keep_memory()

import numpy as np  # noqa: E402

from engine.contract.job import Request  # noqa: E402
from engine.contract.options import ConsistentDepth, Frames, Solve  # noqa: E402
from engine.contract.stages import BY_NAME  # noqa: E402
from engine.media.frames import write_png  # noqa: E402
from engine.stage import Inputs, Report  # noqa: E402
from engine.stages import consistent_depth, depth, flow, frames, movers, orient, prior, scene_movers, solve  # noqa: E402

WHOLE = (flow, movers, solve, orient, scene_movers, prior, depth, consistent_depth)


def main() -> None:
    """One row for each length."""
    ask = argparse.ArgumentParser()
    ask.add_argument("clip")
    ask.add_argument("counts", nargs="+", type=int)
    ask.add_argument("--first", type=int, default=100, help="frames of the clip that are used")
    ask.add_argument("--size", type=int, default=0, help="longest side, px; 0 is the clip's own")
    ask.add_argument("--depth", nargs="?", const="growth", choices=("growth", "scene_flow"), help="all stages from flow to consistent depth, by this method")
    given = ask.parse_args()
    print("| frames | size | placed | error, px | CPU-s | CPU-s a frame | wall, s | peak memory of all processes, GB |\n|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        stage(frames, Frames(size=given.size), root / "frames", given.clip, last=given.first)
        for count in given.counts:
            shot = longer(root, count, masked=bool(given.depth))
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            what = ["whole", str(shot), given.depth] if given.depth else ["solve", str(shot)]
            child = subprocess.Popen([sys.executable, __file__, *what])
            peak = watch(child)
            after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            told = shot / "solve" / "report.json"
            about = json.loads(told.read_text()) if told.is_file() else {"solved": 0, "error": {"mean": float("nan")}, "size": (0, 0)}
            size, placed, error = "x".join(map(str, about["size"])), about["solved"], about["error"]["mean"]
            print(f"| {count} | {size} | {placed} | {error:.2f} | {seconds:.0f} | {seconds / count:.3f} | {wall:.0f} | {peak / 2**30:.2f} |", flush=True)
            if given.depth:
                print(", ".join(f"{name} {spent / count:.3f}" for name, spent in json.loads((shot / "spent.json").read_text()).items()), flush=True)


def whole(shot: Path, method: str) -> None:
    """Every stage from flow to consistent depth, and the CPU-seconds of each in spent.json."""
    rooms, spent = {"frames": shot / "frames"}, {}
    for what in WHOLE:
        name = what.__name__.rsplit(".", 1)[-1]
        before = used()
        options = ConsistentDepth(method=method) if what is consistent_depth else BY_NAME[name].options()
        stage(what, options, shot / name, **rooms)
        rooms[name], spent[name] = shot / name, used() - before
    (shot / "spent.json").write_text(json.dumps(spent))


def used() -> float:
    """CPU-seconds of this process and of those it has waited for."""
    return sum(part.ru_utime + part.ru_stime for part in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def stage(what, options, room: Path, clip: str = "", last: int | None = None, **inputs: Path) -> None:
    """One stage into a folder of its own."""
    room.mkdir(parents=True, exist_ok=True)
    what.run(Inputs(Request(clip=clip, wants=("camera",), store="", last=last), inputs), options, Report(room.name, lambda m: None, lambda *a: None), room)


def longer(root: Path, count: int, masked: bool = False) -> Path:
    """A shot of `count` frames that link to the decoded ones, with empty masks unless they are to be found."""
    shot, about = root / str(count), json.loads((root / "frames" / "clip.json").read_text())
    there = about["frames"]
    once = there + there[-2:0:-1]
    for part in ("frames",) if masked else ("frames", "movers"):
        (shot / part).mkdir(parents=True)
    write_png(shot / "empty.png", np.zeros((36, 64), np.uint8))
    for number in range(1, count + 1):
        (shot / "frames" / f"{number:06d}.png").symlink_to(root / "frames" / f"{once[(number - 1) % len(once)]:06d}.png")
        if not masked:
            (shot / "movers" / f"{number:06d}.png").symlink_to(shot / "empty.png")
    about.update(frames=list(range(1, count + 1)), times=[k / 25 for k in range(count)], cuts=[], duplicates=[])
    (shot / "frames" / "clip.json").write_text(json.dumps(about))
    return shot


def watch(child: subprocess.Popen) -> int:
    """Wait for a process; the most bytes that it and its descendants held at once (shared pages counted once, by Pss)."""
    most = 0
    done = threading.Event()
    threading.Thread(target=lambda: (child.wait(), done.set()), daemon=True).start()
    while not done.wait(0.5):
        most = max(most, sum(map(held, family(child.pid))))
    return most


def family(parent: int) -> list[int]:
    """A process and all that descend from it."""
    found, parents = [parent], {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
    for pid in found:
        found += [one for one, above in parents.items() if above == pid]
    return found


def held(pid: int) -> int:
    """Bytes of a process."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    if sys.argv[1] == "whole":
        whole(Path(sys.argv[2]), sys.argv[3])
    elif sys.argv[1] == "solve":
        shot = Path(sys.argv[2])
        stage(solve, Solve(), shot / "solve", frames=shot / "frames", movers=shot / "movers")
    else:
        main()
