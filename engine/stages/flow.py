"""The stage 'flow': dense flow both ways between frames at the gaps that later stages ask for, never across a cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from .. import device, store
from ..ahead import ahead, one_thread_each
from ..contract.options import Flow as Options
from ..failures import RequestFailure, ShotFailure
from ..media.arrays import read_arrays
from ..media.farther import begun
from ..media.flow import Flows, both_ways, checked, flow_path, read_flow, settled, write_flow
from ..media.frames import Frames, working_size
from ..stage import Inputs, Report

Pair = tuple[int, int]
Find = Callable[[int, int, list[Pair]], Callable[[], Flows]]  # of frames a and b, and the pairs that make up this one: what is left for a thread to do


def run(inputs: Inputs, options: Options, report: Report, room: Path) -> None:
    """Pairs go to threads in the order of their frames, so that only a window of frames stays in memory."""
    gaps = [gap * inputs.request.step for gap in _gaps(options.gaps)]
    threads = device.threads()
    lag = max(2, threads // 2)  # frames by which each longer gap is behind
    frames = Frames(inputs["frames"], keep=max(gaps) + lag * len(gaps) + 4 * threads)
    if len(frames) < 2:
        raise ShotFailure(
            "too-short", "There is no motion to measure.", "The clip has a single frame.", "Use at least two frames.",
        )
    size = working_size(frames.size, options.size)
    pairs = list(_pairs(frames, gaps, lag))
    repeats = set(frames.duplicates)
    shares: list[float] = []
    how, find = _raft(inputs, options, frames, size, max(gaps) + lag * len(gaps)) if options.method == "raft" else _dis(options, frames, size, room)
    under_way: dict[Pair, Future[float]] = {}

    def submit(pool: ThreadPoolExecutor, pair: Pair) -> Future[float]:
        a, b = pair
        if flow_path(room, a, b).is_file() and flow_path(room, b, a).is_file():
            under_way[pair] = pool.submit(_share, flow_path(room, a, b))
        else:
            repeated = all(number in repeats for number in frames.numbers if a < number <= b)
            parts = [part for part in _parts(a, b, gaps) if part in under_way]
            work = partial(_nothing, size) if repeated else find(a, b, parts)
            under_way[pair] = pool.submit(_lay_down, room, a, b, [under_way[part] for part in parts], work)
        return under_way[pair]

    with one_thread_each():
        for _, share in ahead(submit, pairs, threads):
            shares.append(share)
            report.progress(len(shares), len(pairs) + 1)
    store.write_json(room / "flow.json", {"size": list(size), "gaps": gaps, "method": how})
    report.progress(1, 1)
    report.used = f"{how} at {size[0]} x {size[1]} px, both ways, gaps {', '.join(map(str, gaps))}"
    report.figures.update(pairs=len(pairs), size=list(size), valid=round(float(np.mean(shares)), 4) if shares else 0.0)


def _dis(options: Options, frames: Frames, size: tuple[int, int], room: Path) -> tuple[str, Find]:
    """What lies farther apart is begun from the flows of its two parts, as they are written."""
    def work(a: int, b: int, parts: list[Pair]) -> Flows:
        pictures = frames.gray(a, size), frames.gray(b, size)
        if len(parts) < 2:
            return both_ways(*pictures, options.preset)
        return begun(*pictures, *(tuple(read_flow(flow_path(room, *way))[0] for way in (part, part[::-1])) for part in parts), options.preset)

    return f"DIS {options.preset}", lambda a, b, parts: partial(work, a, b, parts)


def _raft(inputs: Inputs, options: Options, frames: Frames, size: tuple[int, int], reach: int) -> tuple[str, Find]:
    """The network works in the order of the pairs, where it is called; threads settle and write what it found."""
    from .. import flow_network, weights

    path = Path(options.weights) if options.weights else weights.need("raft", {"flow": {"method": "dis"}})
    network = flow_network.Network(path, inputs.device, frames, size, reach + 1)

    def find(a: int, b: int, parts: list[Pair]) -> Callable[[], Flows]:
        there, back = network.between(a, b)
        return partial(_settled, frames.gray(a, size), frames.gray(b, size), there, back)

    return f"RAFT ({path.name})", find


def _settled(a: np.ndarray, b: np.ndarray, there: np.ndarray, back: np.ndarray) -> Flows:
    return checked(settled(a, b, there), settled(b, a, back))


def _pairs(frames: Frames, gaps: list[int], lag: int) -> Iterator[Pair]:
    """Frame numbers (a, b), a < b, of all pairs inside a stretch without cut, each after its parts; longer gaps lag behind, lest threads wait."""
    for span in frames.spans():
        there = set(span)
        for place in range(len(span) + lag * len(gaps)):
            for rank, gap in enumerate(gaps):
                at = place - lag * rank
                if 0 <= at < len(span) and span[at] - gap in there:
                    yield span[at] - gap, span[at]


def _parts(a: int, b: int, gaps: list[int]) -> list[Pair]:
    """The two pairs that make up this one; none where it must be searched as a whole."""
    ways = [(abs(b - a - 2 * gap), a + gap) for gap in gaps if b - a - gap in gaps]
    return [(a, min(ways)[1]), (min(ways)[1], b)] if ways else []


def _nothing(size: tuple[int, int]) -> Flows:
    """Between a frame and one that repeats it."""
    still, holds = np.zeros((size[1], size[0], 2), np.float32), np.ones((size[1], size[0]), bool)
    return still, holds, still, holds


def _lay_down(room: Path, a: int, b: int, parts: list[Future[float]], find: Callable[[], Flows]) -> float:
    """Write the flow of one pair both ways, once those of its parts stand; returns the share of pixels where it holds."""
    for part in parts:  # they were given to threads before this one, so that none waits for ever
        part.result()
    there, holds, back, holds_back = find()
    write_flow(flow_path(room, a, b), there, holds)
    write_flow(flow_path(room, b, a), back, holds_back)
    return float(holds.mean())


def _share(path: Path) -> float:
    """The same, of a pair that stands."""
    return float(read_arrays(path)["valid"].mean())


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
