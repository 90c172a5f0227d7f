"""The sample shot's subject: a toy robot that walks through the yard, articulated and a little soft; knows bpy alone."""

from __future__ import annotations

import math
from typing import Any

import bpy
import materials
from solids import ball, box, turned

STRIDE = 26.0  # frames for two steps
SPEED = 0.036  # metres a frame


class Robot:
    """Parts on joints (empties), keyed on every frame and half frame."""

    def __init__(self) -> None:
        self.shell = materials.speckled("Shell", (0.62, 0.30, 0.02), (0.92, 0.58, 0.08), 18, 0.4)
        self.dark = materials.speckled("Dark", (0.02, 0.025, 0.03), (0.10, 0.11, 0.13), 22, 0.5)
        self.white = materials.speckled("White", (0.55, 0.55, 0.52), (0.85, 0.84, 0.80), 25, 0.5)
        self.scarf = materials.stripes("Scarf", (0.05, 0.22, 0.45), (0.75, 0.72, 0.66), 0.035)
        self.root = self.joint("Robot", None, (0, 0, 0))
        self.hips = self.joint("Hips", self.root, (0, 0, 0.56))
        self.build_body()
        self.legs = [self.build_leg(side) for side in (-1, 1)]
        self.arms = [self.build_arm(side) for side in (-1, 1)]

    def joint(self, name: str, parent: Any, place: tuple[float, float, float]) -> Any:
        """An empty to turn parts about."""
        empty = bpy.data.objects.new(name, None)
        empty.parent, empty.location = parent, place
        bpy.context.scene.collection.objects.link(empty)
        return empty

    def hang(self, part: Any, parent: Any) -> Any:
        """Parent a part; its place is then the joint's."""
        part.parent = parent
        return part

    def build_body(self) -> None:
        """Looks along +x. Torso, head with eyes and aerial, a scarf."""
        self.chest = self.joint("Chest", self.hips, (0, 0, 0.05))
        torso = [(0.0, 0.0), (0.13, 0.0), (0.17, 0.06), (0.20, 0.20), (0.205, 0.32), (0.17, 0.41), (0.08, 0.45), (0.0, 0.45)]
        self.hang(turned("Torso", torso, self.shell, (0, 0, 0)), self.chest)
        self.hang(box("Panel", (0.03, 0.18, 0.14), self.dark, (0.193, 0, 0.24)), self.chest)
        self.hang(ball("Lamp", (0.02, 0.03, 0.03), self.white, (0.21, 0.04, 0.26), segments=12), self.chest)
        self.hang(turned("Collar", [(0.09, 0.43), (0.155, 0.41), (0.165, 0.45), (0.15, 0.50), (0.09, 0.49)], self.scarf, (0, 0, 0)), self.chest)
        self.tail = self.joint("Scarf tail", self.chest, (-0.12, 0.07, 0.45))
        self.hang(box("Tail", (0.36, 0.10, 0.025), self.scarf, (-0.18, 0, -0.02)), self.tail)
        self.head = self.joint("Head", self.chest, (0, 0, 0.50))
        self.hang(box("Skull", (0.27, 0.31, 0.25), self.shell, (0, 0, 0.13), bevel=0.06), self.head)
        self.hang(box("Visor", (0.03, 0.25, 0.10), self.dark, (0.128, 0, 0.15), bevel=0.012), self.head)
        for side in (-1, 1):
            self.hang(ball("Eye", (0.012, 0.028, 0.028), self.white, (0.145, side * 0.065, 0.15), segments=12), self.head)
            ear = [(0.0, 0.0), (0.05, 0.0), (0.045, 0.035), (0.0, 0.035)]
            self.hang(turned("Ear", ear, self.dark, (0, side * 0.155, 0.13), (-side * math.pi / 2, 0, 0)), self.head)
        self.hang(turned("Aerial", [(0.0, 0.0), (0.01, 0.0), (0.006, 0.13), (0.0, 0.13)], self.dark, (-0.03, 0, 0.25)), self.head)
        self.hang(ball("Bobble", (0.028, 0.028, 0.028), self.scarf, (-0.03, 0, 0.40), segments=12), self.head)

    def build_leg(self, side: int) -> tuple[Any, Any]:
        """Thigh and shin with a foot; returns the joints of hip and knee."""
        hip = self.joint("Hip", self.hips, (0, side * 0.095, 0.05))
        self.hang(turned("Thigh", [(0.0, -0.29), (0.05, -0.29), (0.062, -0.16), (0.075, 0.0), (0.05, 0.05), (0.0, 0.05)], self.dark, (0, 0, 0), sides=20), hip)
        knee = self.joint("Knee", hip, (0, 0, -0.28))
        self.hang(turned("Shin", [(0.0, -0.25), (0.068, -0.25), (0.075, -0.12), (0.055, 0.02), (0.0, 0.03)], self.shell, (0, 0, 0), sides=20), knee)
        self.hang(box("Foot", (0.25, 0.13, 0.09), self.dark, (0.05, 0, -0.285), bevel=0.03), knee)
        return hip, knee

    def build_arm(self, side: int) -> tuple[Any, Any]:
        """Upper arm, forearm and a ball of a hand; returns the joints of shoulder and elbow."""
        shoulder = self.joint("Shoulder", self.chest, (0, side * 0.225, 0.37))
        self.hang(ball("Pad", (0.075, 0.06, 0.075), self.white, (0, 0, 0), segments=16), shoulder)
        self.hang(turned("Arm", [(0.0, -0.20), (0.038, -0.20), (0.045, -0.02), (0.0, 0.0)], self.dark, (0, side * 0.02, 0), sides=20), shoulder)
        elbow = self.joint("Elbow", shoulder, (0, side * 0.02, -0.20))
        self.hang(turned("Forearm", [(0.0, -0.20), (0.056, -0.20), (0.058, -0.08), (0.042, 0.02), (0.0, 0.03)], self.shell, (0, 0, 0), sides=20), elbow)
        self.hang(ball("Hand", (0.055, 0.05, 0.06), self.white, (0, 0, -0.24), segments=16), elbow)
        return shoulder, elbow

    def pose(self, time: float) -> None:
        """Everything at a time in frames, fractions allowed: no keys, so that half frames are exact."""
        phase = 2 * math.pi * time / STRIDE
        self.root.location = (-1.05 + SPEED * time, -0.55 + 0.12 * math.sin(time / 21), 0)
        self.root.rotation_euler = (0, 0, 0.10 * math.cos(time / 21) - 0.12)
        self.hips.location.z = 0.575 + 0.022 * math.cos(2 * phase)
        self.hips.rotation_euler = (0.05 * math.sin(phase), 0, 0.07 * math.sin(phase))
        soft = 0.035 * math.cos(2 * phase + 0.6)
        self.chest.scale = (1 - soft / 2, 1 - soft / 2, 1 + soft)
        self.chest.rotation_euler = (-0.05 * math.sin(phase), 0.06, -0.10 * math.sin(phase))
        self.head.rotation_euler = (0, 0.03 * math.sin(2 * phase), -0.35 * math.sin(time / 17))
        self.tail.rotation_euler = (0.2 * math.sin(phase), 0.75 + 0.30 * math.sin(2 * phase + 1.2), 0.25 * math.sin(phase + 0.5))
        for (hip, knee), shift in zip(self.legs, (0.0, math.pi), strict=True):
            hip.rotation_euler = (0, -0.50 * math.sin(phase + shift), 0)
            knee.rotation_euler = (0, 0.10 + 0.55 * max(0.0, math.cos(phase + shift)), 0)
        for (shoulder, elbow), shift in zip(self.arms, (math.pi, 0.0), strict=True):
            shoulder.rotation_euler = (0, -0.55 * math.sin(phase + shift), 0)
            elbow.rotation_euler = (0, -0.45 - 0.25 * math.sin(phase + shift), 0)
