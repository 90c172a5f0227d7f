"""The mattes room, the choice of subjects: which of the things found are wanted, joined or dropped; standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..contract.options import Mattes
from ..failures import RequestFailure, ShotFailure

SHORTEST = 3  # frames: what is seen in fewer is a flicker, not a subject


@dataclass(frozen=True)
class Subject:
    """One thing: its ids in the label maps, px of area in each frame that shows it, and where its middle and its borders are on average (0..1)."""

    ids: frozenset[int]
    areas: dict[int, int]
    middle: tuple[float, float] = (0.5, 0.5)
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)  # left, top, right, bottom

    @property
    def mean_area(self) -> float:
        """px, over the frames that show it."""
        return sum(self.areas.values()) / max(1, len(self.areas))


def choose(found: list[Subject], pixels: int, frames: int, options: Mattes) -> dict[str, Subject]:
    """The wanted subjects by name: largest first, filtered by size and place, then joined, then kept or dropped by rank."""
    region = _region(options.region)
    worth = [
        subject for subject in found
        if len(subject.areas) >= min(SHORTEST, frames) and subject.mean_area >= options.least * pixels and _lies(subject, region, options.inside)
    ]
    worth.sort(key=lambda subject: (-sum(subject.areas.values()), min(subject.ids)))
    ranks = {rank: subject for rank, subject in enumerate(worth, 1)}
    for group in _groups(options.join):
        parts = [ranks.pop(rank) for rank in group if rank in ranks]
        if parts:
            ranks[min(group)] = joined(parts)
    wanted = [rank for group in _groups(options.keep) for rank in group] or sorted(ranks)
    dropped = {rank for group in _groups(options.drop) for rank in group}
    chosen = {called(rank, options.names): ranks[rank] for rank in wanted if rank in ranks and rank not in dropped}
    if not chosen:
        raise ShotFailure(
            "no-movers", "There is nothing to matte.",
            "Nothing in this shot moves by itself, or it is smaller or elsewhere than the options allow.",
            "Raise the sensitivity of 'Find what moves', lower 'Smallest', or draw masks.", {"movers": {"sensitivity": 2.0}},
        )
    return dict(list(chosen.items())[: options.subjects])


def called(rank: int, names: str) -> str:
    """What the subject of a rank is called, which is also its folder: the name given for it, or 'subject_1'."""
    given = [name.strip() for name in names.split(",")] if names.strip() else []
    said = [name for name in given if name]
    if len({name.casefold() for name in said}) < len(said) or not all(re.fullmatch(r"\w[\w -]{0,39}", name) for name in said):
        raise RequestFailure(
            "wrong-option", "The subjects cannot be named so.", f"'{names}' holds a name twice, or one that no folder can have.",
            "Write names of letters, digits, spaces and dashes, such as 'singer,drummer'.",
        )
    return given[rank - 1] if rank <= len(given) and given[rank - 1] else f"subject_{rank}"


def joined(parts: list[Subject]) -> Subject:
    """Several subjects as one."""
    areas: dict[int, int] = {}
    for part in parts:
        for frame, area in part.areas.items():
            areas[frame] = areas.get(frame, 0) + area
    total = sum(sum(part.areas.values()) for part in parts) or 1
    middle = [sum(part.middle[axis] * sum(part.areas.values()) for part in parts) / total for axis in (0, 1)]
    low, high = ([pick(part.box[at] for part in parts) for at in axes] for pick, axes in ((min, (0, 1)), (max, (2, 3))))
    return Subject(frozenset().union(*(part.ids for part in parts)), areas, (middle[0], middle[1]), (*low, *high))


def _lies(subject: Subject, region: tuple[float, float, float, float], wholly: bool) -> bool:
    left, top, right, bottom = region
    low, high = (subject.box[:2], subject.box[2:]) if wholly else (subject.middle, subject.middle)
    return left <= low[0] and high[0] <= right and top <= low[1] and high[1] <= bottom


def _groups(text: str) -> list[list[int]]:
    try:
        return [[int(rank) for rank in group.split("+")] for group in text.split(",") if group.strip()]
    except ValueError:
        raise RequestFailure("wrong-option", "The subjects cannot be chosen.", f"'{text}' is no list of ranks.",
                             "Write '1,3' to keep, '1+2' to join.") from None


def _region(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in (text or "0,0,1,1").split(","))
    except ValueError:
        raise RequestFailure("wrong-option", "The region cannot be read.", f"'{text}' is not four numbers.",
                             "Write 'left,top,right,bottom', each 0 to 1.") from None
    return left, top, right, bottom
