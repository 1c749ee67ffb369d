"""Tensors that hold a number that is none: NaN, or an infinity. Nothing of them is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from socialr1_lite.errors import DivergedError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def first_unsound(named: Iterable[tuple[str, Tensor | None]]) -> str:
    """Return the name of the first tensor that holds a number that is none, or ""."""
    import torch

    for name, tensor in named:
        if tensor is None or not tensor.is_floating_point() or not tensor.numel():
            continue
        if not math.isfinite(torch.linalg.vector_norm(tensor.detach(), ord=math.inf).item()):
            return name
    return ""


def trained(model: Module) -> Iterator[tuple[str, Tensor]]:
    """Yield what training changes."""
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def refuse_unsound(named: Iterable[tuple[str, Tensor | None]], what: str) -> None:
    """Raise DivergedError where one of the tensors is no number. what: as in "the adapter is not kept"."""
    if name := first_unsound(named):
        remedy = "a lower learning rate is the usual remedy"
        raise DivergedError(f"{what}: {name} holds a number that is none (NaN or infinity); {remedy}")
