"""Sums over all pairs of nodes, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

#: Numbers that an array over pairs may hold: 16 MB in float32.
BLOCK = 2**22


def sum_over_rows(term: Callable[[slice, slice], Tensor], members: int, rows: int, row_size: int) -> Tensor:
    """Σ over blocks of rows of `term(members, rows)`, which returns one value for each of these members; -> [M].

    Everything at once where members · rows · row_size numbers are few; otherwise member by member in blocks of rows,
    which the backward pass computes again instead of keeping them.

    >>> x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> sum_over_rows(lambda members, rows: x[members, rows].sum(-1), 2, 2, 1)
    tensor([3., 7.])
    """
    if members * rows * row_size <= BLOCK:
        return term(slice(0, members), slice(0, rows))
    step = max(1, BLOCK // row_size)
    totals: list[Tensor] = []
    for m in range(members):
        parts = [
            checkpoint(term, slice(m, m + 1), slice(i, i + step), use_reentrant=False, preserve_rng_state=False)
            for i in range(0, rows, step)
        ]
        totals.append(torch.stack(parts).sum(0))
    return torch.cat(totals)


def of_members(x: Tensor, members: slice) -> Tensor:
    """These members of x [M, ...]; x itself where all members share it, [1, ...].

    >>> of_members(torch.tensor([1.0]), slice(2, 4)), of_members(torch.tensor([1.0, 2.0, 3.0]), slice(1, 3))
    (tensor([1.]), tensor([2., 3.]))
    """
    return x if x.shape[0] == 1 else x[members]


def inverse_norm(squared: Tensor) -> Tensor:
    """1 / √squared, and 0 (also in the gradient) where the norm is below 1e-8.

    >>> inverse_norm(torch.tensor([4.0, 0.0]))
    tensor([0.5000, 0.0000])
    """
    return torch.where(squared > 1e-16, squared, torch.inf).rsqrt()


def unit(x: Tensor) -> Tensor:
    """x with its last axis of length 1; rows of length 0 stay 0 and have no gradient.

    >>> unit(torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]))
    tensor([[[0.6000, 0.8000],
             [0.0000, 0.0000]]])
    """
    out: Tensor = _Unit.apply(x)
    return out


class _Unit(torch.autograd.Function):
    """With a gradient of its own: three passes over x instead of nine."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        scale = inverse_norm(torch.linalg.vector_norm(x, dim=-1, keepdim=True).square())
        out = x * scale
        ctx.save_for_backward(out, scale)
        ctx.set_materialize_grads(False)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        if grads[0] is None:
            return None
        out, scale = ctx.saved_tensors
        along = (grads[0] * out).sum(-1, keepdim=True)
        return (out * -along).add_(grads[0]).mul_(scale)  # addcmul would take as long as both: it broadcasts slowly


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """‖a_i − b_j‖² = ‖a_i‖² + ‖b_j‖² − 2 a_i·b_j: [.., n, D] and [.., m, D] -> [.., n, m].

    Centre the features first. What is below the rounding error of the identity is 0, without gradient.

    >>> squared_distances(torch.zeros(1, 1, 2), torch.tensor([[[3.0, 4.0]]]))
    tensor([[[25.]]])
    """
    norms = a.square().sum(-1).unsqueeze(-1) + b.square().sum(-1).unsqueeze(-2)
    d2 = norms - 2 * a @ b.transpose(-1, -2)
    return torch.where(d2 > 16 * torch.finfo(a.dtype).eps * norms, d2, 0.0)


def root(squared: Tensor) -> Tensor:
    """√squared, with gradient 0 where it is 0.

    >>> root(torch.tensor([4.0, 0.0]))
    tensor([2., 0.])
    """
    positive = squared > 0
    return torch.where(positive, squared, 1.0).sqrt() * positive
