"""The mattes room, drawn masks, boxes and points carried by SAM 2.1 (Ravi et al. 2024) as transformers holds it; needs torch, no Blender.

Same face as carry.Carrier. Pictures are prepared here, for transformers' own preparation needs torchvision, and read when they are needed:
memory does not grow with the shot. A stretch between cuts is made in one go; one that was stopped begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .. import device as devices
from .. import pretrained
from ..contract.artifacts import FRAME
from ..media.frames import Frames, read_png, write_png
from ..pretrained import DEVIATION, MEAN
from .prompts import Prompt
from .reuse import Reuse

Picture = NDArray[np.float32]  # [H, W] 0..1

KINDS = {"sam2_video": "Sam2VideoModel"}
OUT, IN, CORNERS = 0, 1, (2, 3)  # labels of points


class Network:
    """SAM 2.1 of a folder on a device."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.net = pretrained.load(folder, KINDS, "drawn masks").to(device)
        self.device, self.mark = device, pretrained.mark(folder)
        self.size = int(self.net.config.prompt_encoder_config.image_size)  # px, square
        self.remembers = 2 + max(int(self.net.config.num_maskmem), int(self.net.config.max_object_pointers_in_encoder))  # frames

    def prepare(self, picture: NDArray[np.uint8]) -> torch.Tensor:
        """RGB [H, W, 3] of 8 bit -> [3, S, S], normalised."""
        down = picture.shape[0] > self.size or picture.shape[1] > self.size
        small = cv2.resize(picture.astype(np.float32) / 255, (self.size, self.size), interpolation=cv2.INTER_AREA if down else cv2.INTER_LINEAR)
        return torch.from_numpy((small - np.float32(MEAN)) / np.float32(DEVIATION)).permute(2, 0, 1)


class _Pictures:
    """A stretch's pictures by place, as the network wants them; none is kept."""

    def __init__(self, frames: Frames, span: list[int], network: Network) -> None:
        self._frames, self._span, self._network = frames, span, network

    def __getitem__(self, at: int) -> torch.Tensor:
        return self._network.prepare(self._frames.rgb8(self._span[at]))

    def __len__(self) -> int:
        return len(self._span)


class Carrier:
    """Carries one subject. `keys`: frame -> mask at `size` (W, H); `said`: frame -> boxes and points where no mask was drawn."""

    def __init__(
        self, frames: Frames, size: tuple[int, int], keys: dict[int, Picture], said: dict[int, Prompt], room: Path, reuse: Reuse, network: Network,
    ) -> None:
        self.frames, self.size, self.room = frames, size, room
        self.keys, self._said, self._reuse, self._network = dict(sorted(keys.items())), said, reuse, network

    def prepare(self, tell: Callable[[int], None]) -> None:
        """Every stretch between cuts that holds a key."""
        done = 0
        for span in self.frames.spans():
            keys = [frame for frame in span if frame in self.keys]
            made_of = [self._network.mark, *(f"{frame} {self._said.get(frame)}" for frame in keys), *(self.keys[frame].tobytes() for frame in keys)]
            stand = [self._reuse.has(self._path(frame), "sam2", str(frame), *made_of) for frame in span] if keys else [True]
            if not all(stand):
                for frame, likely in self._span(span, keys):
                    write_png(self._path(frame), np.round(likely * 65535).astype(np.uint16))
                    done += 1
                    tell(done)
            else:
                done += len(span)
                tell(done)

    def likely(self, frame: int) -> Picture:
        """How likely each pixel belongs to the subject, [H, W]."""
        if frame in self.keys and frame not in self._said:
            return self.keys[frame]
        path = self._path(frame)
        return read_png(path).astype(np.float32) / 65535 if path.is_file() else np.zeros(self.size[::-1], np.float32)

    def _path(self, frame: int) -> Path:
        return self.room / f"{FRAME % frame}.png"

    @torch.inference_mode()
    def _span(self, span: list[int], keys: list[int]) -> Any:
        """(frame, likelihoods): the keys are shown first, then on from the first of them, then back from it."""
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        width, height = self.frames.size
        session = Sam2VideoInferenceSession(None, height, width, self._network.device, self._network.device, "cpu", torch.float32)
        session.processed_frames = _Pictures(self.frames, span, self._network)
        places = [span.index(key) for key in keys]
        for key, at in zip(keys, places):
            self._show(session, key, at)
            self._look(session, at, False)
        onward = [(at, False) for at in range(places[0], len(span))]
        for at, reverse in (*onward, *((at, True) for at in range(places[0] - 1, -1, -1))):
            yield span[at], self._look(session, at, reverse)
            self._forget(session, at)

    def _show(self, session: Any, key: int, at: int) -> None:
        """A key's mask, or its boxes and points, as the network wants them."""
        subject, side = session.obj_id_to_idx(1), self._network.size
        if key in self._said:
            points, labels = _points(self._said[key])
            inputs = {"point_coords": torch.tensor(points)[None, None] * side, "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None]}
            session.add_point_inputs(subject, at, inputs)
        else:
            mask = cv2.resize(self.keys[key], (side, side), interpolation=cv2.INTER_AREA if max(self.size) > side else cv2.INTER_LINEAR)
            session.add_mask_inputs(subject, at, torch.from_numpy((mask >= 0.5).astype(np.float32))[None, None])
        session.obj_with_new_inputs = [1]

    def _look(self, session: Any, at: int, reverse: bool) -> Picture:
        with devices.autocast(self._network.device):
            told = self._network.net(inference_session=session, frame_idx=at, reverse=reverse)
        logits = torch.nn.functional.interpolate(told.pred_masks.float(), self.size[::-1], mode="bilinear", align_corners=False)
        return logits[0, 0].sigmoid().cpu().numpy()

    def _forget(self, session: Any, at: int) -> None:
        """What lies too far back to be asked again."""
        for outputs in session.output_dict_per_obj.values():
            past = outputs["non_cond_frame_outputs"]
            for old in [other for other in past if abs(other - at) > self._network.remembers]:
                del past[old]


def _points(prompt: Prompt) -> tuple[list[tuple[float, float]], list[int]]:
    """Places in parts of the picture and what each says; a box is its two corners."""
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    for left, top, right, bottom in prompt.box[:1]:  # the network knows one box
        points += [(left, top), (right, bottom)]
        labels += CORNERS
    for places, label in ((prompt.inside, IN), (prompt.outside, OUT)):
        points += [(x, y) for x, y in places]
        labels += [label] * len(places)
    return points, labels
