"""Inputs moved to where a loss is higher, within a box around them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def adversarial_offset(
    loss: Callable[[Tensor], Tensor], start: Tensor, radius: float, steps: int, stride: float = 0.25
) -> Tensor:
    """The offset that `steps` of projected gradient ascent find, every entry within ± radius.

    δ ← clip(δ + stride · radius · sign(∂ loss(δ) / ∂δ), −radius, radius). Madry et al.: Towards Deep Learning Models
    Resistant to Adversarial Attacks, ICLR 2018 (the L∞ attack). An entry without gradient stays where it started.

    Args:
        loss: of an offset, to one number a member, [M]; members must not mix. Weights get no gradient.
        start: [M, ...], within the box.

    Returns:
        [M, ...], without gradient.

    >>> adversarial_offset(lambda d: d @ torch.tensor([1.0, -2.0]), torch.zeros(1, 2), radius=0.1, steps=9)
    tensor([[ 0.1000, -0.1000]])
    """
    offset = start.detach()
    with torch.enable_grad():
        for _ in range(steps):
            offset.requires_grad_()
            (slope,) = torch.autograd.grad(loss(offset).sum(), offset)
            offset = (offset.detach() + stride * radius * slope.sign()).clamp(-radius, radius)
    return offset.detach()
