"""Errors of predicted numbers: the lower, the better."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.data.metrics.checks import check_known


def mean_absolute_error(predictions: Tensor, y: Tensor) -> Tensor:
    """Mean over known entries of |prediction − y|, in the units of y.

    Args:
        predictions: [members, items, outputs].
        y: float [items, outputs]; NaN where a value is missing.

    Returns:
        float64 [members].

    Raises:
        DataError: no items, no known value, or predictions that are NaN.

    >>> mean_absolute_error(torch.tensor([[[1.0], [5.0]]]), torch.tensor([[2.0], [torch.nan]])).tolist()
    [1.0]
    """
    return _mean(predictions, y, 1, "mean absolute error")


def root_mean_squared_error(predictions: Tensor, y: Tensor) -> Tensor:
    """Root of the mean over known entries of (prediction − y)², in the units of y. Otherwise as `mean_absolute_error`.

    >>> root_mean_squared_error(torch.tensor([[[1.0], [5.0]]]), torch.tensor([[4.0], [1.0]])).tolist()
    [3.5355339059327378]
    """
    return _mean(predictions, y, 2, "root mean squared error").sqrt()


def _mean(predictions: Tensor, y: Tensor, power: int, what: str) -> Tensor:
    known = check_known(predictions, y, what)
    off = (predictions.double() - y).abs().pow(power)
    return torch.where(known, off, 0.0).sum((1, 2)) / known.sum()
