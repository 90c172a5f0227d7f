"""Training room: a page to watch a result by — curves, pictures side by side, slices over time, the world to turn; static HTML, no torch.

Everything is in one file beside its pictures: it opens from the disk, fetches nothing and needs no server.
"""

from __future__ import annotations

import base64
import html
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import store

COLOURS = ("#222222", "#c0392b", "#2471a3", "#1e8449", "#b9770e", "#7d3c98", "#117a65", "#909497")
WIDE, HIGH, LEFT = 560, 220, 52
LATEST = 12  # pictures of one kind
MOST = 60_000  # points on a page
SCRIPT = Path(__file__).with_name("world.js")
STYLE = (
    "body{font:15px sans-serif;margin:2em auto;max-width:1200px;padding:0 1em;color:#222}img{max-width:100%}figure{margin:0 0 1em}"
    "svg{margin:0 1em 1em 0;max-width:100%}canvas{max-width:100%;background:#181818;touch-action:none;cursor:grab}figcaption,.small{color:#666;font-size:13px}"
)
PICTURES = (
    ("Side by side", "frame_*.png", "Plate, then what each method makes of its depth: near red, far blue, one range for the whole shot."),
    ("Over time", "slice.png", "One column of the picture, frame after frame from left to right: what flickers shows as stripes."),
    ("While it learned", "epoch_*.png", ""),
)


@dataclass(frozen=True)
class World:
    """What the page lets turn."""

    frames: list[int]
    poses: NDArray[np.float64]  # [T, 4, 4] world from camera
    focal: float  # of the picture's width
    aspect: float  # height of the picture over its width
    xyz: NDArray[np.float32]  # [N, 3]
    rgb: NDArray[np.uint8]  # [N, 3]


def write(room: Path, title: str, curve: list[dict[str, float]], phases: list[str], world: World | None = None, about: str = "") -> None:
    """report.html, and loss.json where something was learned, beside the pictures of `room`: epoch_NNN.png, frame_NNNNNN.png, slice.png."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    if about:
        parts.append(f"<p>{html.escape(about)}</p>")
    for heading, pattern, words in PICTURES:
        pictures = sorted(room.glob(pattern))[-LATEST:]
        if pictures:
            parts.append(f'<h2>{heading}</h2><p class="small">{words}</p>')
            parts += [f'<figure><img src="{path.name}" alt="{path.stem}"><figcaption>{path.stem}</figcaption></figure>' for path in pictures]
    if world is not None and len(world.poses):
        parts.append(_world(world))
    if curve:
        store.write_json(room / "loss.json", curve)
        names = ["total", *(name for name in dict.fromkeys(name for told in curve for name in told) if name != "total")]
        parts.append(f"<h2>Losses</h2><p>{len(curve)} epochs; the last total is {curve[-1]['total']:.4f}. Grey lines: a new phase begins.</p>")
        parts += [_plot(name, [told.get(name) for told in curve], phases, COLOURS[k % len(COLOURS)]) for k, name in enumerate(names)]
    text = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>{"".join(parts)}</html>'
    with store.beside(room / "report.html") as fresh:
        fresh.write_text(text, encoding="utf-8")


def _world(world: World) -> str:
    """The cloud, the camera's path and the script that turns them."""
    kept = np.linspace(0, len(world.xyz) - 1, min(MOST, len(world.xyz))).astype(int) if len(world.xyz) else np.zeros(0, int)
    xyz, place = np.asarray(world.xyz, "<f4")[kept], world.poses[:, :3, 3]
    middle = 0.6 * np.median(xyz, 0) + 0.4 * place.mean(0) if len(xyz) else place.mean(0)
    everything = np.concatenate([xyz, place]) if len(xyz) else place
    span = float(np.percentile(np.linalg.norm(everything - middle, axis=1), 90)) or 1.0
    held = json.dumps({
        "frames": world.frames, "poses": np.round(world.poses[:, :3], 6).tolist(), "lens": world.focal, "aspect": world.aspect, "middle": middle.tolist(),
        "span": span, "xyz": base64.b64encode(xyz.tobytes()).decode(), "rgb": base64.b64encode(np.asarray(world.rgb, np.uint8)[kept].tobytes()).decode(),
    })
    return (
        '<h2>The world</h2><p class="small">Drag to turn, scroll to come nearer. The line is the camera&#8217;s path.</p>'
        '<canvas id="world" width="1000" height="560"></canvas><p><input id="world-frame" type="range" min="0" max="0" value="0" style="width:60%"> '
        '<span id="world-label"></span> <label><input id="world-through" type="checkbox"> through the camera</label></p>'
        f'<script id="world-data" type="application/json">{held}</script><script>{SCRIPT.read_text(encoding="utf-8")}</script>'
    )


def _plot(name: str, values: list[float | None], phases: list[str], colour: str) -> str:
    """One loss over the epochs as SVG; a grey line where a phase begins."""
    known = [value for value in values if value is not None]
    low, high = min(0.0, *known), max(known) or 1.0

    def x(epoch: float) -> float:
        return LEFT + (WIDE - LEFT - 10) * epoch / max(1, len(values) - 1)

    def y(value: float) -> float:
        return 20 + (HIGH - 50) * (1 - (value - low) / max(high - low, 1e-9))

    ends = [(k, value) for k, value in enumerate(values) if value is not None]
    lines = [f'<circle cx="{x(k):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>' for k, value in ends[-1:]]
    lines += [f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{_points(values, x, y)}"/>']
    for epoch, phase in enumerate(phases):
        if epoch == 0 or phases[epoch - 1] != phase:
            lines.append(f'<line x1="{x(epoch):.1f}" x2="{x(epoch):.1f}" y1="20" y2="{HIGH - 30}" stroke="#cccccc"/>')
            lines.append(f'<text x="{x(epoch) + 3:.1f}" y="{HIGH - 12}" font-size="12" fill="#666666">{html.escape(phase)}</text>')
    lines.append(f'<text x="{LEFT}" y="14" font-size="14">{html.escape(name)}</text>')
    lines += [f'<text x="2" y="{y(value) + 4:.1f}" font-size="12">{value:.3g}</text>' for value in (low, high)]
    return f'<svg width="{WIDE}" height="{HIGH}" viewBox="0 0 {WIDE} {HIGH}">{"".join(lines)}</svg>'


def _points(values: list[float | None], x, y) -> str:  # type: ignore[no-untyped-def]
    return " ".join(f"{x(k):.1f},{y(value):.1f}" for k, value in enumerate(values) if value is not None)
