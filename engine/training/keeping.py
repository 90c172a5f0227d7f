"""Training room: what is kept of learned levels, so that learning makes nothing worse than the closed forms it began from; torch, no stage.

A thing keeps what it learned where the motion field carries its pixels, between frames that it was not shown, to the depth found there
better than by the closed forms' levels. Where a thing lies as a whole no motion tells: that stays as those settled it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..nets.scale_field import ScaleField
from .follow_losses import published
from .followed import Table
from .scene_flow_fit import Fit

Levels = NDArray[np.float64]
EVERY = 4  # of the pairs of frames one is held out


def held_out(table: Table, frames: int) -> torch.Tensor:
    """Rows [N] bool of every fourth pair of frames, of each gap alike."""
    first, last = (stops.frame.cpu().numpy() for stops in (table.here, table.there))
    code = (last - first) * frames + first
    return torch.from_numpy(np.isin(code, np.unique(code)[EVERY // 2 :: EVERY]))


def kept(fit: Fit, settled: Levels, unseen: Table) -> tuple[Levels, NDArray[np.bool_]]:
    """Levels [things, frames] to go by, and which things keep what was learned [things]; the others have the `settled` ones."""
    learned = fit.scale.levels.detach().cpu().numpy().astype(np.float64)
    held = learned + (settled - learned).mean(1, keepdims=True)
    out, keeps = settled.copy(), np.zeros(len(settled), bool)
    unseen = unseen.to(fit.scale.levels.device)
    for thing in np.unique(unseen.here.thing.cpu().numpy()):
        rows = unseen[(unseen.here.thing == int(thing)) & (unseen.there.thing == int(thing))]
        keeps[thing] = len(rows) > 0 and _missed(fit, held, rows) < _missed(fit, settled, rows)
        if keeps[thing]:
            out[thing] = held[thing]
    return out, keeps


def _missed(fit: Fit, levels: Levels, rows: Table) -> float:
    """By how much the field and these levels disagree about the depths at the far ends of rows."""
    scale = ScaleField(levels.shape[1], len(levels)).to(fit.scale.levels.device)
    with torch.no_grad():
        scale.levels.copy_(torch.from_numpy(levels))
        return float(published(rows, scale, fit.motion, fit.cameras, frozen=False)["disparity"])
