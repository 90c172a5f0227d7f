"""The nets room, Robust Video Matting (Lin et al. 2021, arXiv 2108.11515): alpha and foreground of people, frame after frame; no stage.

The state dicts take the official checkpoints key for key. Nothing is remembered inside: the four states go in and come out.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..failures import SetupFailure
from . import mobilenetv3, resnet
from .guided_filter import DeepGuidedFilter, FastGuidedFilter
from .lraspp import LRASPP
from .recurrent_decoder import RecurrentDecoder, State, each_frame, pictures

States = tuple[State, State, State, State]
BLANK: States = (None, None, None, None)
LONGEST = 512  # px: the longer side inside the network when the ratio is automatic


def auto_ratio(height: int, width: int) -> float:
    """The published rule: so small that the longer side is 512."""
    return min(LONGEST / max(height, width), 1.0)


class _Projection(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 1)

    def forward(self, x: Tensor) -> Tensor:
        return each_frame(self.conv, x)


class MattingNetwork(nn.Module):
    """`variant` mobilenetv3 or resnet50, `refiner` deep or fast."""

    def __init__(self, variant: str = "mobilenetv3", refiner: str = "deep") -> None:
        super().__init__()
        small = variant == "mobilenetv3"
        self.backbone: nn.Module = mobilenetv3.MobileNetV3() if small else resnet.ResNet50()
        channels = mobilenetv3.CHANNELS if small else resnet.CHANNELS
        deepest = 128 if small else 256
        self.aspp = LRASPP(channels[3], deepest)
        self.decoder = RecurrentDecoder((*channels[:3], deepest), (80, 40, 32, 16) if small else (128, 64, 32, 16))
        self.project_mat = _Projection(16, 4)
        self.project_seg = _Projection(16, 1)
        self.layout = torch.contiguous_format  # of pictures in memory, the same as that of the weights
        self.refiner: nn.Module = DeepGuidedFilter() if refiner == "deep" else FastGuidedFilter()

    def forward(self, src: Tensor, states: States = BLANK, ratio: float = 1.0) -> tuple[Tensor, Tensor, States]:
        """src [B, T, 3, H, W] or [B, 3, H, W], RGB 0..1 -> foreground (3 channels), alpha (1 channel), both 0..1, and the states
        after the last frame. `ratio` is the size inside over the size outside."""
        if src.ndim == 4:
            fgr, pha, states = self.forward(src[:, None], states, ratio)
            return fgr[:, 0], pha[:, 0], states
        src_sm = _resize(src, ratio, self.layout)
        hid, states = self._features(src_sm, states)
        fgr, pha = self.project_mat(hid).split([3, 1], 2)
        if ratio == 1:
            return (fgr + src).clamp(0, 1), pha.clamp(0, 1), states
        flat = (pictures(x) for x in (src, src_sm, fgr, pha, hid))
        fgr, pha = (x.unflatten(0, src.shape[:2]) for x in self.refiner(*flat))
        return fgr, pha, states

    def segment(self, src: Tensor, states: States = BLANK, ratio: float = 1.0) -> tuple[Tensor, States]:
        """The second head: logits of 'a person is here' [B, T, 1, h, w], used in training."""
        hid, states = self._features(_resize(src, ratio, self.layout), states)
        return self.project_seg(hid), states

    def _features(self, src_sm: Tensor, states: States) -> tuple[Tensor, States]:
        f1, f2, f3, f4 = self.backbone(pictures(src_sm))
        pyramid = [f.unflatten(0, src_sm.shape[:2]) for f in (f1, f2, f3, self.aspp(f4))]
        return self.decoder(src_sm, pyramid, states)


def _resize(x: Tensor, ratio: float, layout: torch.memory_format) -> Tensor:
    flat = pictures(x)
    if ratio != 1:
        flat = F.interpolate(flat, scale_factor=ratio, mode="bilinear", align_corners=False, recompute_scale_factor=False)
    return flat.contiguous(memory_format=layout).unflatten(0, x.shape[:2])


def load(path: Path) -> MattingNetwork:
    """The network of a state dict file, in eval mode; variant and refiner are read off its keys."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        variant = "mobilenetv3" if "backbone.features.0.0.weight" in state else "resnet50"
        net = MattingNetwork(variant, "deep" if "refiner.conv.0.weight" in state else "fast")
        net.load_state_dict(state)
    except FileNotFoundError:
        raise SetupFailure("weights-missing", "The matting network has no weights.", f"There is no file {path}.",
                           "Choose the weights file in the options of the mattes, or another method.") from None
    except Exception as error:
        raise SetupFailure("weights-damaged", "The matting network's weights cannot be used.",
                           f"{path.name} does not hold what the network needs: {str(error).splitlines()[0][:200]}",
                           "Fetch the file again from the project that publishes it.") from None
    return net.eval()


def fuse(net: MattingNetwork) -> MattingNetwork:
    """A copy for inference: normalisation folded into the convolutions, memory laid out channels last. Same results, faster."""
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        names = list(module._modules)
        for first, second in zip(names, names[1:]):
            conv, norm = module._modules[first], module._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module._modules[first] = fuse_conv_bn_eval(conv, norm)
                module._modules[second] = nn.Identity()
    net.layout = torch.channels_last
    return net.to(memory_format=torch.channels_last)
