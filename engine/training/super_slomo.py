"""The training room, Super SloMo: its four losses; no stage, no Blender."""

from __future__ import annotations

from torch import Tensor

from ..nets.super_slomo import MEAN, SuperSloMo, warp

WEIGHTS = {"rec": 204.0, "warp": 102.0, "perceptual": 0.005, "smooth": 1.0}  # 0.8, 0.4, 0.005, 1 of section 3.4 for pictures 0..255


def losses(net: SuperSloMo, first: Tensor, middle: Tensor, second: Tensor, t: Tensor) -> dict[str, Tensor]:
    """Each unweighted loss for pictures [B, 3, H, W] RGB 0..1 and the times t [B] of the middle ones; equations 6 to 9."""
    mean = first.new_tensor(MEAN).view(1, 3, 1, 1)
    a, b, truth = first - mean, second - mean, middle - mean
    t = t.view(-1, 1, 1, 1)
    f01, f10 = net.flows(a, b)
    made, _ = net.between(a, b, f01, f10, t)
    ft0 = -(1 - t) * t * f01 + t * t * f10
    ft1 = (1 - t) ** 2 * f01 - t * (1 - t) * f10

    def apart(x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().mean()

    return {
        "rec": apart(made, truth),
        "warp": apart(warp(a, ft0), truth) + apart(warp(b, ft1), truth) + apart(warp(a, f10), b) + apart(warp(b, f01), a),
        "smooth": sum(_variation(flow) for flow in (f01, f10)),
        "made": made,
    }


def _variation(flow: Tensor) -> Tensor:
    across, down = flow[..., :, :-1] - flow[..., :, 1:], flow[..., :-1, :] - flow[..., 1:, :]
    return across.abs().mean() + down.abs().mean()
