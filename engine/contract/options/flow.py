"""Options of the stage 'flow'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Flow:
    """Dense optical flow between frames."""

    size: int = option(
        640, "Working size", "Longest side at which flow, movers and depth are computed", low=64, high=4096, unit="px",
    )
    method: str = option(
        "dis", "Method", "How motion is found",
        choices=(
            ("dis", "DIS", "Dense inverse search; quick on any computer, needs no weights"),
            ("raft", "RAFT", "This network, with weights of your own: follows large and thin motions much better; for a graphics card"),
        ),
    )
    weights: str = option(
        "", "Weights", "The file raft-sintel.pth or raft-things.pth; empty takes the one that is installed", kind="file", only=("method", "raft"),
        installed=("raft.pth",),
    )
    preset: str = option(
        "medium", "Quality", "How long the flow may take",
        choices=(
            ("fast", "Fast", "About a fifth of the time, less exact at thin things"),
            ("medium", "Medium", "The best value for time"),
            ("fine", "Fine", "Three times slower, with two thirds of the error"),
        ),
        only=("method", "dis"),
    )
    gaps: str = option(
        "1,2,4,8", "Gaps", "Distances in frames between which flow is computed, separated by commas", advanced=True,
    )
