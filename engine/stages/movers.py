"""Stage movers: white on what moves by itself; imports the camera room, no bpy, no torch, no pycolmap.

Residual of the optical flow against the still scene's motion, over several gaps and both ways, brought to the picture's
edges, agreed along flow with the frames around, then cut by two thresholds.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .. import device
from ..ahead import ahead, one_thread_each
from ..camera import evidence
from ..contract.artifacts import FRAME
from ..contract.options import Movers
from ..failures import RequestFailure
from ..geometry.blobs import disc
from ..media.flow import Flow
from ..media.frames import Frames, read_png, write_png
from ..stage import Inputs, Report
from ..store import write_json

Mask = NDArray[np.uint8]  # [H, W] 0 or 255
SURE, LIKELY = 1.5, 0.75  # evidence at which a mover is seen, and down to which it reaches
EDGE = 0.45  # a mover ends where its evidence falls below this part of its peak
LEAST = 5e-4  # part of the picture below which a blob is noise
HOLE = 5e-3  # part of the picture below which a hole is an oversight
VOTES = (0.8, 0.5, 0.3)  # of the frames at the three smallest gaps, fetched along flow
SCORES = "evidence"


def run(inputs: Inputs, options: Movers, report: Report, room: Path) -> None:
    """One mask per frame at the size of the flow, evidence/ (8 bit, 255 = 5 times the noise of the flow), and movers.json."""
    pictures, flow = Frames(inputs["frames"]), Flow(inputs["flow"])
    frames, size = pictures.numbers, flow.size
    if options.masks:
        given = find_masks(Path(options.masks), frames)
        _each(frames, room, lambda frame: _fit(pictures, given[frame], size, options.grow), report, 0, 1)
        report.used = f"own masks from the folder {Path(options.masks).name}"
    else:
        _each(frames, room / SCORES, lambda frame: _evidence(pictures, flow, frame), report, 0, 2)
        _each(frames, room, lambda frame: _mask(flow, room / SCORES, frame, options), report, 1, 2)
        report.used = "residual of optical flow against the motion of the still scene"
    areas = {str(frame): round(float((read_png(_file(room, frame)) > 0).mean()), 5) for frame in frames}
    report.figures["mean_area"] = round(float(np.mean(list(areas.values()))), 5)
    write_json(room / "movers.json", {"size": list(size), "method": report.used, "grow": options.grow, "area": areas})


def _file(folder: Path, frame: int) -> Path:
    return folder / f"{FRAME % frame}.png"


def _each(frames: list[int], folder: Path, make: Callable[[int], Mask], report: Report, part: int, parts: int) -> None:
    def once(frame: int) -> None:
        if not _file(folder, frame).is_file():
            write_png(_file(folder, frame), make(frame))

    # Every frame stands alone.
    with one_thread_each(), closing(ahead(lambda pool, frame: pool.submit(once, frame), frames, device.threads())) as steps:
        for done, _ in enumerate(steps, 1):
            report.progress(part * len(frames) + done, parts * len(frames))


def _evidence(pictures: Frames, flow: Flow, frame: int) -> Mask:
    grey = pictures.gray(frame, flow.size).astype(np.float32) / 255
    raw, seen = evidence.gather(flow, frame, grey)
    return np.round(evidence.complete(raw, seen, grey) * (255 / evidence.CAP)).astype(np.uint8)


def _mask(flow: Flow, scores: Path, frame: int, options: Movers) -> Mask:
    agreed = _agreed(flow, scores, frame) * np.float32(options.sensitivity)
    mask = _hysteresis(agreed)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc(3))
    mask = _without_specks(mask, LEAST)
    mask = 255 - _without_specks(255 - mask, HOLE)
    return cv2.dilate(mask, disc(options.grow)) if options.grow else mask


def _agreed(flow: Flow, scores: Path, frame: int) -> NDArray[np.float32]:
    """The frame's evidence, averaged along flow with that of the frames around."""
    told = []
    for gap, vote in zip(flow.gaps, VOTES):
        for other in (frame + gap, frame - gap):
            field = flow.get(frame, other)
            if field and _file(scores, other).is_file():
                told.append((read_png(_file(scores, other)).astype(np.float32), field[0], field[1].astype(np.float32) * np.float32(vote)))
    return evidence.heard(read_png(_file(scores, frame)).astype(np.float32), told) * np.float32(evidence.CAP / 255)


def _hysteresis(score: NDArray[np.float32]) -> Mask:
    """What is likely, reaches a good part of the evidence around it, and hangs together with something sure."""
    peak = cv2.GaussianBlur(cv2.dilate(score, disc(12)), (0, 0), 8)
    likely = (score > np.maximum(LIKELY, EDGE * peak)).astype(np.uint8)
    count, label = cv2.connectedComponents(likely, connectivity=8)
    sure = np.zeros(count, bool)
    sure[np.unique(label[score > SURE])] = True
    sure[0] = False
    return np.where(sure[label], 255, 0).astype(np.uint8)


def _without_specks(mask: Mask, least: float) -> Mask:
    count, label, about, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = about[:, cv2.CC_STAT_AREA] >= least * mask.size
    keep[0] = False
    return np.where(keep[label], 255, 0).astype(np.uint8)


def _fit(frames: Frames, path: Path, size: tuple[int, int], grow: int) -> Mask:
    """An artist's mask at working size: bright, or opaque where it has alpha, is moving."""
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise _no_masks(f"{path.name} is not a picture that can be read.")
    frames.accept(path, picture)
    values = picture.reshape(*picture.shape[:2], -1)
    top = 65535 if picture.dtype == np.uint16 else 1.0 if picture.dtype == np.float32 else 255
    bright = values[..., :3].max(-1) if values.shape[-1] != 4 else values[..., :3].max(-1) * (values[..., 3] / top)
    if values.shape[-1] in (2, 4) and not values[..., : values.shape[-1] - 1].any():
        bright = values[..., -1]
    small = cv2.resize((bright > 0.5 * top).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mask = np.where(small > 0.25, 255, 0).astype(np.uint8)
    return cv2.dilate(mask, disc(grow)) if grow else mask


def find_masks(folder: Path, frames: list[int]) -> dict[int, Path]:
    """The picture of each frame by the last number in its name, or masks-missing."""
    if not folder.is_dir():
        raise _no_masks(f"There is no folder {folder}.")
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        numbers = re.findall(r"\d+", path.stem)
        if numbers and path.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".bmp", ".webp"):
            found[int(numbers[-1])] = path
    missing = [frame for frame in frames if frame not in found]
    if missing:
        some = ", ".join(str(frame) for frame in missing[:5]) + (" …" if len(missing) > 5 else "")
        raise _no_masks(f"{folder} holds no picture for {len(missing)} of {len(frames)} frames: {some}.")
    return found


def _no_masks(why: str) -> RequestFailure:
    return RequestFailure(
        "masks-missing", "The own masks cannot be used.", why,
        "Give a folder with one picture per frame whose name ends in the clip's frame number, or leave the option empty.",
    )
