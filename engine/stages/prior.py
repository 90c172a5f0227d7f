"""Stage prior: what a network, or another program, makes of each picture's depth by itself; no bpy.

It knows nothing of the camera: the stage depth brings it to the solve's scale and takes as much of it as it has proven to be worth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import store, weights
from ..contract.artifacts import FRAME
from ..contract.options import Prior
from ..contract.options.prior import NETWORKS
from ..contract.places import installed
from ..dense import prior_files
from ..dense.colours import of_inverse
from ..media.arrays import read_arrays
from ..media.frames import Frames, resize, working_size, write_png
from ..stage import Inputs, Report

LOOK = 640  # px, longest side of the preview


def run(inputs: Inputs, options: Prior, report: Report, room: Path) -> None:
    """%06d.npz (inverse [h, w]) and prior.json; prior.json alone where there is no network."""
    folder = Path(options.weights or installed(NETWORKS.get(options.method, ())))
    if options.method == "pictures":
        _copy(inputs, options, report, room)
    elif options.method == "none" or (options.method == "auto" and not folder.name):
        store.write_json(room / "prior.json", {"kind": "none"})
        report.used = "none" if options.method == "none" else "none: no network is installed, parallax alone"
    else:
        _look(inputs, options, report, room, folder if folder.name else weights.need(NETWORKS[options.method][0]))


def _look(inputs: Inputs, options: Prior, report: Report, room: Path, folder: Path) -> None:
    from ..dense.prior_network import Network  # torch and transformers only where a network works

    frames = Frames(inputs["frames"])
    entry = next((entry for entry in weights.table().values() if entry.folder and str(folder) == installed((entry.file,))), None)
    if entry:
        weights.find(entry.name)  # its checksum
    network = Network(folder, inputs.device)
    total = len(frames.numbers)
    for done, number in enumerate(frames.numbers, 1):
        if not _file(room, number).is_file():
            _write(room, number, network.look(frames.rgb8(number), options.size))
            if done in (1, total // 2 + 1):
                _show(room, frames, number, report)
        report.progress(done, total)
    licence = entry.licence if entry else "the licence of your own copy"
    store.write_json(room / "prior.json", {"kind": "metric" if network.metric else "relative", "network": network.name, "licence": licence})
    report.used = f"{network.name} ({folder.name}; {licence})"
    if entry and not entry.commercial:
        report.warning(f"The licence of {entry.name} ({entry.licence}) does not allow commercial work.")


def _copy(inputs: Inputs, options: Prior, report: Report, room: Path) -> None:
    frames = Frames(inputs["frames"])
    files = prior_files.find(Path(options.pictures), frames.numbers)
    for done, (number, path) in enumerate(files.items(), 1):
        if not _file(room, number).is_file():
            _write(room, number, prior_files.read(path, options.holds))
        report.progress(done, len(files))
    _show(room, frames, frames.numbers[len(frames.numbers) // 2], report)
    store.write_json(room / "prior.json", {"kind": "relative" if options.holds == "inverse" else "scaled", "network": "depth maps of another program"})
    report.used = f"depth maps of another program ({Path(options.pictures).name})"


def _file(room: Path, number: int) -> Path:
    return room / f"{FRAME % number}.npz"


def _write(room: Path, number: int, inverse: np.ndarray) -> None:
    with store.writing(_file(room, number)) as file:
        np.savez(file, inverse=inverse.astype(np.float32))


def _show(room: Path, frames: Frames, number: int, report: Report) -> None:
    """Plate and guess side by side, as a preview."""
    size = working_size(frames.size, LOOK)
    inverse = resize(read_arrays(_file(room, number))["inverse"], size)
    path = room / "look" / f"{FRAME % number}.png"
    write_png(path, np.concatenate([frames.rgb8(number, size), of_inverse(inverse)], 1))
    report.preview(number, path)
