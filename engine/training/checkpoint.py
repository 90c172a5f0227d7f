"""Training room: the state of a training as one npz without pickled objects — networks, optimizers, and what is to be told; no stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..store import writing

Keeper = Any  # a module or an optimizer: whatever has state_dict and load_state_dict


def save(path: Path, parts: dict[str, Keeper], about: dict[str, Any]) -> None:
    """Written beside and renamed, so that a crash leaves the last whole state."""
    arrays = {"about": np.array(json.dumps(about))}
    for name, part in parts.items():
        for key, value in _flat(part).items():
            arrays[f"{name}/{key}"] = value.detach().cpu().numpy()
    with writing(path) as file:
        np.savez(file, **arrays)


def load(path: Path, parts: dict[str, Keeper]) -> dict[str, Any] | None:
    """Fill the parts and return what was told; None where there is no state."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as held:
        about = json.loads(str(held["about"]))
        for name, part in parts.items():
            start = f"{name}/"
            _fill(part, {key[len(start):]: torch.from_numpy(held[key]) for key in held.files if key.startswith(start)})
    return about


def _flat(part: Keeper) -> dict[str, torch.Tensor]:
    state = part.state_dict()
    if "param_groups" not in state:
        return state
    return {f"{index}/{key}": torch.as_tensor(value) for index, held in state["state"].items() for key, value in held.items()}


def _fill(part: Keeper, flat: dict[str, torch.Tensor]) -> None:
    state = part.state_dict()
    if "param_groups" not in state:
        part.load_state_dict(flat)
        return
    state["state"] = {}
    for key, value in flat.items():
        index, _, name = key.partition("/")
        state["state"].setdefault(int(index), {})[name] = value
    part.load_state_dict(state)
