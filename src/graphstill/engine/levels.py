"""What a metric reaches without anything learnt: by one answer for everything, and by luck."""

from __future__ import annotations

import math
from statistics import fmean

import torch
from torch import Tensor


def constant_level(y: Tensor, metric: str) -> float:
    """The best value of a metric that the same answer for everything reaches on labels y.

    Accuracy: the share of the largest class. Micro-F1: of the best set of labels. ROC AUC, also the mean of several:
    one half. Average precision: the share of positives, mean over tasks in which both answers occur.
    """
    if metric in ("roc_auc", "mean_roc_auc"):
        return 0.5
    if metric == "mean_average_precision":
        return fmean(ones / (ones + zeros) for ones, zeros in _counts(y))
    if metric == "accuracy":
        return float(torch.bincount(y).max()) / len(y)
    true = y.sum(0).sort(descending=True).values.double()
    count = torch.arange(1, len(true) + 1, dtype=torch.float64, device=y.device)
    hits = true.cumsum(0)
    return float((2 * hits / (count * len(y) + true.sum()).clamp(min=1)).max())


def chance(y: Tensor, metric: str) -> float:
    """Up to where a figure on labels y can be told from one constant answer by luck alone: two standard errors above.

    Of accuracy, micro-F1 and average precision the error is that of a share of the items, of ROC AUC that of the rank
    statistic, of its mean over tasks that of a mean of independent ones.
    """
    level = constant_level(y, metric)
    if metric in ("roc_auc", "mean_roc_auc"):
        counts = _counts(y.unsqueeze(1) if y.ndim == 1 else y)
        variances = [(ones + zeros + 1) / (12 * ones * zeros) for ones, zeros in counts]
        return level + 2 * math.sqrt(math.fsum(variances)) / max(1, len(variances))
    return level + 2 * math.sqrt(level * (1 - level) / len(y))


def _counts(y: Tensor) -> list[tuple[int, int]]:
    """Labels 1 and 0 of each task in which both occur."""
    counts = zip((y == 1).sum(0).tolist(), (y == 0).sum(0).tolist(), strict=True)
    return [(ones, zeros) for ones, zeros in counts if ones and zeros]
