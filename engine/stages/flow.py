"""The stage 'flow': dense flow both ways between frames at the gaps that later stages ask for, never across a cut."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .. import device, store
from ..ahead import ahead, one_thread_each
from ..contract.options import Flow as Options
from ..failures import RequestFailure, ShotFailure
from ..media.flow import both_ways, flow_path, write_flow
from ..media.frames import Frames, working_size
from ..stage import Inputs, Report


def run(inputs: Inputs, options: Options, report: Report, room: Path) -> None:
    """Pairs go to threads in the order of their frames, so that only a window of frames stays in memory."""
    gaps = [gap * inputs.request.step for gap in _gaps(options.gaps)]
    threads = device.threads()
    frames = Frames(inputs["frames"], keep=max(gaps) + 4 * threads)
    if len(frames) < 2:
        raise ShotFailure(
            "too-short", "There is no motion to measure.", "The clip has a single frame.", "Use at least two frames.",
        )
    size = working_size(frames.size, options.size)
    pairs = list(_pairs(frames, gaps))
    repeats = set(frames.duplicates)
    shares: list[float] = []

    def submit(pool: ThreadPoolExecutor, pair: tuple[int, int]) -> Future[float]:
        a, b = pair
        still = all(number in repeats for number in frames.numbers if a < number <= b)
        return pool.submit(_lay_down, frames, a, b, size, options.preset, still, room)

    with one_thread_each():
        for _, share in ahead(submit, pairs, threads):
            shares.append(share)
            report.progress(len(shares), len(pairs) + 1)
    store.write_json(room / "flow.json", {"size": list(size), "gaps": gaps, "preset": options.preset})
    report.progress(1, 1)
    report.used = f"DIS {options.preset} at {size[0]} x {size[1]} px, both ways, gaps {', '.join(map(str, gaps))}"
    report.figures.update(pairs=len(pairs), size=list(size), valid=round(float(np.mean(shares)), 4) if shares else 0.0)


def _pairs(frames: Frames, gaps: list[int]) -> Iterator[tuple[int, int]]:
    """Frame numbers (a, b), a < b, of all pairs inside a stretch without cut; sorted by b."""
    for span in frames.spans():
        there = set(span)
        for b in span:
            yield from ((b - gap, b) for gap in gaps if b - gap in there)


def _lay_down(frames: Frames, a: int, b: int, size: tuple[int, int], preset: str, still: bool, room: Path) -> float:
    """Write the flow of one pair both ways where it does not stand yet; returns the share of pixels where it holds."""
    forth, back = flow_path(room, a, b), flow_path(room, b, a)
    if forth.is_file() and back.is_file():
        with np.load(forth, allow_pickle=False) as file:
            return float(file["valid"].mean())
    if still:  # b repeats a
        nothing, holds = np.zeros((size[1], size[0], 2), np.float32), np.ones((size[1], size[0]), bool)
        flows = (nothing, holds, nothing, holds)
    else:
        flows = both_ways(frames.gray(a, size), frames.gray(b, size), preset)
    write_flow(forth, flows[0], flows[1])
    write_flow(back, flows[2], flows[3])
    return float(flows[1].mean())


def _gaps(text: str) -> list[int]:
    """'1,2,4' -> [1, 2, 4], sorted, each once."""
    try:
        gaps = sorted({int(part) for part in text.replace(";", ",").split(",") if part.strip()})
    except ValueError:
        gaps = []
    if not gaps or gaps[0] < 1 or gaps[-1] > 64:
        raise RequestFailure(
            "wrong-option", "The gaps of the flow cannot be used.", f"'{text}' is no list of whole numbers from 1 to 64.",
            "Write them like 1,2,4,8.", {"flow": {"gaps": "1,2,4,8"}},
        )
    return gaps
