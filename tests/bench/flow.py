"""Optical flow against the truth of made shots, at frames 1, 4 and 8 apart.

`python tests/bench/flow.py [SHOT …] [--size WxH] [--raft FILE]`

Error: length of the difference to the true flow in px, of pixels that are in sight on both frames: median, mean (20 px at most), share above
1 px; that of what moves beside it. CPU seconds for one pair both ways. FILE: weights of RAFT (the full model), whose rows then join.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.media.flow import dis, settled  # noqa: E402
from engine.synth.caster import cast, displaced  # noqa: E402
from engine.synth.shots import SHOTS, picture  # noqa: E402

Way = Callable[[np.ndarray, np.ndarray], np.ndarray]  # two RGB pictures [H, W, 3] uint8 -> flow [H, W, 2] px
GAPS = (1, 4, 8)


def truth(name: str, gap: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of the first frame and the one `gap` later, true flow [H, W, 2] px, where it is in sight on both, what moves [H, W]."""
    scene = SHOTS[name](GAPS[-1] + 1)
    hit, later = cast(scene, 0, size), cast(scene, gap, size)
    ends, depth = displaced(scene, hit, 0, gap, size)
    start = np.stack(np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5), -1)
    x, y = (np.floor(ends[..., axis]).astype(int) for axis in (0, 1))
    inside = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1]) & (depth > 0)
    met = later.depth[y.clip(0, size[1] - 1), x.clip(0, size[0] - 1)]
    moving = np.array([body.mover for body in scene.bodies] + [False])[hit.index]
    return picture(scene, 0, size)[0], picture(scene, gap, size)[0], ends - start, inside & (np.abs(met - depth) < 0.03 * depth + 0.01), moving


def grey(picture: np.ndarray) -> np.ndarray:
    """[H, W] uint8."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def ways(weights: str) -> dict[str, Way]:
    """Every way by its name."""
    out: dict[str, Way] = {preset: lambda a, b, preset=preset: dis(grey(a), grey(b), preset) for preset in ("fast", "medium", "fine")}  # type: ignore[misc]
    out = {f"DIS {name}": way for name, way in out.items()}
    if weights:
        import torch
        import torch.nn.functional as F

        from engine import device
        from engine.flow_network import ROUNDS
        from engine.nets import raft

        where = device.pick()
        net = raft.load(Path(weights), where)

        @torch.inference_mode()
        def plain(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            pair = [torch.tensor(p).permute(2, 0, 1)[None].to(where).float() for p in (a, b)]
            margin = (0, -a.shape[1] % raft.STEP, 0, -a.shape[0] % raft.STEP)
            found = net(*(F.pad(p, margin, mode="replicate") for p in pair), rounds=ROUNDS)
            return np.ascontiguousarray(found[0, :, : a.shape[0], : a.shape[1]].permute(1, 2, 0).cpu().numpy())

        out["RAFT, not settled"] = plain
        out["RAFT"] = lambda a, b: settled(grey(a), grey(b), plain(a, b))
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shots", nargs="*", default=["handheld", "crossing", "orbit", "large_mover"])
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--raft", default="", metavar="FILE")
    given = parser.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    cv2.setNumThreads(1)
    print("| way | " + " | ".join(f"{gap} apart" for gap in GAPS) + " | CPU-s |\n|---|" + "---|" * (len(GAPS) + 1))
    known = {(name, gap): truth(name, gap, (width, height)) for name in given.shots for gap in GAPS}
    for label, way in ways(given.raft).items():
        cells, before = [], time.process_time()
        for gap in GAPS:
            figures = []
            for name in given.shots:
                first, second, flow, seen, moving = known[name, gap]
                far = np.linalg.norm(way(first, second) - flow, axis=-1)
                figures.append([measure(far[mask]) for mask in (seen, seen & moving)])
            (median, mean, wrong), moved = np.mean(figures, 0)
            cells.append(f"{median:.3f}, {mean:.2f}, {wrong:.1%} (moving {moved[0]:.2f}, {moved[1]:.2f}, {moved[2]:.0%})")
        spent = (time.process_time() - before) * 2 / len(known)
        print(f"| {label} | " + " | ".join(cells) + f" | {spent:.2f} |", flush=True)


def measure(far: np.ndarray) -> tuple[float, float, float]:
    """Median, mean of at most 20, and the share above 1."""
    return float(np.median(far)), float(np.minimum(far, 20).mean()), float((far > 1).mean())


if __name__ == "__main__":
    main()
