"""Initial weights, drawn for one member at a time.

Every member draws from its own CPU generator, in float32, in the order in which its modules were registered. So a
member's
initial weights depend on its seed alone: not on how many members there are, nor on the device or the precision they
    land in.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def uniform_(weight: Tensor, bound: float, generator: torch.Generator) -> None:
    """Fill one member's ``weight`` from U(-bound, bound)."""
    with torch.no_grad():
        weight.copy_(torch.empty(weight.shape, dtype=torch.float32).uniform_(-bound, bound, generator=generator))


def glorot_(weight: Tensor, generator: torch.Generator, fan_sum: int | None = None) -> None:
    """U(-a, a) with a = sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010), on ``[in, out]``.

    ``fan_sum`` replaces fan in + fan out where the tensor's own last two axes are not the fans that PyG uses.
    """
    fans = weight.size(-2) + weight.size(-1) if fan_sum is None else fan_sum
    uniform_(weight, math.sqrt(6.0 / fans), generator)


def fan_in_(weight: Tensor, fan: int, generator: torch.Generator) -> None:
    """U(-1/sqrt(fan), 1/sqrt(fan)): what torch and PyG give the weight and the bias of a plain linear layer."""
    uniform_(weight, 1.0 / math.sqrt(fan), generator)


def fill_(weight: Tensor, value: float) -> None:
    """Fill one member's ``weight`` with a constant."""
    with torch.no_grad():
        weight.fill_(value)
