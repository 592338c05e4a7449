"""How well scores put what is true above what is not, many rows of scores at a time; ties are exact."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class _Ranked(NamedTuple):
    """Of every score, in rising order: whether it is a positive, and how many are below it and not above it."""

    positive: Tensor
    positives_below: Tensor
    positives_upto: Tensor
    negatives_below: Tensor
    negatives_upto: Tensor


def area(scores: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Area under the ROC curve: how often a positive is above a negative, ties half; NaN where one of them is missing.

    Shapes: scores [.., n], positive and negative bool [.., n] (both False: left out) -> float64 [..].

    >>> area(torch.tensor([0.9, 0.5, 0.5, 0.1]), torch.tensor([1, 1, 0, 0]).bool(), torch.tensor([0, 0, 1, 1]).bool())
    tensor(0.8750, dtype=torch.float64)
    """
    r = _rank(scores, positive, negative)
    above = (r.positive * (r.negatives_below + r.negatives_upto)).sum(-1) / 2
    return above / (positive.sum(-1).double() * negative.sum(-1))


def average_precision(scores: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Σ over thresholds of the recall gained times the precision there; equal scores are one threshold.

    Shapes as in `area`; NaN where there is no positive.

    >>> average_precision(torch.tensor([0.9, 0.5, 0.1]), torch.tensor([1, 0, 1]).bool(), torch.tensor([0, 1, 0]).bool())
    tensor(0.8333, dtype=torch.float64)
    """
    r, count = _rank(scores, positive, negative), positive.sum(-1, keepdim=True).double()
    hits = count - r.positives_below
    found = hits + negative.sum(-1, keepdim=True) - r.negatives_below
    return (r.positive * hits / found.clamp(min=1)).sum(-1) / count.squeeze(-1)


def _rank(scores: Tensor, positive: Tensor, negative: Tensor) -> _Ranked:
    value, order = scores.sort(-1)
    value = value.contiguous()
    below, upto = torch.searchsorted(value, value), torch.searchsorted(value, value, right=True)

    def counted(kind: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ones = kind.expand_as(scores).gather(-1, order).double()
        total = F.pad(ones.cumsum(-1), (1, 0))
        return ones, total.gather(-1, below), total.gather(-1, upto)

    ones, *positives = counted(positive)
    _, *negatives = counted(negative)
    return _Ranked(ones, *positives, *negatives)
