"""Figures of depth on made shots with true cameras.

`python tests/bench/depth.py [SHOT …] [--frames N] [--size WxH] [--scene-flow] [--ablation] [--guess] [--raft FILE] [--keep FOLDER]`

One scale for each whole shot; still and moving pixels apart; those within 8 px of a true silhouette; flicker along true flow. Prints a
table for RESULTS.md. What stands in FOLDER is not made again.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.contract import options as o  # noqa: E402
from engine.contract.job import Request  # noqa: E402
from engine.dense.by_scene_flow import WEIGHTS  # noqa: E402
from engine.media.frames import read_depth  # noqa: E402
from engine.metrics import depth as metrics  # noqa: E402
from engine.stage import Inputs, Report  # noqa: E402
from engine.stages import consistent_depth, depth, flow, movers, prior, scene_movers  # noqa: E402
from engine.synth import sets  # noqa: E402
from engine.synth.files import write_stages  # noqa: E402
from engine.synth.guess import guessed  # noqa: E402
from engine.synth.scene import Scene, View, look_at, sway  # noqa: E402
from engine.synth.shots import render, render_scene  # noqa: E402


def courtyard(seed: int, *movers: object) -> Scene:
    """A courtyard of its own, seen by a camera that wanders sideways on a path of its own."""
    pace = 0.022 + 0.004 * (seed % 4)

    def view(time: float) -> View:
        eye = np.array([-0.9 + pace * time, -4.5, 1.6 + 0.05 * (seed % 3)]) + sway(seed, time, 0.02)
        return View(look_at(eye, (0.05, 0.8, 0.8)), 0.85)
    return Scene((*sets.courtyard(seed, clear=2.0), *movers), view)


# Shots that no method was tuned on: for rules that must hold on all.
FRESH = {
    "leaving": lambda: courtyard(71, *sets.figure(sets.walking((-0.4, -1.6), -0.5, 1.2), shirt="ochre")),
    "coming": lambda: courtyard(73, *sets.figure(sets.walking((0.6, 1.2), 2.7, 1.2), shirt="teal")),
    "turning": lambda: courtyard(79, *sets.cart(sets.rolling((0.9, -0.4), 2.2, 1.2, 0.02))),
    "meeting": lambda: courtyard(83, *sets.cart(sets.rolling((1.2, 0.6), 3.0, 1.0, 0.0)), *sets.figure(sets.walking((-1.2, -0.5), -1.2, 1.0))),
    "rising": lambda: courtyard(89, sets.balloon((0.4, -0.6, 0.5), (-0.006, -0.01, 0.02), 0.3)),
}
SHOTS = ("orbit", "handheld", "crossing", "cart", "approach", "balloon", "large_mover")  # all with movers; rigid: cart
DONE = "seconds.txt"  # in the folder of a stage: how long it took
BENT, BLURRED = 0.15, 1.2  # a made guess: deviation of its logarithm, and px
FAR = 60.0  # metres beyond which nothing is scored


def carry_out(stage, options, folders: dict[str, Path], root: Path, label: str = "") -> float:  # type: ignore[no-untyped-def]
    """CPU-seconds of one stage; its result is called `label`, or as the stage."""
    name = label or stage.__name__.rsplit(".", 1)[-1]
    if (root / name / DONE).is_file():
        folders[name] = root / name
        return float((root / name / DONE).read_text())
    (root / name).mkdir(exist_ok=True)
    before = time.process_time()
    report = Report(name, lambda message: None, lambda *step: None)
    stage.run(Inputs(Request("clip", ("depth",), "store"), folders), options, report, root / name)
    folders[name] = root / name
    (root / name / DONE).write_text(f"{time.process_time() - before:.2f}")
    return time.process_time() - before


def ways(scene_flow: bool, ablation: bool) -> list[tuple[str, object, object]]:
    """Label, stage and options of every row: depth, its agreement, and on request by scene flow, whole and with each loss off."""
    out = [("depth", depth, o.Depth()), ("consistent_depth", consistent_depth, o.ConsistentDepth())]
    if scene_flow or ablation:
        out.append(("scene_flow", consistent_depth, o.ConsistentDepth(method="scene_flow")))
    if ablation:
        out += [(f"without {name}", consistent_depth, o.ConsistentDepth(method="scene_flow", weights=f"{name}=0")) for name in WEIGHTS]
    return out


def guesses(truths: list[np.ndarray], folder: Path) -> None:
    """%06d.npy as a network might guess."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(1)
    nodes = random.normal(0, BENT, (2, 4, 5)).astype(np.float32)
    for frame, truth in enumerate(truths, 1):
        np.save(folder / f"{frame:06d}.npy", guessed(np.where(truth > 0, truth, 80), frame, nodes, BLURRED, random))


def guided(truths: list[np.ndarray], folders: dict[str, Path], root: Path) -> Iterator[tuple[str, float]]:
    """Depth and its agreement once more, with a made guess; label and CPU-seconds of each."""
    guesses(truths, root / "guesses")
    spent = carry_out(prior, o.Prior(method="pictures", pictures=str(root / "guesses")), folders, root)
    for stage, options in ((depth, o.Depth()), (consistent_depth, o.ConsistentDepth())):
        name = stage.__name__.rsplit(".", 1)[-1]
        label = f"{name}, with the guess"
        yield label, spent + carry_out(stage, options, folders, root, label)
        folders[name], spent = folders[label], 0.0


def measure(name: str, frames: int, size: tuple[int, int], rows_of: list[tuple[str, object, object]], keep: Path | None, raft: str, guess: bool) -> list[str]:
    """One table row per way; the seconds are those of the way alone, the first with all that comes before it."""
    shot = render_scene(name, FRESH[name](), frames, size) if name in FRESH else render(name, frames, size)
    valid = [(truth > 0) & (truth < FAR) for truth in shot.depth]
    seen = [mask & known for mask, known in zip(shot.visible, valid)]
    moved = [mask & moving for mask, moving in zip(seen, shot.moving)]
    rows = []
    with tempfile.TemporaryDirectory() as held:
        root = keep / f"{name}_{size[0]}" if keep else Path(held)
        folders = write_stages(shot, root)
        before = ((flow, o.Flow(method="raft" if raft else "dis", weights=raft)), (movers, o.Movers()), (scene_movers, o.SceneMovers()))
        spent = sum(carry_out(stage, options, folders, root) for stage, options in before)
        own = ((label, carry_out(stage, options, folders, root, label)) for label, stage, options in rows_of)
        for label, seconds in itertools.chain(own, guided(list(shot.depth), folders, root) if guess else ()):
            spent += seconds
            found = [read_depth(path)[0] for path in sorted(folders[label].glob("*.exr"))]
            figures = metrics.evaluate(found, list(shot.depth), valid, list(shot.moving))
            still, moving, rim = figures["still"], figures["moving"], metrics.rim(found, list(shot.depth), valid)
            flicker = [metrics.temporal(found, list(shot.depth), list(shot.flow), mask) for mask in (seen, moved)]
            rows.append(
                f"| {name} | {label} | {still['absrel']:.4f} | {still['delta']:.3f} | {still['exact']:.3f} | {rim:.4f} | {moving['absrel']:.4f} | "
                f"{moving['delta']:.3f} | {flicker[0]:.4f} | {flicker[1]:.4f} | {figures['shot']['scale']:.3f} | {spent / frames:.2f} |"
            )
            spent = 0.0
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shots", nargs="*", default=SHOTS, help=f"default: {', '.join(SHOTS)}; never tuned on: {', '.join(FRESH)}")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--scene-flow", action="store_true", help="also what moves by scene flow")
    parser.add_argument("--ablation", action="store_true", help="the same with each loss off")
    parser.add_argument("--guess", action="store_true", help="also with a network's guess, made from the truth")
    parser.add_argument("--raft", default="", metavar="FILE", help="flow by RAFT with these weights, in place of DIS")
    parser.add_argument("--keep", type=Path, help="folder in which results are kept and found again")
    given = parser.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    print("| shot | stage | still AbsRel | delta < 1.25 | within 4 % | rim AbsRel | moving AbsRel | moving delta | flicker | moving | scale | CPU-s a frame |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in given.shots:
        rows = measure(name, given.frames, (width, height), ways(given.scene_flow, given.ablation), given.keep, given.raft, given.guess)
        print("\n".join(rows), flush=True)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
