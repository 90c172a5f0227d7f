"""The mattes room, people: Robust Video Matting over a shot, frame after frame; needs torch, knows no Blender.

The states that the network hands from frame to frame are kept every few frames, so that a stopped run goes on where it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import device as devices
from .. import weights as table
from ..ahead import ahead
from ..contract.artifacts import FRAME
from ..media.arrays import read_arrays
from ..media.frames import Frames, read_png, write_png
from ..nets import rvm
from ..store import writing

EVERY = 8  # frames from one kept state to the next
READERS, WRITERS = 1, 2  # threads
NAMES = ("rvm_mobilenetv3", "rvm_resnet50")


def find_weights(given: str) -> Path:
    """The file that the user names, or the installed one; a failure says how to get it."""
    if given:
        return Path(given)
    return next((path for name in NAMES if (path := table.find(name))), None) or table.need(NAMES[0], {"mattes": {"method": "motion"}})


def write(frames: Frames, weights: Path, ratio: float, device: Any, room: Path, tell: Callable[[int], None]) -> str:
    """room/alpha and room/foreground of every frame; returns what was used, in words."""
    return run(rvm.fuse(rvm.load(weights)), weights.name, frames, ratio, device, room, tell)


@torch.inference_mode()
def run(net: rvm.MattingNetwork, name: str, frames: Frames, ratio: float, device: Any, room: Path, tell: Callable[[int], None]) -> str:
    """As `write`. While the network works on a frame the next ones are read and those before are packed and written, in threads."""
    net = net.to(device)
    ratio = ratio or rvm.auto_ratio(frames.size[1], frames.size[0])
    cuts, states = set(frames.cuts), rvm.BLANK
    first = _resume(frames.numbers, room)
    if first:
        states = _read_states(room, frames.numbers[first - 1], device)
    read = ahead(lambda pool, frame: pool.submit(_read, frames, frame), frames.numbers[first:], READERS)
    with ThreadPoolExecutor(WRITERS) as writers, closing(read):
        waiting: deque[Future[None]] = deque()
        for done, (frame, picture) in enumerate(read, first + 1):
            if frame in cuts:
                states = rvm.BLANK
            with devices.autocast(device):
                fgr, pha, states = net(picture.to(device), states, ratio)
            waiting.append(writers.submit(_write, frames, frame, room, fgr[0].float().cpu(), pha[0, 0].float().cpu()))
            while len(waiting) > 2 * WRITERS or (waiting and done % EVERY == 0):
                waiting.popleft().result()
            if done % EVERY == 0:  # all before is on disk
                _write_states(room, frame, states)
            tell(done)
        for future in waiting:
            future.result()
    return f"Robust Video Matting ({name}, inner size {ratio:.3f})"


def _resume(numbers: list[int], room: Path) -> int:
    """How many frames are finished up to the last kept state."""
    for done in range(len(numbers) // EVERY * EVERY, 0, -EVERY):
        whole = all((room / kind / f"{FRAME % frame}.png").is_file() for kind in ("alpha", "foreground") for frame in numbers[:done])
        if whole and _state_path(room, numbers[done - 1]).is_file():
            return done
    return 0


def _read(frames: Frames, frame: int) -> torch.Tensor:
    """[1, 3, H, W] 0..1, channels last in memory as the network likes it."""
    picture = frames.rgb(frame)
    peak = 65535 if picture.dtype == np.uint16 else 255
    return torch.from_numpy(picture.astype(np.float32) / np.float32(peak)).permute(2, 0, 1)[None]


def _write(frames: Frames, frame: int, room: Path, fgr: torch.Tensor, pha: torch.Tensor) -> None:
    peak = 65535 if frames.bits > 8 else 255
    alpha = pha.numpy()
    colour = fgr.permute(1, 2, 0).numpy() * (alpha > 0)[..., None]
    write_png(room / "foreground" / f"{FRAME % frame}.png", np.round(colour * peak).astype(np.uint16 if peak > 255 else np.uint8))
    write_png(room / "alpha" / f"{FRAME % frame}.png", np.round(alpha * 65535).astype(np.uint16))


def _state_path(room: Path, frame: int) -> Path:
    return room / "states" / f"{FRAME % frame}.npz"


def _write_states(room: Path, frame: int, states: rvm.States) -> None:
    arrays = {f"r{at}": state.float().cpu().numpy() for at, state in enumerate(states, 1) if state is not None}
    with writing(_state_path(room, frame)) as file:
        np.savez(file, **arrays)


def _read_states(room: Path, frame: int, device: Any) -> rvm.States:
    held = read_arrays(_state_path(room, frame))
    r1, r2, r3, r4 = (torch.from_numpy(held[f"r{at}"]).to(device) for at in range(1, 5))
    return r1, r2, r3, r4


def area(room: Path, numbers: list[int]) -> dict[int, int]:
    """Pixels of the matte above one half, per frame that has any."""
    counts = {frame: int(np.count_nonzero(read_png(room / "alpha" / f"{FRAME % frame}.png") > 32767)) for frame in numbers}
    return {frame: count for frame, count in counts.items() if count}
