"""Figures of mattes on ../shared/clips: `python tests/bench/mattes.py [CLIP …] [--frames N] [--keep FOLDER]`; prints a table for RESULTS.md.

DAVIS clips: J and F of what moves (no prompt) where camera and mattes are both asked for, as an artist does, and of mattes alone; of the first
frame's true mask carried, and of a box round it. True-alpha clips: MAD, MSE, Grad, dtSSD; the same of `hair`, `fur`, `blur` and `glass`,
rendered by Cycles (alpha_shots.py, needs .venv-blender) over a made plate that moves.
`speed`: Robust Video Matting from PNG to PNG.
`stills`: the edge step inside the trimaps of alphamatting.com, beside pymatting where that is installed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine import store  # noqa: E402
from engine.contract import options as o  # noqa: E402
from engine.contract.job import Request  # noqa: E402
from engine.failures import Failure  # noqa: E402
from engine.mattes import closed_form, edge  # noqa: E402
from engine.media.frames import Frames, read_png, write_png  # noqa: E402
from engine.metrics import matting  # noqa: E402
from engine.stage import Inputs, Report  # noqa: E402
from engine.stages import flow, frames, mattes, movers, orient, scene_movers, solve  # noqa: E402

CLIPS = ROOT.parent / "shared" / "clips"
DAVIS = ("blackswan", "bmx-trees", "dog", "kite-surf", "motocross-jump")
ALPHA = ("matte_dancer_over_golf", "matte_lemur_fur_over_palawan")
RENDERED = ("hair", "fur", "blur", "glass")
WAYS = ("moving", "alone", "drawn", "box")


def prepare(clip: Path, last: int | None, root: Path, solved: bool = True) -> Inputs:
    """The stages before the mattes; those after the solve, if wanted, where the shot holds a camera."""
    request, folders = Request(str(clip), ("camera", "mattes"), str(root), last=last), {}
    before = (
        ("frames", frames, o.Frames()), ("flow", flow, o.Flow()), ("movers", movers, o.Movers()), ("solve", solve, o.Solve()),
        ("orient", orient, o.Orient()), ("scene_movers", scene_movers, o.SceneMovers()),
    )
    for name, stage, knobs in before if solved else before[:3]:
        done = root / f"{name}.done"  # kept from an earlier run
        if not done.exists():
            shutil.rmtree(root / name, ignore_errors=True)
            (root / name).mkdir(parents=True)
            try:
                stage.run(Inputs(request, dict(folders)), knobs, _report(name), root / name)
            except Failure as failure:
                print(f"  {clip.parent.name}: no camera ({failure.code}), mattes from flow alone")
                break
            done.touch()
        folders[name] = root / name
    return Inputs(request, folders)


def _report(name: str) -> Report:
    return Report(name, lambda message: None, lambda *step: None)


def matted(inputs: Inputs, room: Path, **knobs: object) -> dict[int, np.ndarray]:
    """All subjects together, [H, W] 0..1 by frame; zeros where the stage refuses."""
    numbers, size = Frames(inputs["frames"]).numbers, Frames(inputs["frames"]).size
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    try:
        mattes.run(inputs, o.Mattes(**knobs), _report("mattes"), room)
    except Failure as failure:
        print("  refused:", failure.code)
        return {number: np.zeros(size[::-1], np.float32) for number in numbers}
    folders = sorted(room.glob("subject_*/alpha"))
    return {n: np.max([read_png(folder / f"{n:06d}.png") for folder in folders], axis=0).astype(np.float32) / 65535 for n in numbers}


def truths(folder: Path, numbers: list[int]) -> dict[int, np.ndarray]:
    """The true masks or alphas 0..1 of the frames, by the number in the name."""
    return {n: cv2.imdecode(np.fromfile(folder / f"{n:05d}.png", np.uint8), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255 for n in numbers}


def davis(name: str, last: int | None, root: Path, ways: str) -> str:
    """One row: J, F without a prompt, with the camera and without, from the first mask, from the box of the first mask."""
    home = CLIPS / "3_gt" / f"davis_{name}"
    inputs = prepare(home / "JPEGImages" / "480p" / name, last, root, "moving" in ways)
    true = truths(home / "Annotations" / "480p" / name, Frames(inputs["frames"]).numbers)
    first = min(true)
    (root / "drawn").mkdir(exist_ok=True)
    shutil.copyfile(home / "Annotations" / "480p" / name / f"{first:05d}.png", root / "drawn" / f"{first:05d}.png")
    cells = []
    box = f"{first} box {','.join(f'{part:.3f}' for part in _box(true[first] > 0.5))}"
    knobs_of = {**dict.fromkeys(WAYS[:2], {}), "drawn": {"method": "drawn", "drawn": str(root / "drawn")}, "box": {"method": "drawn", "prompts": box}}
    for way, knobs in knobs_of.items():
        if way not in ways:
            cells += ["-"] * 3
            continue
        start = time.process_time()
        found = matted(_uncameraed(inputs) if way == "alone" else inputs, root / "room", **knobs)
        scores = [(matting.region(found[n] > 0.5, t > 0.5), matting.boundary(found[n] > 0.5, t > 0.5)) for n, t in true.items()]
        cells += [f"{value:.3f}" for value in np.mean(scores, axis=0)] + [f"{(time.process_time() - start) / len(true):.2f}"]
    return f"| {name} | {len(true)} | {' | '.join(cells)} |"


def _uncameraed(inputs: Inputs) -> Inputs:
    """What the stage reads where nobody asked for a camera."""
    return Inputs(inputs.request, {name: folder for name, folder in inputs.folders.items() if name in ("frames", "flow", "movers")})


def _box(mask: np.ndarray) -> tuple[float, ...]:
    """Left, top, right, bottom in parts of the picture."""
    (height, width), (y, x) = mask.shape, np.nonzero(mask)
    return x.min() / width, y.min() / height, (x.max() + 1) / width, (y.max() + 1) / height


def stills() -> list[str]:
    """Rows: MAD in the unknown band (x 1000) of both sets of trimaps, with CPU-seconds a still."""
    home, rows = CLIPS / "3_gt" / "alpha_alphamatting27", []
    methods = {
        "blurred mask": _blurred, "colour guided filter (ours)": partial(_ours, edge.within), "closed form (ours)": partial(_ours, closed_form.within),
        "closed form (pymatting)": _closed_form,
    }
    for name, method in methods.items():
        cells = []
        for trimaps in ("Trimap1", "Trimap2"):
            errors, start = [], time.process_time()
            for path in sorted((home / trimaps).glob("*.png")):
                picture, trimap, true = (cv2.imread(str(home / kind / path.name), flag) for kind, flag in (("Images", 1), (trimaps, 0), ("GroundTruth", 0)))
                found = method(picture[..., ::-1].astype(np.float32) / 255, trimap)
                if found is not None:
                    band = (trimap > 0) & (trimap < 255)
                    errors.append(1000 * float(np.abs(found - true / 255)[band].mean()))
            if not errors:
                return rows
            cells += [f"{np.mean(errors):.1f}", f"{(time.process_time() - start) / len(errors):.2f}"]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def _blurred(picture: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    """How much nearer the inside is than the outside."""
    inside, outside = (cv2.distanceTransform((trimap != value).astype(np.uint8), cv2.DIST_L2, 5) for value in (255, 0))
    return np.where(trimap == 255, 1, np.where(trimap == 0, 0, outside / np.maximum(inside + outside, 1e-6))).astype(np.float32)


def _ours(way: Callable[..., np.ndarray], picture: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    band = ((trimap > 0) & (trimap < 255)).astype(np.uint8)
    width = float(np.percentile(cv2.distanceTransform(band, cv2.DIST_L2, 5)[band > 0], 90))
    return way(picture, trimap == 255, trimap > 0, _blurred(picture, trimap), width)


def _closed_form(picture: np.ndarray, trimap: np.ndarray) -> np.ndarray | None:
    try:
        from pymatting import estimate_alpha_cf
    except ImportError:
        return None
    return estimate_alpha_cf(picture.astype(np.float64), trimap / 255)


def alpha(name: str, last: int | None, root: Path, ways: str, width: int, soft: str) -> str:
    """One row: the matting metrics of what moves, and of the first frame's true mask carried; with a band of `width`, made `soft`."""
    home = CLIPS / "5_derived" / name if name in ALPHA else rendered(name, last or 8, root / "shot")
    inputs = prepare(home / "rgb", last, root, "moving" in ways)
    true = truths(home / "alpha", Frames(inputs["frames"]).numbers)
    (root / "drawn").mkdir(exist_ok=True)
    shutil.copyfile(home / "alpha" / f"{min(true):05d}.png", root / "drawn" / f"{min(true):05d}.png")
    cells = []
    for way, knobs in (("moving", {}), ("drawn", {"method": "drawn", "drawn": str(root / "drawn")})):
        if way not in ways:
            cells += ["-"] * 4
            continue
        found, before, rows = matted(inputs, root / "room", edge=width, soft=soft, **knobs), None, []
        for n, t in true.items():
            flicker = matting.dtssd(found[n], found[before], t, true[before]) if before is not None else 0.0
            rows.append((matting.mad(found[n], t), matting.mse(found[n], t), matting.grad(found[n], t), flicker))
            before = n
        cells += [f"{value:.2f}" for value in np.mean(rows, axis=0)]
    return f"| {name} | {len(true)} | {' | '.join(cells)} |"


def rendered(name: str, count: int, home: Path) -> Path:
    """home/rgb and home/alpha: a thing of soft alpha, laid over a plate of noise and edges that moves another way."""
    if not (home / "layers" / f"{count:05d}.png").is_file():
        python, script = ROOT / ".venv-blender" / "bin" / "python", ROOT / "tests" / "bench" / "alpha_shots.py"
        subprocess.run([python, script, name, "--out", home / "layers", "--frames", str(count)], check=True, stdout=subprocess.DEVNULL)
    dice = np.random.default_rng(7)
    noise = [cv2.resize(dice.random((side, 2 * side, 3)), (1280, 640), interpolation=cv2.INTER_CUBIC) for side in (20, 80, 320)]
    wide = np.average(noise, axis=0, weights=(3, 2, 1))
    wide = np.clip(0.5 + 1.6 * (0.3 * wide + 0.7 * wide.mean(-1, keepdims=True) - 0.5), 0, 1)
    wide[:, ::90] *= 0.3
    for number in range(1, count + 1):
        layer = cv2.imread(str(home / "layers" / f"{number:05d}.png"), cv2.IMREAD_UNCHANGED).astype(np.float32) / 65535
        colour, alpha = layer[..., :3], layer[..., 3:]
        plate = wide[20 : 20 + len(layer), 300 - 3 * number :][:, : layer.shape[1]]
        write_png(home / "rgb" / f"{number:05d}.png", np.round(255 * (alpha * colour + (1 - alpha) * plate)).astype(np.uint8)[..., ::-1])
        write_png(home / "alpha" / f"{number:05d}.png", np.round(255 * alpha[..., 0]).astype(np.uint8))
    return home


def speed(size: tuple[int, int], root: Path, count: int, threads: int, turns: int = 2) -> str:
    """A row: seconds a frame from PNG to PNG, by the clock and of the CPU, one after the other as published against the stage's way, in turn;
    then CPU-seconds a frame of the network alone.
    """
    from engine import device
    from engine.mattes import people
    from engine.nets import rvm

    picture = cv2.imread(str(CLIPS / "3_gt" / "alpha_alphamatting27" / "Images" / "GT01.png"))[..., ::-1]
    for number in range(1, count + 1):
        write_png(root / "frames" / f"{number:06d}.png", np.roll(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), 8 * number, 1))
    about = {"size": size, "fps": "24/1", "frames": list(range(1, count + 1)), "times": [n / 24 for n in range(count)], "cuts": [], "duplicates": [], "bits": 8}
    store.write_json(root / "frames" / "clip.json", about)
    shot, net, cpu = Frames(root / "frames"), rvm.MattingNetwork().eval().requires_grad_(False), device.pick("cpu")
    torch.set_num_threads(threads or torch.get_num_threads())
    fused, ratio = rvm.fuse(net), rvm.auto_ratio(*size[::-1])

    def plain() -> None:  # not in inference mode: there the guided filter works in strips
        states = rvm.BLANK
        for number in shot.numbers:
            fgr, pha, states = net(people._read(shot, number).contiguous(), states, ratio)
            people._write(shot, number, root / "plain", fgr[0], pha[0, 0])

    def alone(ours: bool) -> float:
        """CPU-seconds a frame of the network by itself, the first frame left out."""
        used, states, picture = [], rvm.BLANK, people._read(shot, 1)
        with torch.inference_mode(ours):
            for _ in shot.numbers:
                start = time.process_time()
                _, _, states = (fused if ours else net)(picture if ours else picture.contiguous(), states, ratio)
                used.append(time.process_time() - start)
        return float(np.median(used[1:]))

    took: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": []}
    for turn in range(turns):
        for name, work in (("plain", plain), ("ours", lambda turn=turn: people.run(fused, "", shot, 0.0, cpu, root / f"ours{turn}", lambda done: None))):
            clock, used = time.perf_counter(), time.process_time()
            work()
            took[name].append(((time.perf_counter() - clock) / count, (time.process_time() - used) / count))
    cells = [f"{np.median([pair[at] for pair in took[name]]):.3f}" for at in (0, 1) for name in took]
    faster = np.median([a[0] / b[0] for a, b in zip(took["plain"], took["ours"])])
    nets = np.median([(alone(False), alone(True)) for _ in range(turns + 1)], axis=0)
    return f"| {size[0]}x{size[1]} | {torch.get_num_threads()} | {' | '.join(cells)} | {faster:.2f} | {nets[0]:.3f} | {nets[1]:.3f} | {nets[0] / nets[1]:.2f} |"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", default=[*DAVIS, *ALPHA, "stills"])
    parser.add_argument("--frames", type=int, help="only so many frames of each")
    parser.add_argument("--ways", default=",".join(WAYS), help="which masks: what moves beside a camera, without one, the first drawn, its box")
    parser.add_argument("--edge", type=int, default=o.Mattes().edge, help="half width of the soft band of the true-alpha clips, px at working size")
    parser.add_argument("--soft", default=o.Mattes().soft, help="what decides within that band")
    parser.add_argument("--threads", type=int, default=0, help="of the network, for `speed`; 0: as many as there are cores")
    parser.add_argument("--keep", type=Path, help="folder in which the stages before the mattes stay for the next run")
    chosen = parser.parse_args()
    if not CLIPS.is_dir():
        sys.exit("The clips in ../shared are absent.")
    last = chosen.frames - 1 if chosen.frames else None
    of_alpha = partial(alpha, width=chosen.edge, soft=chosen.soft)
    for kind, row, head in ((DAVIS, davis, f"| clip | frames | {' | '.join(f'J {way} | F {way} | CPU-s' for way in WAYS)} |"),
                            ((*ALPHA, *RENDERED), of_alpha, "| clip | frames | MAD moving | MSE | Grad | dtSSD | MAD drawn | MSE | Grad | dtSSD |")):
        names = [name for name in chosen.clips if name in kind]
        if names:
            print(head, "|---" * (head.count("|") - 1) + "|", sep="\n")
        for name in names:
            with tempfile.TemporaryDirectory() as scratch:
                print(row(name, last, chosen.keep / name if chosen.keep else Path(scratch), chosen.ways), flush=True)
    if "speed" in chosen.clips:
        print("| size | threads | plain s | ours s | plain CPU-s | ours CPU-s | times as fast | network plain CPU-s | ours | times as fast |")
        print("|---" * 10 + "|")
        for size in ((1280, 720), (1920, 1080)):
            with tempfile.TemporaryDirectory() as scratch:
                print(speed(size, Path(scratch), chosen.frames or 6, chosen.threads), flush=True)
    if "stills" in chosen.clips:
        print("| edge step | MAD, trimap 1 | CPU-s | MAD, trimap 2 | CPU-s |", "|---" * 5 + "|", *stills(), sep="\n")


if __name__ == "__main__":
    main()
