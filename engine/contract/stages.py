"""The contract's table of stages: what each is called, reads and makes; standard library only.

A new stage is one line here, one file in options/, one file engine/stages/<name>.py, and its test.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import options as o


@dataclass(frozen=True)
class Stage:
    """One step of the work. `weight` is its rough share of the time, for one progress bar over all."""

    name: str
    label: str
    options: type
    needs: tuple[str, ...]  # must be there
    uses: tuple[str, ...]  # taken along where the plan holds them
    makes: tuple[str, ...]  # kinds in artifacts.py
    weight: float
    version: int  # raised when the same options give another result


STAGES = (
    Stage("frames", "Read the clip", o.Frames, (), (), ("frames",), 1, 4),
    Stage("flow", "Optical flow", o.Flow, ("frames",), (), ("flow",), 4, 2),
    Stage("movers", "Find what moves", o.Movers, ("frames", "flow"), (), ("masks",), 2, 1),
    Stage("solve", "Solve the camera", o.Solve, ("frames", "movers"), (), ("camera", "tracks", "points"), 4, 21),
    Stage("orient", "Upright and to scale", o.Orient, ("frames", "solve"), (), ("camera", "points"), 0.3, 3),
    Stage("scene_movers", "Tell moving from still", o.SceneMovers, ("frames", "flow", "orient", "movers"), (), ("masks",), 4, 13),
    Stage("prior", "Depth by a network", o.Prior, ("frames",), (), ("prior",), 0.5, 1),
    Stage("depth", "Depth", o.Depth, ("frames", "orient", "flow", "scene_movers", "prior"), (), ("depth",), 4, 16),
    Stage(
        "consistent_depth", "Consistent depth", o.ConsistentDepth, ("frames", "depth", "orient", "flow", "scene_movers"), ("prior",),
        ("depth",), 3, 16,
    ),
    Stage("cloud", "Point cloud", o.Cloud, ("frames", "consistent_depth", "orient", "flow", "scene_movers"), (), ("cloud",), 1, 3),
    Stage("export", "Export the camera", o.Export, ("frames", "orient"), (), ("exports",), 0.5, 2),
    Stage("mattes", "Mattes", o.Mattes, ("frames", "flow", "movers"), ("scene_movers",), ("mattes",), 3, 17),
    Stage("interpolate", "Slow motion", o.Interpolate, ("frames",), (), ("slowmo",), 4, 7),
    Stage(
        "retime", "Retime camera, depth, mattes", o.Retime, ("frames", "interpolate"), ("orient", "consistent_depth", "mattes"),
        ("retimed",), 1, 5,
    ),
)
BY_NAME = {stage.name: stage for stage in STAGES}

# What a user may ask for, and the stages whose results answer it.
WANTS = {
    "camera": ("orient",),
    "depth": ("consistent_depth",),
    "cloud": ("cloud",),
    "mattes": ("mattes",),
    "slowmo": ("interpolate", "retime"),
    "export": ("export",),
}


def plan(wants: tuple[str, ...]) -> tuple[Stage, ...]:
    """The stages that answer `wants`, each after what it needs."""
    todo = {name for want in wants for name in WANTS[want]}
    missing = set(todo)
    while missing:
        needed = {need for name in missing for need in BY_NAME[name].needs}
        missing = needed - todo
        todo |= needed
    return tuple(stage for stage in STAGES if stage.name in todo)
