"""Dense room: what parallax measures of a frame, were all of it still — found once by the stage scene_movers, read again by depth; no stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .. import store
from ..contract.artifacts import FRAME
from ..geometry.triangulation import Estimate
from ..media.arrays import halved, read_arrays
from .shot import Mask
from .sightings import Neighbour

FOLDER = "still"


def write(room: Path, number: int, noise: float, found: Estimate, neighbours: list[Neighbour], sky: Mask) -> None:
    """still/%06d.npz: rho [H, W] float32; certainty (1 / relative error) and residual (px) [H, W] float16; noise px; the neighbours asked;
    the sky [H, W] uint8."""
    certainty = (found.rho * found.information.sqrt()).clamp(max=6e4)
    with store.writing(_file(room, number)) as file:
        np.savez(
            file, rho=found.rho.cpu().numpy(), certainty=halved(certainty.cpu().numpy()),
            residual=halved(found.residual.cpu().numpy()), noise=noise,
            frame=[one.number for one in neighbours], row=[one.row for one in neighbours], parallax=[one.parallax for one in neighbours],
            gain=[one.gain for one in neighbours], sky=sky.astype(np.uint8),
        )


def read(room: Path, number: int, noise: float, device: torch.device) -> tuple[Estimate, list[Neighbour], Mask] | None:
    """The same again; None where it was not found under this noise."""
    if not _file(room, number).is_file():
        return None
    held = read_arrays(_file(room, number))
    if float(held["noise"]) != noise:
        return None
    rho, certainty, residual = (torch.from_numpy(held[name]).to(device).float() for name in ("rho", "certainty", "residual"))
    told = zip(*(held[name].tolist() for name in ("frame", "row", "parallax", "gain")))
    neighbours = [Neighbour(int(frame), int(row), parallax, gain) for frame, row, parallax, gain in told]
    return Estimate(rho, (certainty / rho).square(), residual), neighbours, held["sky"] > 0


def _file(room: Path, number: int) -> Path:
    return room / FOLDER / f"{FRAME % number}.npz"
