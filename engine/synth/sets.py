"""Synth room: the still courtyards and the moving figures that the shots are made of; imports numpy and the room itself."""

from __future__ import annotations

from typing import Callable

import numpy as np

from .scene import Body, Pose, rigid, still

Path2 = Callable[[float], tuple[float, float, float]]  # time in frames -> x, y, yaw


def courtyard(seed: int, reach: float = 8.0, things: int = 16, clear: float = 1.6) -> tuple[Body, ...]:
    """Ground, three walls at `reach` metres and things scattered between; nothing nearer than `clear` to the middle."""
    random = np.random.default_rng(seed)
    bodies = [
        Body("box", (60, 60, 0.5), still((0, 0, -0.5)), "pavement"),
        Body("box", (reach * 1.5, 0.3, 2.6), still((0, reach, 2.6)), "brick"),
        Body("box", (0.3, reach * 1.2, 2.1), still((-reach * 1.1, 0, 2.1), 0.1), "plaster"),
        Body("box", (0.3, reach * 1.2, 2.4), still((reach * 1.1, 0, 2.4), -0.12), "brick"),
        Body("box", (0.9, 0.15, 1.1), still((-1.8, reach - 0.35, 1.1)), "planks"),
        Body("box", (0.7, 0.2, 0.6), still((2.6, reach - 0.3, 2.6)), "teal"),
    ]
    return (*bodies, *scatter(random, things, clear, reach * 0.85))


def tabletop() -> tuple[Body, ...]:
    """A table, 0.75 m high, and small things on it: what a steep look from above sees."""
    random = np.random.default_rng(5)
    things = [Body(("box", "drum", "ball")[k % 3], (half, half, half), still((x, y, 0.75 + half), random.uniform(0, 3)), ("crimson", "teal", "ochre")[k % 3])
              for k, (x, y, half) in enumerate(random.uniform((-0.4, -0.25, 0.02), (0.4, 0.4, 0.06), (6, 3)))]
    return (Body("box", (60, 60, 0.5), still((0, 0, -0.5)), "pavement"), Body("box", (2.0, 1.2, 0.03), still((0, 0.2, 0.72), 0.3), "plaster"), *things)


def stairs(steps: int = 9, rise: float = 0.17, tread: float = 0.3) -> tuple[Body, ...]:
    """A flight of steps between two walls, and the ground before it: many planes, none of which holds most points."""
    flight = [Body("box", (1.6, tread / 2, rise * (k + 1) / 2), still((0, tread * (k + 0.5), rise * (k + 1) / 2)), "pavement") for k in range(steps)]
    walls = [Body("box", (0.15, 4.0, 3.0), still((side * 1.75, 2.4, 3.0)), "brick") for side in (-1, 1)]
    return (Body("box", (60, 60, 0.5), still((0, 0, -0.5)), "pavement"), *flight, *walls, Body("box", (3, 0.2, 3), still((0, 5, 3)), "plaster"))


def scatter(random: np.random.Generator, count: int, clear: float, reach: float) -> list[Body]:
    """Crates, barrels, bushes and pots standing on the ground between two radii, apart from one another."""
    taken: list[tuple[float, float, float]] = []
    bodies: list[Body] = []
    while len(taken) < count:
        radius, angle = np.sqrt(random.uniform(clear**2, reach**2)), random.uniform(-np.pi, np.pi)
        x, y, half = radius * np.cos(angle), radius * np.sin(angle), random.uniform(0.22, 0.55)
        if all(np.hypot(x - a, y - b) > half + c + 0.25 for a, b, c in taken):
            taken.append((x, y, half))
            bodies += _thing(random, len(taken), x, y, half)
    return bodies


def _thing(random: np.random.Generator, number: int, x: float, y: float, half: float) -> list[Body]:
    yaw = random.uniform(0, np.pi)
    kind = number % 4
    if kind == 0:
        tall = half * random.uniform(1.1, 1.6)
        return [Body("drum", (half * 0.8, half * 0.8, tall), still((x, y, tall)), ("ochre", "crimson", "teal")[number % 3])]
    if kind == 1:
        stem = Body("drum", (half * 0.6, half * 0.6, half * 0.5), still((x, y, half * 0.5)), "brick")
        crown = [Body("ball", (half * r, half * r, half * r), still((x + half * a, y + half * b, half * c)), "moss")
                 for r, a, b, c in ((0.9, 0, 0, 1.6), (0.6, 0.5, 0.3, 2.1), (0.55, -0.5, -0.2, 2.2))]
        return [stem, *crown]
    crate = Body("box", (half, half * random.uniform(0.7, 1.1), half), still((x, y, half), yaw), "planks")
    top = half * random.uniform(0.45, 0.7)
    upper = Body("box", (top, top, top), still((x + 0.05, y, 2 * half + top), yaw + random.uniform(0.2, 1.0)),
                 ("teal", "plaster", "ochre", "denim")[int(random.integers(4))])
    return [crate, upper] if kind == 2 else [crate]


def figure(path: Path2, height: float = 1.75, stride: float = 24.0, shirt: str = "crimson") -> tuple[Body, ...]:
    """A walking figure of primitives: limbs swing once per `stride` frames, the torso breathes (a little non-rigid)."""
    unit = height / 1.75

    def joint(x: float, y: float, z: float, swing: float, phase: float, drop: float) -> Pose:
        """A limb hanging from a joint at (x, y, z) of the body, swinging about the body's x axis."""
        def pose(time: float) -> np.ndarray:
            where_x, where_y, yaw = path(time)
            turn = swing * np.sin(2 * np.pi * time / stride + phase)
            bob = 0.03 * unit * np.cos(4 * np.pi * time / stride)
            return (rigid((where_x, where_y, bob), yaw) @ rigid((x * unit, y * unit, z * unit), roll=turn)
                    @ rigid((0, 0, -drop * unit)))
        return pose

    def limb(shape: str, size: tuple[float, float, float], skin: str, pose: Pose, breathes: bool = False) -> Body:
        stretch = (lambda time: (1 + 0.05 * np.sin(time / 5), 1 + 0.07 * np.sin(time / 5), 1.0)) if breathes else None
        return Body(shape, (size[0] * unit, size[1] * unit, size[2] * unit), pose, skin, True, stretch)

    parts = [
        limb("ball", (0.24, 0.17, 0.36), shirt, joint(0, 0, 1.15, 0.04, 0.0, 0), True),
        limb("ball", (0.12, 0.13, 0.15), "skin", joint(0, 0.01, 1.60, 0.06, 0.7, 0)),
        limb("ball", (0.135, 0.15, 0.08), "moss", joint(0, 0.0, 1.70, 0.06, 0.7, 0)),
    ]
    for side, phase in ((-1.0, 0.0), (1.0, np.pi)):
        parts += [
            limb("ball", (0.09, 0.10, 0.44), "denim", joint(side * 0.11, 0, 0.86, 0.48, phase, 0.40)),
            limb("box", (0.06, 0.13, 0.05), "ochre", joint(side * 0.11, 0.06, 0.86, 0.48, phase, 0.81)),
            limb("ball", (0.065, 0.075, 0.34), shirt, joint(side * 0.28, 0, 1.40, 0.6, phase + np.pi, 0.31)),
            limb("ball", (0.055, 0.06, 0.08), "skin", joint(side * 0.28, 0.02, 1.40, 0.6, phase + np.pi, 0.66)),
        ]
    return tuple(parts)


def walking(start: tuple[float, float], yaw: float, speed: float) -> Path2:
    """Straight on from `start`; the figure looks along its own y axis; speed in metres a second at 24 fps."""
    ahead = (-np.sin(yaw), np.cos(yaw))
    return lambda time: (start[0] + ahead[0] * speed * time / 24, start[1] + ahead[1] * speed * time / 24, yaw)


def rolling(start: tuple[float, float], yaw: float, speed: float, turn: float) -> Path2:
    """From `start` along the own x axis, which turns by `turn` radians a frame; speed in metres a second at 24 fps."""
    def path(time: float) -> tuple[float, float, float]:
        if abs(turn) < 1e-9:
            return start[0] + np.cos(yaw) * speed * time / 24, start[1] + np.sin(yaw) * speed * time / 24, yaw
        radius, now = speed / 24 / turn, yaw + turn * time
        return start[0] + radius * (np.sin(now) - np.sin(yaw)), start[1] - radius * (np.cos(now) - np.cos(yaw)), now
    return path


def cart(path: Path2) -> tuple[Body, ...]:
    """A laden cart, rigid: a bed on four rollers, and what lies on it."""
    def part(shape: str, size: tuple[float, float, float], skin: str, place: tuple[float, float, float]) -> Body:
        return Body(shape, size, lambda time: rigid((*path(time)[:2], 0.0), path(time)[2]) @ rigid(place), skin, True)

    rollers = [part("ball", (0.13, 0.06, 0.13), "denim", (x, y, 0.13)) for x in (-0.42, 0.42) for y in (-0.3, 0.3)]
    load = [part("box", (0.28, 0.28, 0.24), "teal", (-0.25, 0.02, 0.52)), part("drum", (0.2, 0.2, 0.32), "crimson", (0.3, 0.0, 0.6))]
    return (part("box", (0.62, 0.36, 0.08), "planks", (0, 0, 0.2)), *rollers, *load)


def balloon(start: tuple[float, float, float], step: tuple[float, float, float], radius: float = 0.35) -> Body:
    """A ball in the air, `step` metres a frame, turning and swelling as it goes."""
    def stretch(time: float) -> tuple[float, float, float]:
        return (1 + 0.06 * np.sin(time / 6), 1.0, 1 - 0.05 * np.sin(time / 6))
    return Body("ball", (radius, radius, radius), lambda time: rigid(np.add(start, np.multiply(step, time)), 0.03 * time), "crimson", True, stretch)
