"""Nets room: convolutions padded as TensorFlow's SAME does it, more at the bottom and the right; torch alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

Tensor = torch.Tensor


def same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """[B, C, H, W] padded so that a window of `kernel` at `stride` gives ceil(H / stride) rows and as many columns by the same rule."""
    pads = []
    for length in (x.shape[-1], x.shape[-2]):
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value) if any(pads) else x


class Convolution(nn.Conv2d):
    """A square convolution with SAME padding; weights start as Glorot's, biases at zero."""

    def __init__(self, inward: int, outward: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(inward, outward, kernel, stride, bias=bias)
        nn.init.xavier_uniform_(self.weight)
        if bias:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(same(x, self.kernel_size[0], self.stride[0]))


class Doubling(nn.ConvTranspose2d):
    """A transposed 3x3 convolution that doubles height and width: the gradient of a SAME convolution of stride 2."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__(inward, outward, 3, 2)
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(x)[..., :-1, :-1]


def published(variables: dict[str, Tensor]) -> dict[str, Tensor]:
    """TensorFlow variables of one net -> our state dict: 'net/a/b/weights' [kh, kw, in, out] -> 'a.b.weight' [out, in, kh, kw]."""
    ends = {"kernel": "weight", "weights": "weight", "biases": "bias"}
    out = {}
    for name, value in variables.items():
        *parts, last = name.split("/")[1:]
        out[".".join([*parts, ends.get(last, last)])] = value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value
    return out
