"""The nets room, Super SloMo (Jiang et al., CVPR 2018): two U-Nets that make any number of frames between two; no stage, no files but weights.

The state dicts take the public checkpoint key for key (`state_dictFC` flow, `state_dictAT` interpolation).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..failures import SetupFailure

MEAN = (0.429, 0.431, 0.397)  # RGB mean of the training set, taken off the pictures
DEEPEST = 32  # sides must be multiples of this: five halvings


class _Level(nn.Module):
    """Two convolutions, each with a leaky ReLU."""

    def __init__(self, inside: int, outside: int, kernel: int, skip: int = 0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, kernel, padding=kernel // 2)
        self.conv2 = nn.Conv2d(outside + skip, outside, kernel, padding=kernel // 2)

    def down(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, 2)
        return _bend(self.conv2(_bend(self.conv1(x))))

    def up(self, x: Tensor, skip: Tensor) -> Tensor:
        x = _bend(self.conv1(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)))
        return _bend(self.conv2(torch.cat([x, skip], 1)))


def _bend(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


class UNet(nn.Module):
    """[B, inside, H, W] -> [B, outside, H, W]; H and W multiples of 32. Section 3.3 and the supplement's table."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, 32, 7, padding=3)
        self.conv2 = nn.Conv2d(32, 32, 7, padding=3)
        self.down1 = _Level(32, 64, 5)
        self.down2 = _Level(64, 128, 3)
        self.down3 = _Level(128, 256, 3)
        self.down4 = _Level(256, 512, 3)
        self.down5 = _Level(512, 512, 3)
        self.up1 = _Level(512, 512, 3, skip=512)
        self.up2 = _Level(512, 256, 3, skip=256)
        self.up3 = _Level(256, 128, 3, skip=128)
        self.up4 = _Level(128, 64, 3, skip=64)
        self.up5 = _Level(64, 32, 3, skip=32)
        self.conv3 = nn.Conv2d(32, outside, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        s1 = _bend(self.conv2(_bend(self.conv1(x))))
        s2 = self.down1.down(s1)
        s3 = self.down2.down(s2)
        s4 = self.down3.down(s3)
        s5 = self.down4.down(s4)
        x = self.up1.up(self.down5.down(s5), s5)
        x = self.up2.up(x, s4)
        x = self.up3.up(x, s3)
        x = self.up4.up(x, s2)
        return _bend(self.conv3(self.up5.up(x, s1)))


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """The image [B, C, H, W] seen through a flow [B, 2, H, W] px; zero outside.

    The weights were trained with positions x (W-1)/W, which is what the grid 2x/W - 1 with aligned corners means: keep it.
    """
    _, _, high, wide = image.shape
    y, x = torch.meshgrid(
        torch.arange(high, device=flow.device, dtype=flow.dtype), torch.arange(wide, device=flow.device, dtype=flow.dtype), indexing="ij"
    )
    grid = torch.stack([2 * ((x + flow[:, 0]) / wide - 0.5), 2 * ((y + flow[:, 1]) / high - 0.5)], -1)
    return F.grid_sample(image, grid.to(image.dtype), align_corners=True)


class SuperSloMo(nn.Module):
    """Both networks. Pictures are RGB 0..1, [B, 3, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = UNet(6, 4)
        self.interpolation = UNet(20, 5)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)

    def flows(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """F01 and F10 [B, 2, H, W] px between two normalised pictures."""
        both = self.flow(torch.cat([first, second], 1)).float()
        return both[:, :2], both[:, 2:]

    def between(self, first: Tensor, second: Tensor, f01: Tensor, f10: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised pictures at the times t [B, 1, 1, 1] in (0, 1), and how visible each pixel is in the first, V0 [B, 1, H, W]."""
        ft0 = -(1 - t) * t * f01 + t * t * f10  # equation 4
        ft1 = (1 - t) ** 2 * f01 - t * (1 - t) * f10
        guess = torch.cat([first, second, f01, f10, ft1, ft0, warp(second, ft1), warp(first, ft0)], 1)
        answer = self.interpolation(guess).float()
        ft0, ft1 = ft0 + answer[:, :2], ft1 + answer[:, 2:4]
        seen = torch.sigmoid(answer[:, 4:5])
        w0, w1 = (1 - t) * seen, t * (1 - seen)
        return (w0 * warp(first, ft0) + w1 * warp(second, ft1)) / (w0 + w1), seen

    def prepare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `render` needs of a pair of any size, found once: both pictures padded and normalised, F01 and F10."""
        a, b = (_padded(picture) - self.mean for picture in (first, second))
        return a, b, *self.flows(a, b)

    def render(self, pair: tuple[Tensor, Tensor, Tensor, Tensor], times: Tensor) -> Tensor:
        """Padded pictures [N, B, 3, H, W] RGB 0..1 at times [N] in (0, 1), in one batch."""
        count = len(pair[0])
        t = times[:, None].expand(-1, count).reshape(-1, 1, 1, 1)
        made, _ = self.between(*(x.repeat(len(times), 1, 1, 1) for x in pair), t)
        return (made + self.mean).unflatten(0, (len(times), count))

    def forward(self, first: Tensor, second: Tensor, times: Sequence[float]) -> Tensor:
        """Pictures [len(times), B, 3, H, W] between two [B, 3, H, W], RGB 0..1, at any times in (0, 1)."""
        high, wide = first.shape[-2:]
        return self.render(self.prepare(first, second), first.new_tensor(times))[..., :high, :wide]


def _padded(picture: Tensor) -> Tensor:
    high, wide = picture.shape[-2:]
    return F.pad(picture, (0, -wide % DEEPEST, 0, -high % DEEPEST), mode="replicate")


def load(path: Path, device: torch.device | str = "cpu") -> SuperSloMo:
    """The networks with the weights of a checkpoint (public or our own); nothing in the file is executed."""
    if not path.is_file():
        raise SetupFailure(
            "weights-missing", "The weights of Super SloMo are not there.", f"There is no file '{path}'.",
            "Choose the file SuperSloMo.ckpt in the option 'weights', or take the method 'flow', which needs none.",
            {"interpolate": {"method": "flow"}},
        )
    net = SuperSloMo()
    try:
        with torch.serialization.safe_globals([datetime.datetime]):  # the public checkpoint carries one time stamp
            content = torch.load(path, map_location="cpu", weights_only=True)
        net.flow.load_state_dict(content["state_dictFC"])
        net.interpolation.load_state_dict(content["state_dictAT"])
    except Exception as error:  # unpickling, missing keys and wrong shapes are all the same to the user
        raise SetupFailure(
            "weights-damaged", "The weights of Super SloMo cannot be read.", f"{path.name}: {str(error).splitlines()[0]}",
            "Fetch the file again; it holds 'state_dictFC' and 'state_dictAT'.", {"interpolate": {"method": "flow"}},
        ) from None
    return net.eval().to(device, memory_format=torch.channels_last)
