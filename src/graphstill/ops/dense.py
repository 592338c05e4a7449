"""Dense products of every member's features with its weights, where the weights are narrow."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.ops.precision import lowered

# BLAS fills its vector registers with columns of the result: below sixteen of them it takes 2 to 10 times as long a
# number. 19,717 x 64 by 64 x 3, one thread: 1.5 ms, 0.7 with the weights padded to 16 columns; with 7 columns 1.8, and
# 0.6 as the transpose of the reversed product; the weights' gradient 3.0 or, reversed, 0.4.
FULL = 16
# Below so many rows the call itself takes longest.
MANY = 512


def member_product(x: Tensor, weight: Tensor) -> Tensor:
    """x[m] @ weight[m] for every member: [M, N, I] and [M, I, O] -> [M, N, O], contiguous, differentiable once."""
    x, weight = lowered(x), lowered(weight)
    if not narrow(x, weight):
        return torch.bmm(x, weight)
    out: Tensor = _Narrow.apply(x, weight)
    return out


def narrow(x: Tensor, weight: Tensor) -> bool:
    """Whether `member_product` has a faster way than one call of BLAS."""
    wide = 0 < weight.shape[-1] < FULL and x.shape[1] >= MANY and weight.shape[1] > 0
    return wide and x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32


class _Narrow(torch.autograd.Function):
    """Few columns, the class scores for instance: the numbers of `torch.bmm` up to rounding."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        columns = weight.shape[-1]
        if columns == 1 or 4 <= columns <= 8:
            return torch.bmm(weight.transpose(1, 2), x.transpose(1, 2)).transpose(1, 2).contiguous()
        return torch.bmm(x, F.pad(weight, (0, FULL - columns)))[..., :columns].contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        grad_x = torch.bmm(grads[0], weight.transpose(1, 2)) if ctx.needs_input_grad[0] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = torch.bmm(grads[0].transpose(1, 2), x).transpose(1, 2).contiguous()
        return grad_x, grad_weight
