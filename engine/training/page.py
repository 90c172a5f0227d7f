"""Training room: a page to watch a training by — curves, pictures side by side, slices over time; static HTML, no script, no torch."""

from __future__ import annotations

import html
from pathlib import Path

from .. import store

COLOURS = ("#222222", "#c0392b", "#2471a3", "#1e8449", "#b9770e", "#7d3c98", "#117a65", "#909497")
WIDE, HIGH, LEFT = 760, 260, 52


def write(room: Path, title: str, curve: list[dict[str, float]], phases: list[str]) -> None:
    """report.html and loss.json beside the pictures of `room`: epoch_NNN.png, frame_NNNNNN.png, slice.png."""
    store.write_json(room / "loss.json", curve)
    names = list(dict.fromkeys(name for told in curve for name in told))
    parts = [f"<h1>{html.escape(title)}</h1>", f"<p>{len(curve)} epochs; the last total is {curve[-1]['total']:.4f}.</p>"]
    parts += [_plot(name, [told.get(name) for told in curve], phases, COLOURS[k % len(COLOURS)]) for k, name in enumerate(names)]
    for heading, pattern in (("Plate, start, learned", "frame_*.png"), ("Over time", "slice.png"), ("While it learned", "epoch_*.png")):
        pictures = sorted(room.glob(pattern))
        if pictures:
            parts.append(f"<h2>{heading}</h2>")
            parts += [f'<figure><img src="{path.name}" alt="{path.stem}"><figcaption>{path.stem}</figcaption></figure>' for path in pictures]
    style = "body{font:15px sans-serif;margin:2em auto;max-width:1200px}img{max-width:100%}figure{margin:0 0 1em}svg{margin:0 1em 1em 0}"
    text = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title><style>{style}</style>{"".join(parts)}</html>'
    with store.beside(room / "report.html") as fresh:
        fresh.write_text(text, encoding="utf-8")


def _plot(name: str, values: list[float | None], phases: list[str], colour: str) -> str:
    """One loss over the epochs as SVG; a grey line where a phase begins."""
    known = [value for value in values if value is not None]
    low, high = min(0.0, *known), max(known) or 1.0

    def x(epoch: float) -> float:
        return LEFT + (WIDE - LEFT - 10) * epoch / max(1, len(values) - 1)

    def y(value: float) -> float:
        return 20 + (HIGH - 50) * (1 - (value - low) / max(high - low, 1e-9))

    lines = [f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{_points(values, x, y)}"/>']
    for epoch, phase in enumerate(phases):
        if epoch == 0 or phases[epoch - 1] != phase:
            lines.append(f'<line x1="{x(epoch):.1f}" x2="{x(epoch):.1f}" y1="20" y2="{HIGH - 30}" stroke="#cccccc"/>')
            lines.append(f'<text x="{x(epoch) + 3:.1f}" y="{HIGH - 12}" font-size="12" fill="#666666">{html.escape(phase)}</text>')
    lines.append(f'<text x="{LEFT}" y="14" font-size="14">{html.escape(name)}</text>')
    lines += [f'<text x="2" y="{y(value) + 4:.1f}" font-size="12">{value:.3g}</text>' for value in (low, high)]
    return f'<svg width="{WIDE}" height="{HIGH}" viewBox="0 0 {WIDE} {HIGH}">{"".join(lines)}</svg>'


def _points(values: list[float | None], x, y) -> str:  # type: ignore[no-untyped-def]
    return " ".join(f"{x(k):.1f},{y(value):.1f}" for k, value in enumerate(values) if value is not None)
