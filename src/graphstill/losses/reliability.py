"""How reliable a teacher's output is at each node, and how that decides what is sampled (Wu et al., ICML 2023)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def entropy(logits: Tensor, multi_label: bool = False) -> Tensor:
    """Entropy of the softmax, or the sum of those of independent labels, in nats: [.., C] -> [..].

    >>> entropy(torch.zeros(1, 4)), entropy(torch.zeros(1, 4), multi_label=True)  # log 4, 4 log 2
    (tensor([1.3863]), tensor([2.7726]))
    """
    if multi_label:
        p = logits.sigmoid()
        return -(p * F.logsigmoid(logits) + (1 - p) * F.logsigmoid(-logits)).sum(-1)
    log_p = logits.log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1)


def agreement_by_bin(agreement: Tensor, value: Tensor, bins: int) -> Tensor:
    """Mean agreement of the nodes in each of `bins` equal bins of value in [0, 1]; 0 where a bin is empty.

    Shapes: agreement [M, n] in [0, 1], value [1 or M, n] -> [M, bins].

    >>> agreement_by_bin(torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[0.1, 0.2, 0.9]]), bins=2)
    tensor([[0.5000, 1.0000]])
    """
    index = (value * bins).long().clamp(0, bins - 1).expand(agreement.shape)
    total = agreement.new_zeros(len(agreement), bins).scatter_add_(1, index, agreement)
    count = torch.zeros_like(total).scatter_add_(1, index, torch.ones_like(agreement))
    return total / count.clamp(min=1)


def fit_exponent(x: Tensor, y: Tensor, low: float = 1e-2, high: float = 1e2) -> Tensor:
    """The exponent a in [low, high] of the least squares fit of y = 1 − x^a, to a relative precision of 1e-4.

    A search on a grid of log a that is refined three times: it has no starting value and cannot diverge.

    Shapes: x [bins] >= 0, y [M, bins] -> [M].

    >>> x = torch.linspace(0, 1, 5)
    >>> round(fit_exponent(x, 1 - x[None] ** 3).item(), 2)
    3.0
    """

    def best(candidates: Tensor) -> Tensor:
        # [M, candidates] in log a -> the best of each member, [M, 1].
        errors = (1 - x ** candidates.exp().unsqueeze(-1) - y.unsqueeze(1)).square().sum(-1)
        return candidates.gather(1, errors.argmin(1, keepdim=True))

    start, stop = math.log(low), math.log(high)
    grid = torch.linspace(start, stop, 64, dtype=y.dtype, device=y.device)
    found, cell = best(grid.expand(len(y), -1)), (stop - start) / 63
    for _ in range(3):
        offsets = torch.linspace(-cell, cell, 33, dtype=y.dtype, device=y.device)
        found, cell = best((found + offsets).clamp(start, stop)), cell / 16
    return found.squeeze(1).exp()
