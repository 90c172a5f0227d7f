"""The mattes room, the keys of a drawn subject: masks that the artist drew, boxes and points; numpy and OpenCV only."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..contract.artifacts import FRAME
from ..failures import RequestFailure
from ..geometry.blobs import disc
from ..media.frames import Frames, read_png
from . import prompts

Picture = NDArray[np.float32]  # [H, W] 0..1
Keys = dict[int, Picture]  # frame -> mask


Said = dict[int, prompts.Prompt]  # frame -> boxes and points where no mask was drawn


def gather(
    frames: Frames, size: tuple[int, int], drawn: str, prompted: str, by_colour: bool = True, evidence: Path | None = None,
) -> tuple[dict[int, Keys], dict[int, Said]]:
    """Number of the subject, from 1 -> its keys at `size` (W, H). One subject, or one for each folder within the folder.

    Boxes and points become masks by their colours, boxes by own motion too, whose pictures lie in the folder `evidence`; without `by_colour`
    those where no mask was drawn are handed on beside an empty mask.
    """
    if not (drawn or prompted):
        raise RequestFailure(
            "masks-missing", "There are no drawn masks to carry.", "Neither a folder nor a box or point was given.",
            "Choose the folder of the drawn masks, or say where the subject is.",
        )
    found: dict[int, Keys] = {}
    if drawn:
        for subject, folder in enumerate(_folders(Path(drawn)), 1):
            found[subject] = {frame: read_key(frames, path, size) for frame, path in sorted(find_keys(folder, frames.numbers).items())}
    handed_on: dict[int, Said] = {}
    for subject, said in sorted(prompts.read(prompted).items()):
        for frame, prompt in sorted(said.items()):
            if frame not in frames.numbers:
                raise RequestFailure(
                    "wrong-option", "A box or a point lies outside the shot.", f"The shot has no frame {frame}.", "Give it on a frame of the chosen range.",
                )
            keys = found.setdefault(subject, {})
            if by_colour or frame in keys:
                keys[frame] = _seeded(frames, size, frame, prompt, keys.get(frame), evidence)
            else:
                keys[frame] = np.zeros(size[::-1], np.float32)
                handed_on.setdefault(subject, {})[frame] = prompt
    return found, handed_on


def _seeded(frames: Frames, size: tuple[int, int], frame: int, prompt: prompts.Prompt, drawn: Picture | None, evidence: Path | None) -> Picture:
    moves = cv2.resize(read_png(evidence / f"{FRAME % frame}.png"), size).astype(np.float32) * np.float32(5 / 255) if evidence is not None else None
    mask = prompts.seed(frames.rgb8(frame, size), prompt, drawn, moves)
    if not mask.any():
        raise RequestFailure(
            "masks-missing", "Nothing was found where the box or the points are.", f"On frame {frame} what is there looks and moves like what is around.",
            "Draw the subject's mask on that frame, or add points.",
        )
    return mask


def find_keys(folder: Path, frames: list[int]) -> dict[int, Path]:
    """Frame -> the artist's mask, by the last number in each picture's name; masks-missing where there is none for any frame."""
    known, found = set(frames), {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        numbers = re.findall(r"\d+", path.stem)
        if numbers and path.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp") and int(numbers[-1]) in known:
            found[int(numbers[-1])] = path
    if not found:
        raise RequestFailure(
            "masks-missing", "There are no drawn masks to carry.", f"{folder} holds no picture whose name ends in one of the clip's frame numbers.",
            "Draw the subject on at least one frame, and name the picture by that frame.",
        )
    return found


def soft_keys(frames: Frames, drawn: str, prompted: str) -> dict[int, dict[int, Path]]:
    """Subject -> frame -> the artist's alpha, where it is soft and no box or point corrects it: on its own frame it stays as it is."""
    if not drawn:
        return {}
    found, said = {}, prompts.read(prompted)
    for subject, folder in enumerate(_folders(Path(drawn)), 1):
        keys = sorted(find_keys(folder, frames.numbers).items())
        found[subject] = {frame: path for frame, path in keys if frame not in said.get(subject, {}) and _is_soft(frames, path)}
    return found


def _folders(root: Path) -> list[Path]:
    return (sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []) or [root]


def _is_soft(frames: Frames, path: Path) -> bool:
    """Whether more is grey than the smoothed outline of a hard mask."""
    alpha = read_key(frames, path)
    inside = (alpha > 0.5).astype(np.uint8)
    outline = np.count_nonzero(cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, disc(1)))
    return np.count_nonzero((alpha > 0.02) & (alpha < 0.98)) > 2 * outline


def read_key(frames: Frames, path: Path, size: tuple[int, int] | None = None) -> Picture:
    """A drawn mask [H, W] 0..1 over the frames, at `size` (W, H) if given: bright or opaque is inside."""
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise RequestFailure("masks-missing", "A drawn mask cannot be used.", f"{path.name} is not a picture that can be read.", "Save it as PNG.")
    frames.accept(path, picture)
    values = picture.reshape(*picture.shape[:2], -1).astype(np.float32) / (65535 if picture.dtype == np.uint16 else 255)
    inside = values[..., -1] if values.shape[-1] in (2, 4) and values[..., -1].min() < 1 else values[..., :3].max(-1)
    return inside if size is None else cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
