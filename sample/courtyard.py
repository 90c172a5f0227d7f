"""The sample shot's still scene: a market courtyard in late sun; knows bpy and the sample's own files."""

from __future__ import annotations

import math
import random
from typing import Any

import bpy
import materials
from solids import ball, box, cloth, leaves, turned

BARREL = [(0.0, 0.0), (0.24, 0.0), (0.27, 0.08), (0.315, 0.28), (0.325, 0.42), (0.315, 0.56),
          (0.27, 0.76), (0.24, 0.84), (0.225, 0.84), (0.22, 0.80), (0.0, 0.80)]
POT = [(0.0, 0.0), (0.15, 0.0), (0.21, 0.22), (0.225, 0.30), (0.245, 0.30), (0.245, 0.36), (0.215, 0.36), (0.205, 0.31), (0.0, 0.31)]
JUG = [(0.0, 0.0), (0.08, 0.0), (0.12, 0.06), (0.14, 0.16), (0.11, 0.27), (0.055, 0.34), (0.05, 0.40), (0.07, 0.43), (0.055, 0.43), (0.0, 0.36)]


class Courtyard:
    """Builds the set once; every part is still."""

    def __init__(self) -> None:
        self.dice = random.Random(7)
        self.wood = materials.wood()
        self.pale = materials.wood((0.22, 0.13, 0.06), (0.62, 0.44, 0.25))
        self.iron = materials.speckled("Iron", (0.03, 0.028, 0.025), (0.16, 0.13, 0.11), 20, 0.5, 0.8)
        self.clay = materials.speckled("Clay", (0.28, 0.10, 0.05), (0.62, 0.29, 0.16), 16)
        self.glaze = materials.speckled("Glaze", (0.02, 0.10, 0.16), (0.10, 0.34, 0.42), 9, 0.3)
        self.leaf = materials.speckled("Leaf", (0.02, 0.07, 0.015), (0.16, 0.30, 0.06), 7, 0.6)
        self.light()
        self.walls()
        self.stall()
        self.things()
        self.flags()

    def light(self) -> None:
        """Late sun from the left, a pale blue sky."""
        world = bpy.data.worlds.new("Sky")
        bpy.context.scene.world = world
        if not world.node_tree:
            world.use_nodes = True
        world.node_tree.nodes["Background"].inputs[0].default_value = (0.50, 0.66, 0.95, 1)
        world.node_tree.nodes["Background"].inputs[1].default_value = 0.75
        lamp = bpy.data.lights.new("Sun", "SUN")
        lamp.energy, lamp.angle, lamp.color = 5.2, math.radians(1.2), (1.0, 0.86, 0.68)
        sun = bpy.data.objects.new("Sun", lamp)
        sun.rotation_euler = (math.radians(46), math.radians(-18), math.radians(-38))
        bpy.context.scene.collection.objects.link(sun)

    def walls(self) -> None:
        """Ground; a worn back wall with a gate to a lane behind it; side walls; windows with shutters."""
        box("Ground", (40, 40, 0.2), materials.cobbles(), (0, 0, -0.1), bevel=0)
        worn, plaster = materials.bricks(0.47), materials.bricks(0.36)
        box("Back left", (7.4, 0.35, 6.0), worn, (-2.75, 4.2, 3.0), bevel=0)
        box("Back right", (4.6, 0.35, 6.0), worn, (4.85, 4.2, 3.0), bevel=0)
        box("Back top", (1.6, 0.35, 3.6), worn, (1.75, 4.2, 4.2), bevel=0)
        box("Lintel", (2.1, 0.42, 0.24), self.wood, (1.75, 4.17, 2.46))
        for side in (0.86, 2.60):
            box("Post", (0.2, 0.42, 2.36), self.wood, (side, 4.17, 1.18))
        box("Lane", (12, 0.3, 7), plaster, (1.0, 9.5, 3.5), bevel=0)
        box("Left", (0.35, 16, 6), plaster, (-5.2, 0, 3), bevel=0.02)
        box("Right", (0.35, 16, 6), worn, (5.6, 0, 3), bevel=0.02)
        shutter = materials.wood((0.02, 0.09, 0.09), (0.10, 0.30, 0.28))
        for x in (-3.3, 3.9):
            box("Window", (0.86, 0.1, 1.15), self.iron, (x, 4.02, 2.55), bevel=0)
            for side in (-1, 1):
                box("Shutter", (0.45, 0.06, 1.2), shutter, (x + side * 0.66, 3.98, 2.55))
            box("Sill", (1.1, 0.2, 0.09), self.pale, (x, 3.98, 1.93))
        box("Step", (1.9, 0.7, 0.16), self.clay, (1.75, 3.85, 0.08))

    def stall(self) -> None:
        """A table of fruit under a striped awning."""
        x, y = -1.75, 2.55
        for i in range(5):
            box("Board", (2.5, 0.19, 0.05), self.wood, (x, y - 0.4 + 0.2 * i, 0.86), (0, 0, self.dice.uniform(-0.008, 0.008)))
        for side in (-1, 1):
            for depth in (-0.38, 0.38):
                box("Leg", (0.09, 0.09, 0.84), self.wood, (x + side * 1.12, y + depth, 0.42))
        cover = materials.stripes("Awning", (0.55, 0.06, 0.05), (0.80, 0.74, 0.62), 0.19)
        for side in (-1, 1):
            box("Pole", (0.06, 0.06, 2.25), self.pale, (x + side * 1.3, y - 0.75, 1.12))
        cloth("Awning", [(x - 1.4, y + 1.35, 2.75), (x + 1.4, y + 1.35, 2.75), (x + 1.4, y - 0.85, 2.2), (x - 1.4, y - 0.85, 2.2)], 0.10, cover)
        cloth("Valance", [(x - 1.4, y - 0.85, 2.2), (x + 1.4, y - 0.85, 2.2), (x + 1.4, y - 0.9, 1.98), (x - 1.4, y - 0.9, 1.98)], 0.0, cover)
        rinds = [materials.speckled(n, a, b, 12, 0.45) for n, a, b in (
            ("Orange", (0.62, 0.20, 0.01), (0.95, 0.42, 0.04)), ("Apple", (0.35, 0.01, 0.01), (0.75, 0.10, 0.05)),
            ("Lime", (0.14, 0.26, 0.02), (0.42, 0.55, 0.08)))]
        for i, rind in enumerate(rinds):
            self.fruit_crate(x - 0.8 + 0.8 * i, y - 0.12, rind)
        turned("Jug", JUG, self.glaze, (x + 1.13, y + 0.1, 0.885))

    def fruit_crate(self, x: float, y: float, rind: Any) -> None:
        """An open crate, heaped."""
        z = 0.885
        for side in (-1, 1):
            box("Slat", (0.66, 0.025, 0.16), self.pale, (x, y + side * 0.24, z + 0.08))
            box("Slat", (0.025, 0.48, 0.16), self.pale, (x + side * 0.33, y, z + 0.08))
        for layer, (columns, rows) in enumerate(((6, 4), (5, 3), (3, 2))):
            for i in range(columns):
                for j in range(rows):
                    at = (x + (i - (columns - 1) / 2) * 0.108 + self.dice.uniform(-0.01, 0.01),
                          y + (j - (rows - 1) / 2) * 0.112 + self.dice.uniform(-0.01, 0.01), z + 0.075 + layer * 0.078)
                    ball("Fruit", (0.056, 0.056, 0.053), rind, at, (self.dice.uniform(0, 3), 0, self.dice.uniform(0, 6)), 16)

    def barrel(self, x: float, y: float, turn: float = 0.0) -> None:
        """Staves and three hoops."""
        turned("Barrel", BARREL, self.wood, (x, y, 0), (0, 0, turn))
        for z, radius in ((0.10, 0.283), (0.42, 0.330), (0.73, 0.283)):
            turned("Hoop", [(radius - 0.02, z - 0.025), (radius, z - 0.022), (radius, z + 0.022), (radius - 0.02, z + 0.025)], self.iron, (x, y, 0))

    def plant(self, x: float, y: float, scale: float, seed: int, height: float = 0.0) -> None:
        """A pot with a bush in it."""
        pot = turned("Pot", POT, self.clay, (x, y, height))
        pot.scale = (scale,) * 3
        leaves("Bush", 420, (0.34 * scale, 0.34 * scale, 0.46 * scale), 0.15 * scale, self.leaf, (x, y, height + 0.52 * scale), seed)

    def crate(self, x: float, y: float, z: float, size: float, turn: float) -> None:
        """A closed box of boards."""
        box("Crate", (size, size, size), self.pale, (x, y, z + size / 2), (0, 0, turn))
        c, s = math.cos(turn), math.sin(turn)
        for u in (-1, 1):
            for v in (-1, 1):
                a, b = u * (size / 2 - 0.035), v * (size / 2 + 0.008)
                box("Batten", (0.07, 0.025, size), self.wood, (x + a * c - b * s, y + a * s + b * c, z + size / 2), (0, 0, turn))

    def things(self) -> None:
        """What stands about, near and far."""
        for x, y in ((3.35, 3.1), (3.95, 2.75), (-4.3, -0.4)):
            self.barrel(x, y, self.dice.uniform(0, 3))
        self.crate(3.3, 1.35, 0.0, 0.62, 0.3)
        self.crate(3.32, 1.4, 0.62, 0.44, 0.75)
        self.crate(4.1, 1.7, 0.0, 0.55, -0.2)
        self.crate(-3.75, 1.7, 0.0, 0.60, 0.25)
        self.crate(-1.55, -1.75, 0.0, 0.42, 0.5)
        self.plant(-4.1, 2.9, 1.35, 1)
        self.plant(0.35, 3.65, 1.1, 2)
        self.plant(-3.72, 1.72, 0.75, 3, 0.60)
        self.plant(1.75, -1.55, 0.9, 4)
        turned("Tall jug", [(r * 1.5, z * 1.6) for r, z in JUG], self.glaze, (2.85, 3.55, 0))
        turned("Jug", JUG, self.clay, (-1.53, -1.77, 0.42))
        box("Bench", (1.3, 0.32, 0.07), self.wood, (3.3, -0.2, 0.42), (0, 0, 0.25))
        for side in (-1, 1):
            box("Bench leg", (0.08, 0.28, 0.40), self.wood, (3.3 + side * 0.5, -0.2 + side * 0.12, 0.2), (0, 0, 0.25))

    def flags(self) -> None:
        """A line of pennants across the yard."""
        colours = [materials.speckled(f"Flag {i}", tuple(0.6 * c for c in colour), colour, 30, 0.9) for i, colour in enumerate(
            ((0.75, 0.12, 0.08), (0.85, 0.62, 0.12), (0.08, 0.36, 0.48), (0.78, 0.74, 0.64)))]
        for i in range(19):
            x = -4.9 + 10.2 * i / 18
            z = 3.15 + 0.9 * ((i - 9) / 9) ** 2 * 0.6
            cloth("Flag", [(x - 0.18, 1.6, z), (x + 0.18, 1.6, z), (x + 0.02, 1.62, z - 0.42), (x - 0.02, 1.62, z - 0.42)], 0.0, colours[i % 4], 4)
            box("Line", (0.62, 0.012, 0.012), self.iron, (x, 1.6, z), (0, -math.atan(2 * 0.54 * (i - 9) / 81 * 18 / 10.2), 0), 0)
