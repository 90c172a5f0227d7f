"""Bench: true in-between frames of real clips against every built-in method; prints a table in Markdown.

    .venv/bin/python tests/bench/interpolate.py [--triplets 6] [--clips snowboarder_x2,bbb] [--ssim]
    .venv/bin/python tests/bench/interpolate.py --seven

Reads ../shared/clips; the made shots (`made_...`) are rendered here. Large pictures are halved. CPU seconds are those of one new frame, flow
included. --seven: seven frames between two of 1280x720, the motion of the two being looked for once; on a graphics card Super SloMo too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.metrics.image import interpolation_error, psnr, ssim  # noqa: E402
from engine.nets import super_slomo  # noqa: E402
from engine.slowmo import between, blocks, grid, look, motion, network, overlay  # noqa: E402
from engine.synth import shots  # noqa: E402

CLIPS = ROOT.parent / "shared" / "clips"
# name: (folder, frames between two that are kept, size)
SHOTS = {
    "snowboarder_x2": ("3_gt/vfi_snowboarder_60fps", 2, (640, 360)), "snowboarder_x4": ("3_gt/vfi_snowboarder_60fps", 4, (640, 360)),
    "bbb_x2": ("3_gt/vfi_bbb_60fps", 2, (960, 540)), "diabolo_x8": ("3_gt/vfi_diabolo_240fps", 8, (768, 424)),
    "juggle_park_x2": ("2_dynamic/juggle_park", 2, (640, 360)), "lady_running_x2": ("2_dynamic/lady_running", 2, (854, 480)),
    "husky_lawn_x2": ("2_dynamic/husky_lawn", 2, (640, 360)), "golf_cart_x2": ("1_static/golf_cart_alley", 2, (640, 360)),
    "highway_x2": ("1_static/highway_drive", 2, (640, 360)), "bedroom_x2": ("2_dynamic/bedroom_children", 2, (640, 360)),
    "skateboarder_x2": ("2_dynamic/skateboarder_bowl", 2, (640, 360)),
}
# name: (recipe, frames of it between two that are kept): motion of a grown clip's size, and the true picture in the middle
MADE = {"made_handheld_x2": ("handheld", 4), "made_large_mover_x2": ("large_mover", 4), "made_orbit_x2": ("orbit", 8)}
SEVEN = (1280, 720)


@dataclass(frozen=True)
class Case:
    """Two frames with their neighbours where there are any, and a true picture between them."""

    around: list[np.ndarray | None]  # before, first, second, after: float32 RGB 0..255
    truth: np.ndarray
    t: float
    overlay: np.ndarray | None = None  # what is burnt into the shot


def middlebury() -> Iterator[Case]:
    for truth in sorted((CLIPS / "3_gt/vfi_middlebury/gt").glob("*/frame10i11.png")):
        pair = [_read(CLIPS / "3_gt/vfi_middlebury/input" / truth.parent.name / f"frame1{i}.png") for i in (0, 1)]
        yield Case([None, *pair, None], _read(truth), 0.5)


def vimeo() -> Iterator[Case]:
    for folder in sorted((CLIPS / "3_gt/vfi_vimeo_septuplets").glob("*/*")):
        f = [_read(folder / f"im{i}.png") for i in range(1, 8)]
        yield Case([f[0], f[2], f[4], f[6]], f[3], 0.5)


def shot(name: str, count: int) -> Iterator[Case]:
    folder, step, size = SHOTS[name]
    path = next(entry for entry in sorted((CLIPS / folder).iterdir()) if entry.is_file())
    frames = _decode(path, 13 * count + 3 * step, size)
    last = len(frames) - 2 * step - 1
    still = overlay.find(frames[at].astype(np.float32) for at in np.linspace(0, len(frames) - 1, overlay.SAMPLES).astype(int))
    for start in np.unique(np.linspace(step, last, count).astype(int)):
        for k in sorted({step // 2, step // 4} - {0}):
            around = [frames[start + i * step].astype(np.float32) for i in (-1, 0, 1, 2)]
            yield Case(around, frames[start + k].astype(np.float32), k / step, still)


def made(name: str, count: int) -> Iterator[Case]:
    """Pictures of a shot whose scene is known at any time."""
    recipe, step = MADE[name]
    scene = replace(shots.SHOTS[recipe](24 * step), exposure=0.0)  # a jitter of the light cannot be foreseen by anyone
    for start in range(step, step * (count + 1), step):
        f = [shots.picture(scene, start + step * k, (640, 360))[0].astype(np.float32) for k in (-1, 0, 0.5, 1, 2)]
        yield Case([f[0], f[1], f[3], f[4]], f[2], 0.5)


def _read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), 1), cv2.COLOR_BGR2RGB).astype(np.float32)


def _decode(path: Path, count: int, size: tuple[int, int]) -> list[np.ndarray]:
    out = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            out.append(cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA))
            if len(out) == count:
                break
    return out


def blend(case: Case) -> np.ndarray:
    return case.around[1] * (1 - case.t) + case.around[2] * case.t


def minterpolate(case: Case) -> np.ndarray:
    known = [frame for frame in case.around if frame is not None]
    lead = int(case.around[0] is not None)
    parts = next(n for n in range(2, 65) if abs(case.t * n - round(case.t * n)) < 1e-6)
    wanted = lead * parts + round(case.t * parts)
    return next(picture for at, picture in blocks.interpolated(known, parts) if at == wanted).astype(np.float32)


def midpoint(case: Case) -> np.ndarray:
    """DIS, each picture moved along its own flow, blended."""
    _, a, b, _ = case.around
    found = motion.find(a, b)
    return look.look(a, -case.t * found.forward) * (1 - case.t) + look.look(b, -(1 - case.t) * found.backward) * case.t


def ours(case: Case) -> np.ndarray:
    before, a, b, after = case.around
    still = case.overlay

    def find(first: np.ndarray, second: np.ndarray) -> motion.Motion:
        found = motion.find(first, second)
        return found if still is None else motion.Motion(*(overlay.freed(flow, still) for flow in (found.forward, found.backward)))

    back = None if before is None else find(before, a).backward
    onward = None if after is None else find(b, after).forward
    course = motion.course(find(a, b), back, onward)
    squares = grid.find(a)

    def make(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return grid.apart(lambda a, b: between.render(between.plan(a, b, course, case.t, still), a, b), a, b, squares)

    return make(a, b) if still is None else overlay.apart(make, a, b, case.t, still)


METHODS = {"blend": blend, "minterpolate": minterpolate, "DIS midpoint": midpoint, "ours": ours}


def measure(cases: Iterator[Case], with_ssim: bool) -> dict[str, np.ndarray]:
    """Rows of (PSNR, IE, SSIM, CPU s) by method. A clip needs each pair's motion once, so that of the neighbours is not counted twice."""
    rows: dict[str, list] = {name: [] for name in METHODS}
    for case in cases:
        for name, method in METHODS.items():
            began = time.process_time()
            made = np.clip(np.rint(method(case)), 0, 255)
            spent = time.process_time() - began
            rows[name].append((psnr(made, case.truth), interpolation_error(made, case.truth), ssim(made, case.truth) if with_ssim else 0, spent))
    return {name: np.array(row) for name, row in rows.items()}


def seven() -> None:
    """CPU seconds of seven frames between two, without reading and writing them."""
    path = next(entry for entry in sorted((CLIPS / "3_gt/vfi_snowboarder_60fps").iterdir()) if entry.is_file())
    around = [frame.astype(np.float32) for frame in _decode(path, 4, SEVEN)]
    times = [k / 8 for k in range(1, 8)]

    def ours() -> list[np.ndarray]:
        back, here, onward = (motion.find(around[k], around[k + 1]) for k in range(3))
        course = motion.course(here, back.backward, onward.forward)
        return [between.render(between.plan(*around[1:3], course, t), *around[1:3]) for t in times]

    def dis() -> list[np.ndarray]:
        a, b = around[1:3]
        found = motion.find(a, b)
        return [look.look(a, -t * found.forward) * (1 - t) + look.look(b, -(1 - t) * found.backward) * t for t in times]

    print(f"| seven frames between two at {SEVEN[0]}x{SEVEN[1]} | CPU s |\n|---|---|")
    for name, make in (("minterpolate (reads four frames)", lambda: list(blocks.interpolated(around, 8))), ("DIS midpoint", dis), ("ours", ours)):
        began = time.process_time()
        make()
        print(f"| {name} | {time.process_time() - began:.2f} |", flush=True)
    if torch.cuda.is_available():
        print(f"| Super SloMo on {torch.cuda.get_device_name()}, s of wall time | {_on_a_card(*around[1:3], times):.4f} |")


def _on_a_card(first: np.ndarray, second: np.ndarray, times: list[float]) -> float:
    """Seconds from two pictures to seven, with both ways over the bus; weights make no difference to it, so random ones serve."""
    device = torch.device("cuda")
    sight = network.Sight(super_slomo.SuperSloMo().eval().to(device, memory_format=torch.channels_last), device)
    tile, batch = network.limits(SEVEN, torch.cuda.mem_get_info()[0] // 2)
    assert batch >= len(times), "this card does not hold them at once"
    took = []
    for _ in range(8):  # the first ones record
        began = time.perf_counter()
        network.Pair(sight, first, second, tile).at(times, 8)  # ends in main memory, so nothing is left to wait for
        took.append(time.perf_counter() - began)
    return sorted(took)[len(took) // 2]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seven", action="store_true")
    parser.add_argument("--triplets", type=int, default=4)
    parser.add_argument("--clips", default="")
    parser.add_argument("--ssim", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if given.seven:
        return seven()
    wanted = given.clips.split(",") if given.clips else ["middlebury", "vimeo", *SHOTS, *MADE]
    print("| clip | frames | " + " | ".join(f"{name} dB" for name in METHODS) + " | worst frame against blend | CPU s: minterpolate, DIS, ours |")
    print("|---|---|" + "---|" * (len(METHODS) + 2))
    means = []
    for name in wanted:
        stills = {"middlebury": middlebury, "vimeo": vimeo}
        cases = stills[name]() if name in stills else (made if name in MADE else shot)(name, given.triplets)
        rows = measure(cases, given.ssim)
        means.append([row.mean(0) for row in rows.values()])
        worst = (rows["ours"][:, 0] - rows["blend"][:, 0]).min()
        cells = [f"{row[:, 0].mean():.2f}" + (f" / {row[:, 2].mean():.3f} / {row[:, 1].mean():.2f}" if given.ssim else "") for row in rows.values()]
        spent = ", ".join(f"{rows[m][:, 3].mean():.2f}" for m in list(METHODS)[1:])
        print(f"| {name} | {len(rows['ours'])} | " + " | ".join(cells) + f" | {worst:+.2f} | {spent} |", flush=True)
    mean = np.mean(means, 0)
    print("| mean of clips | | " + " | ".join(f"{row[0]:.2f}" for row in mean) + " | | " + ", ".join(f"{row[3]:.2f}" for row in mean[1:]) + " |")


if __name__ == "__main__":
    main()
