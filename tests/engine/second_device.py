"""A stand-in for a graphics card: memory of the CPU under another name, which refuses what CUDA refuses.

Tensors on it do not mix with the CPU's, and do not become NumPy arrays before they are fetched. What is computed on it is computed by the
CPU's kernels, so results must be those of the CPU. It knows nothing of memory, streams or half precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "card"
BETWEEN = ("aten.copy_.", "aten._to_copy.", "aten.index", "aten._index")  # may see both sides, as on CUDA


class OnCard(torch.Tensor):
    """A tensor that says it lies on the card; `held` is where its values are."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnCard:
        return torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device=torch.device(NAME, 0),
        )

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        return _carry_out(operation, *args, **(kwargs or {}))

    def numpy(self, **how: Any) -> Any:
        """Refused, as by CUDA."""
        raise TypeError(f"can't convert {NAME} tensor to numpy. Use Tensor.cpu() first.")

    __array__ = numpy


def _carry_out(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """One operation of torch on what is held, by the rules of two devices."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    cards = [tensor for tensor in tensors if isinstance(tensor, OnCard)]
    strangers = [tensor for tensor in tensors if not isinstance(tensor, OnCard) and tensor.dim() > 0]
    name = str(operation)
    if cards and strangers and (not name.startswith(BETWEEN) or "index" in name and not isinstance(args[0], OnCard)):
        raise RuntimeError(f"Expected all tensors to be on the same device: {name}")
    device = kwargs.get("device")
    there = bool(cards) if device is None else torch.device(device).type == NAME
    if device is not None:
        kwargs["device"] = torch.device("cpu")
    out = operation(*tree_map(_held, args), **tree_map(_held, kwargs))
    written = {id(tensor.held): tensor for tensor in cards}  # what is changed in place stays the tensor it was

    def lying(leaf: Any) -> Any:
        fresh = OnCard if there and isinstance(leaf, torch.Tensor) else lambda plain: plain
        return written[id(leaf)] if id(leaf) in written else fresh(leaf)

    return tree_map(lying, out)


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, OnCard) else leaf


# Before any test runs: torch counts its devices once, at the first gradient of the process.
_setup_privateuseone_for_python_backend(NAME)
_LIBRARY = torch.library.Library("_", "IMPL")
_LIBRARY.fallback(_carry_out, "PrivateUse1")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """The device that every stage and every training takes in this test."""
    from engine import device as devices

    there = torch.device(NAME, 0)
    monkeypatch.setattr(devices, "pick", lambda wanted="auto": there)
    # Three things that stand-ins cannot do in torch 2.13 and cards can: inference tensors, numbers made in place, and sizes changed by `out`.
    monkeypatch.setattr(torch.inference_mode, "__enter__", lambda self: _entered.append(torch.no_grad()) or _entered[-1].__enter__())
    monkeypatch.setattr(torch.inference_mode, "__exit__", lambda self, *why: _entered.pop().__exit__(*why))
    monkeypatch.setattr(torch.Tensor, "new_tensor", lambda self, values: _plain(values, dtype=self.dtype).to(self.device))
    for maker in ("tensor", "arange", "linspace", "eye", "randperm"):
        monkeypatch.setattr(torch, maker, _first_on_cpu(getattr(torch, maker)))
    return there


_plain, _entered = torch.tensor, []


def _first_on_cpu(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda *given, device=None, **how: make(*given, **how) if device is None else make(*given, **how).to(device)
