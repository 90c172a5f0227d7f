"""Nets room: the scene-flow field of "Consistent Depth of Moving Objects in Video" (Zhang et al. 2021); torch alone.

Its state dict is the published one key for key, so official checkpoints load as they are (256 wide, 4 hidden; or 48 wide, 6 hidden).
"""

from __future__ import annotations

import torch
from torch import nn

Tensor = torch.Tensor
DIVISOR = 100.0  # the field's raw output is a hundred times the displacement


class _Layer(nn.Module):
    """A 1x1 convolution under the published name."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, 1)
        nn.init.kaiming_normal_(self.conv.weight, a=0.2, mode="fan_in")
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class SceneFlowField(nn.Module):
    """World point and time -> displacement to the next frame, in world units times DIVISOR."""

    def __init__(self, width: int = 256, hidden: int = 4, frequencies: int = 16) -> None:
        super().__init__()
        self.frequencies = frequencies
        channels = [4 * (2 * frequencies + 1), *[width] * (hidden + 1), 3]
        self.convs = nn.ModuleList(_Layer(a, b) for a, b in zip(channels, channels[1:]))

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> SceneFlowField:
        """The net that a published state dict belongs to, whatever its width and depth, with its weights."""
        count = len({key.split(".")[1] for key in state})
        inward = state["convs.0.conv.weight"].shape[1]
        field = cls(state["convs.0.conv.weight"].shape[0], count - 2, (inward // 4 - 1) // 2)
        field.load_state_dict(state)
        return field

    def forward(self, xyz: Tensor, time: Tensor) -> Tensor:
        """xyz [B, 3, H, W] world, time [B, 1, H, W] in 0..1 over the clip -> [B, 3, H, W] raw displacement."""
        x = torch.cat([embed(time, self.frequencies), embed(xyz, self.frequencies)], 1)
        for layer in self.convs[:-1]:
            x = nn.functional.leaky_relu(layer(x), 0.2)
        return self.convs[-1](x)

    def unroll(self, xyz: Tensor, time: Tensor, step: float, count: int) -> Tensor:
        """Displacement [B, 3, H, W] over `count` frames of `step` time each: the field is followed from frame to frame."""
        total = torch.zeros_like(xyz)
        for _ in range(count):
            motion = self(xyz, time) / DIVISOR
            total, xyz, time = total + motion, xyz + motion, time + step
        return total

    def step(self, xyz: Tensor, time: Tensor) -> Tensor:
        """Displacement [N, 3] to the next frame of single points [N, 3] at times [N]: forward without the layout of pictures."""
        x = torch.cat([_waves(time[:, None], self.frequencies), _waves(xyz, self.frequencies)], 1)
        for layer in self.convs[:-1]:
            x = nn.functional.leaky_relu(nn.functional.linear(x, layer.conv.weight[:, :, 0, 0], layer.conv.bias), 0.2)
        last = self.convs[-1].conv
        return nn.functional.linear(x, last.weight[:, :, 0, 0], last.bias) / DIVISOR


def _waves(values: Tensor, frequencies: int) -> Tensor:
    """`embed` of rows [N, C]."""
    steps = torch.linspace(1, frequencies + 1, frequencies, dtype=values.dtype, device=values.device)
    angles = (steps[:, None] * values[:, None]).flatten(1)
    return torch.cat([values, angles.cos(), angles.sin()], 1)


def embed(values: Tensor, frequencies: int) -> Tensor:
    """[B, C, H, W] -> [B, C (2 N + 1), H, W]: the values, their cosines, their sines at N linear frequencies from 1 to N + 1."""
    steps = torch.linspace(1, frequencies + 1, frequencies, dtype=values.dtype, device=values.device)
    waves = [step * values for step in steps]
    return torch.cat([values, *(torch.cos(wave) for wave in waves), *(torch.sin(wave) for wave in waves)], 1)
