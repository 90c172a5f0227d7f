"""Bench: the retimed camera between the frames of made shots, against the truth at those times. Run from the repository's root:

    .venv/bin/python tests/bench/retime.py orbit handheld loop [--frames 24] [--size 640] [--factor 8] [--keep FOLDER]

Two rows a shot: from the true camera, what interpolation alone loses; and from what the engine solves. An object is set onto 300 places of the
still scene on the middle frame; its slip is how far it then stands from that place of the plate, at times between frames and on them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import camera as bench  # noqa: E402

from engine.contract.options import Flow, Frames, Movers, Solve  # noqa: E402
from engine.geometry import camera as cameras  # noqa: E402
from engine.geometry import pose, similarity  # noqa: E402
from engine.slowmo.path import camera_at  # noqa: E402
from engine.slowmo.timeline import Timeline  # noqa: E402
from engine.stages import flow, frames, movers, solve  # noqa: E402
from engine.synth import shots  # noqa: E402
from engine.synth.caster import SKY, cast  # noqa: E402
from engine.synth.scene import Scene  # noqa: E402


def true_camera(scene: Scene, times: np.ndarray, size: tuple[int, int]) -> cameras.Camera:
    """The camera that shot it at any times, numbered from 1."""
    views, n = [scene.view(time) for time in times], len(times)
    return cameras.Camera(
        np.arange(1, n + 1), np.stack([v.world_from_camera for v in views]), np.array([[v.focal * size[0]] * 2 for v in views]),
        np.tile(np.array(size) / 2, (n, 1)), np.array([v.distortion for v in views]), np.ones(n, bool), size,
    )


def solved_camera(name: str, count: int, size: int, root: Path) -> cameras.Camera:
    """What the engine makes of the shot's film."""
    clip, _, _ = bench.shot(name, count, size, root)
    pictures, _ = bench.once(root, "frames", lambda: bench.run(frames, Frames(size=size), root, "frames", clip=clip))
    flows, _ = bench.once(root, "flow", lambda: bench.run(flow, Flow(), root, "flow", frames=pictures))
    masks, _ = bench.once(root, "movers", lambda: bench.run(movers, Movers(), root, "movers", frames=pictures, flow=flows))
    room, _ = bench.once(root, "solve", lambda: bench.run(solve, Solve(), root, "solve", frames=pictures, movers=masks))
    return cameras.load(room / "camera.npz")


def slip(made: cameras.Camera, truth: cameras.Camera, scene: Scene, middle: int, time: float) -> np.ndarray:
    """[M, 300] px between where each camera sees places that both put on the same pixel of row `middle`; nan where out of sight."""
    width, height = truth.size
    hit = cast(scene, time, truth.size)
    still = (hit.depth < SKY) & ~np.array([body.mover for body in scene.bodies] + [False])[hit.index]
    y, x = np.nonzero(still)
    chosen = np.random.default_rng(0).choice(len(x), 300, replace=False)
    scale = similarity.align(made.place, truth.place).scale
    seen = []
    for one, factor in ((made, 1 / scale), (truth, 1.0)):
        local = one.rays(middle, truth.size)[y[chosen], x[chosen]] * hit.depth[y[chosen], x[chosen], None] * factor
        world = local @ one.world_from_camera[middle, :3, :3].T + one.place[middle]
        seen.append(np.stack([one.project(np.full(300, row), world)[0] for row in range(len(one.frame))]))
    inside = ((seen[1] > 0) & (seen[1] < (width, height))).all(-1)
    return np.where(inside, np.linalg.norm(seen[0] - seen[1], axis=-1), np.nan)


def row(name: str, source: str, made: cameras.Camera, truth: cameras.Camera, scene: Scene, factor: int) -> None:
    """One line of the table."""
    whole = np.arange(0, len(truth.frame), factor)
    between = np.setdiff1d(np.arange(len(truth.frame)), whole)
    length = np.linalg.norm(np.diff(truth.place, axis=0), axis=1).sum()
    place = np.linalg.norm(similarity.align(made.place[whole], truth.place[whole]).points(made.place) - truth.place, axis=1) * 100 / length
    turn, true_turn = made.world_from_camera[:, :3, :3], truth.world_from_camera[:, :3, :3]
    bridge = pose.mean_rotation(true_turn[whole] @ np.swapaxes(turn[whole], 1, 2))
    angle = np.degrees(pose.angle_between(bridge @ turn, true_turn))
    middle = int(whole[len(whole) // 2])
    off = slip(made, truth, scene, middle, middle / factor)
    cells = [f"{part[between].max():.4f} ({part[whole].max():.4f})" for part in (angle, place)]
    cells += [f"{np.nanpercentile(off[between], q):.2f} ({np.nanpercentile(off[whole], q):.2f})" for q in (50, 95, 100)]
    print(f"| {name} | {source} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shots", nargs="+")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--factor", type=int, default=8)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    print("| shot | from | turn, degrees | place, % of path | slip median, px | 95 % | worst |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.shots:
            scene = shots.SHOTS[name](given.frames)
            times = np.arange((given.frames - 1) * given.factor + 1) / given.factor
            track = Timeline(np.arange(1, given.frames + 1), np.zeros(given.frames, int))
            truth = true_camera(scene, times, (given.size, given.size * 9 // 16))
            root = (given.keep or Path(scratch)) / name
            root.mkdir(parents=True, exist_ok=True)
            sources = {"true camera": true_camera(scene, np.arange(given.frames), truth.size), "solve": solved_camera(name, given.frames, given.size, root)}
            for source, camera in sources.items():
                row(name, source, camera_at(camera, track, [track.locate(1 + t) for t in times]), truth, scene, given.factor)


if __name__ == "__main__":
    main()
