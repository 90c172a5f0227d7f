"""The training room, the losses of Robust Video Matting (Lin et al. 2021, section 4.2): formulas only, no data, no loop, no stage.

All take [B, T, C, H, W]: foreground C = 3, alpha C = 1, both 0..1. The temporal terms are mean squares, as in the published code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 5
COHERENCE = 5.0  # weight of the temporal terms


def matting_losses(pred_fgr: Tensor, pred_pha: Tensor, true_fgr: Tensor, true_pha: Tensor) -> dict[str, Tensor]:
    """Each term by name, and their sum as `total`. The foreground counts only where the true alpha is above 0."""
    seen = true_pha > 0
    pred_fgr, true_fgr = pred_fgr * seen, true_fgr * seen
    terms = {
        "pha_l1": F.l1_loss(pred_pha, true_pha),
        "pha_laplacian": laplacian_loss(pred_pha.flatten(0, 1), true_pha.flatten(0, 1)),
        "pha_coherence": COHERENCE * F.mse_loss(_change(pred_pha), _change(true_pha)),
        "fgr_l1": F.l1_loss(pred_fgr, true_fgr),
        "fgr_coherence": COHERENCE * F.mse_loss(_change(pred_fgr), _change(true_fgr)),
    }
    return {**terms, "total": torch.stack(list(terms.values())).sum()}


def segmentation_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Cross entropy of the second head against masks 0..1."""
    return F.binary_cross_entropy_with_logits(logits, mask)


def laplacian_loss(pred: Tensor, true: Tensor) -> Tensor:
    """L1 between Laplacian pyramids of [N, 1, H, W] (Hou & Liu 2019), coarse levels weighted up."""
    levels = zip(_pyramid(pred), _pyramid(true))
    return sum((2**at * F.l1_loss(p, t) for at, (p, t) in enumerate(levels)), pred.new_zeros(())) / LEVELS


def _change(x: Tensor) -> Tensor:
    return x[:, 1:] - x[:, :-1]


def _pyramid(x: Tensor) -> list[Tensor]:
    levels = []
    for _ in range(LEVELS):
        x = x[..., : x.shape[-2] // 2 * 2, : x.shape[-1] // 2 * 2]
        small = _blur(x)[..., ::2, ::2]
        spread = torch.zeros_like(x)
        spread[..., ::2, ::2] = 4 * small
        levels.append(x - _blur(spread))
        x = small
    return levels


def _blur(x: Tensor) -> Tensor:
    bell = x.new_tensor([1, 4, 6, 4, 1])
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), (bell[:, None] * bell / 256)[None, None])
