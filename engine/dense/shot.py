"""A shot as the dense stages read it: pictures, flows, masks and cameras at one working size, from finished folders; no torch, no stage."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import store
from ..camera import evidence
from ..contract.artifacts import FRAME, LIKELY
from ..geometry import camera as cameras
from ..geometry import lens, pose
from ..media.flow import flow_path, read_flow
from ..media.frames import Frames, read_png, resize

Array = NDArray[np.float64]
Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]

ENERGIES = 16  # of frames kept: several ask for the one they work on
DOUBTED = -0.5  # how surely a pixel moves, -1 still, from which it may


class Shot:
    """Everything a dense stage needs to know of a frame. The working size is that of the flow."""

    def __init__(self, frames: Path, flow: Path, camera: Path, movers: Path | None = None) -> None:
        about = store.read_json(flow / "flow.json")
        self.size: tuple[int, int] = (int(about["size"][0]), int(about["size"][1]))  # W, H
        self.gaps: tuple[int, ...] = tuple(sorted(int(gap) for gap in about["gaps"]))
        self.frames = Frames(frames, keep=48)
        self.numbers: list[int] = self.frames.numbers
        self.step = min((b - a for a, b in zip(self.numbers, self.numbers[1:])), default=1)  # from one frame's number to the next
        self.camera = cameras.load(camera / "camera.npz").scaled(self.size)
        self._flow, self._movers = flow, movers
        self._energy = lru_cache(maxsize=ENERGIES)(lambda number: evidence.energy(self.grey(number).astype(np.float32) / 255))
        self._row = {int(number): row for row, number in enumerate(self.camera.frame) if self.camera.solved[row]}
        self._span = {number: k for k, span in enumerate(self.frames.spans()) for number in span}

    def row(self, number: int) -> int | None:
        """The camera's row of a frame, or None where it was not solved."""
        return self._row.get(number)

    def neighbour(self, number: int, gap: int) -> int | None:
        """The frame numbered `gap` further on (back where negative); None where there is none, past the ends or over a cut."""
        other = number + gap
        return other if other in self._span and self._span[other] == self._span[number] else None

    def together(self, number: int, other: int) -> bool:
        """Whether two frames belong to the same stretch between cuts."""
        return self._span[number] == self._span[other]

    def flow(self, number: int, gap: int) -> tuple[Picture, Mask] | None:
        """Flow [H, W, 2] px to the neighbour at `gap`, and where it is valid; None where it was not computed."""
        return read_flow(flow_path(self._flow, number, number + gap)) if self.neighbour(number, gap) is not None else None

    def picture(self, number: int) -> Picture:
        """RGB [H, W, 3] in 0..1 at the working size."""
        return self.frames.rgb8(number, self.size).astype(np.float32) / 255

    def grey(self, number: int) -> NDArray[np.uint8]:
        """[H, W] at the working size."""
        return self.frames.gray(number, self.size)

    def texture(self, number: int, half: float = evidence.FLAT) -> Picture:
        """How well flow can be believed [H, W], 0..1; see evidence.texture."""
        return evidence.believed(self._energy(number), half)

    def movers(self, number: int) -> Mask:
        """[H, W], true on what moves by itself."""
        path = self._movers / f"{FRAME % number}.png" if self._movers else None
        if path is None or not path.is_file():
            return np.zeros(self.size[::-1], bool)
        return resize(read_png(path), self.size) > 127

    def likely(self, number: int) -> Picture:
        """How surely each pixel moves by itself [H, W]: -1 still, 0 unknown, 1 moving; the masks alone where nothing finer was found."""
        path = self._movers / LIKELY / f"{FRAME % number}.png" if self._movers else None
        if path is None or not path.is_file():
            return 2 * self.movers(number).astype(np.float32) - 1
        return resize(read_png(path), self.size).astype(np.float32) / 127.5 - 1

    def rays(self, row: int) -> Picture:
        """Undistorted rays [H, W, 3], z = 1, in camera axes."""
        return _rays(self.size, *self._lens(row))

    def slopes(self, row: int) -> Picture:
        """x and y of these rays [H, W, 2], in one piece."""
        return _slopes(self.size, *self._lens(row))

    def _lens(self, row: int) -> tuple[tuple[float, ...], ...]:
        about = (self.camera.focal[row], self.camera.centre[row], self.camera.distortion[row])
        return tuple(tuple(float(v) for v in part) for part in about)

    def relative(self, source: int, target: int) -> Array:
        """[4, 4] target camera <- source camera, by rows."""
        return pose.invert(self.camera.world_from_camera[target]) @ self.camera.world_from_camera[source]


@lru_cache(maxsize=4)
def _rays(size: tuple[int, int], focal: tuple[float, ...], centre: tuple[float, ...], distortion: tuple[float, ...]) -> Picture:
    rays = lens.rays(size, size, np.array(focal), np.array(centre), np.array(distortion)).astype(np.float32)
    rays.flags.writeable = False
    return rays


@lru_cache(maxsize=4)
def _slopes(size: tuple[int, int], *about: tuple[float, ...]) -> Picture:
    return np.ascontiguousarray(_rays(size, *about)[..., :2])
