"""Stage consistent_depth: depth that agrees with itself over time, at the scale of the solve; no bpy.

`temporal` averages every frame with its neighbours, in seconds. `growth`, the default, first sets every mover's distance by how its
picture grows. `scene_flow` goes on from there and learns where what moves is, by the motion that it must have; `published` fine-tunes
a depth network on whole frames (training/ holds the state of either, the loss curve, previews and report.html).
"""

from __future__ import annotations

from pathlib import Path

from .. import store
from ..camera.learned import FOLDER, loss_of
from ..contract.options import ConsistentDepth
from ..dense import guess, look, parallel, summary
from ..dense.by_network import ByNetwork
from ..dense.by_scene_flow import ByFlow, gaps, weights
from ..dense.copies import write_copies
from ..dense.shot import Shot
from ..dense.temporal import Temporal
from ..media.frames import write_depth
from ..stage import Inputs, Report
from ..training import page


def run(inputs: Inputs, options: ConsistentDepth, report: Report, room: Path) -> None:
    """One %06d.exr per frame with Z and confidence, and depth.json; copies for other programs on request."""
    shot = Shot(inputs["frames"], inputs["flow"], inputs["orient"], inputs["scene_movers"])
    learned = _learner(shot, options, inputs, room, report)
    total = (learned.steps if learned else 0) + len(shot.numbers)
    if learned:
        learned.learn(report, total)
    steady = Temporal(shot, inputs["depth"], options, inputs.device, learned.frame if learned else None)
    todo = [number for number in shot.numbers if not summary.exr(room, number).is_file()]
    done = [total - len(todo)]

    def step() -> None:
        done[0] += 1
        report.progress(done[0], total)

    def make(number: int) -> None:
        write_depth(summary.exr(room, number), *steady.frame(number))

    parallel.each(todo, make, inputs.device, step)
    report.used = f"robust agreement of {2 * options.reach + 1} frames, still points by the cameras, movers along flow"
    if learned:
        learned.tell(report)
    if not (room / "depth.json").is_file():
        store.write_json(room / "depth.json", summary.of(room, shot.numbers, shot.size))
    write_copies(shot, options, inputs["depth"], room)
    curve = (learned.fit.curve if learned and learned.fit else []) or loss_of(inputs["orient"])
    if options.page or curve:
        _page(shot, inputs, report.used, curve, room)


def _page(shot: Shot, inputs: Inputs, used: str, curve: list[dict[str, float]], room: Path) -> None:
    """report/report.html: what there is to see of this depth."""
    depths = {"depth": inputs["depth"], "consistent": room}
    names = look.pictures(shot, depths, guess.of(inputs.get("prior")) or guess.of(inputs["orient"] / FOLDER), room / "report")
    told = f"{used[:1].upper()}{used[1:]}. From left to right: {', '.join(names)}."
    page.write(room / "report", "Depth", curve, ["learning"] * len(curve), look.world(shot, room), told)


def _learner(shot: Shot, options: ConsistentDepth, inputs: Inputs, room: Path, report: Report) -> ByFlow | ByNetwork | None:
    """What the chosen method trains; None where it does not."""
    if options.method in ("growth", "scene_flow"):
        return ByFlow(shot, inputs["depth"], options, inputs.device, room, report)
    if options.method == "published":
        return ByNetwork(shot, inputs["depth"], options, inputs.device, room, weights(options.weights), gaps(options.gaps))
    return None
