"""Optical flow, as the stage gives it, against the truth of made shots, at frames 1, 4 and 8 apart.

`python tests/bench/flow.py [SHOT …] [--size WxH] [--raft FILE]`

Error: length of the difference to the true flow in px, of pixels that are in sight on both frames: median, mean (20 px at most), share above
1 px; that of what moves beside it. CPU seconds for one pair both ways. FILE: weights of RAFT (the full model), whose row then joins.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.contract import options as o  # noqa: E402
from engine.contract.job import Request  # noqa: E402
from engine.media.flow import Flow  # noqa: E402
from engine.stage import Inputs, Report  # noqa: E402
from engine.stages import flow  # noqa: E402
from engine.synth.caster import cast  # noqa: E402
from engine.synth.files import write_stages  # noqa: E402
from engine.synth.shots import Shot, flow_between, render  # noqa: E402

GAPS = (1, 4, 8)
START = 2  # the first frame, of which the flow is scored


def truth(shot: Shot, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """True flow [H, W, 2] px from frame START to the one `gap` later, and where it is in sight on both."""
    now, then = START - 1, START - 1 + gap
    here, there = (cast(shot.scene, time, shot.size) for time in (now, then))
    return flow_between(shot.scene, here, there, now, then, shot.size)


def measure(far: np.ndarray) -> tuple[float, float, float]:
    """Median, mean of at most 20, and the share above 1."""
    return float(np.median(far)), float(np.minimum(far, 20).mean()), float((far > 1).mean())


def run(shot: Shot, several: list[o.Flow], folders: dict[str, Path], root: Path) -> tuple[list[list[tuple[float, float, float]]], float]:
    """Figures for each of GAPS, of all and of what moves, and CPU seconds a pair; each of `several` options gives the gaps that it names."""
    found, pairs, before = {}, 0, time.process_time()
    for number, options in enumerate(several):
        room = root / str(number)
        room.mkdir(parents=True)
        report = Report("flow", lambda message: None, lambda *step: None)
        flow.run(Inputs(Request("clip", ("depth",), "store"), folders), options, report, room)
        pairs += report.figures["pairs"]
        found |= {gap: Flow(room).get(START, START + gap) for gap in GAPS if str(gap) in options.gaps.split(",")}
    spent = (time.process_time() - before) / pairs
    figures = []
    for gap in GAPS:
        true, seen = truth(shot, gap)
        far = np.linalg.norm(found[gap][0] - true, axis=-1)
        figures.append([measure(far[mask]) for mask in (seen, seen & shot.moving[START - 1])])
    return figures, spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shots", nargs="*", default=["handheld", "crossing", "orbit", "large_mover"])
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--raft", default="", metavar="FILE")
    given = parser.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    alone = [o.Flow(gaps=str(gap)) for gap in GAPS]
    ways = {"DIS medium, each gap alone": alone} | {f"DIS {preset}": [o.Flow(preset=preset)] for preset in ("fast", "medium", "fine")}
    if given.raft:
        ways["RAFT"] = [o.Flow(method="raft", weights=given.raft, gaps=",".join(map(str, GAPS)))]
    told: dict[str, list[tuple[list[list[tuple[float, float, float]]], float]]] = {label: [] for label in ways}
    for name in given.shots:
        shot = render(name, START + GAPS[-1], (width, height))
        with tempfile.TemporaryDirectory() as held:
            folders = write_stages(shot, Path(held))
            for label, several in ways.items():
                told[label].append(run(shot, several, folders, Path(held) / label))
    print("| way | " + " | ".join(f"{gap} apart" for gap in GAPS) + " | CPU-s |\n|---|" + "---|" * (len(GAPS) + 1))
    for label, results in told.items():
        cells = []
        for (median, mean, wrong), moved in np.mean([figures for figures, _ in results], 0):
            cells.append(f"{median:.3f}, {mean:.2f}, {wrong:.1%} (moving {moved[0]:.2f}, {moved[1]:.2f}, {moved[2]:.0%})")
        print(f"| {label} | " + " | ".join(cells) + f" | {np.mean([spent for _, spent in results]):.2f} |", flush=True)


if __name__ == "__main__":
    main()
