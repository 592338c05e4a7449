"""Metrics of several yes-or-no tasks an item, of which some labels are missing (NaN)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphstill.data.metrics.checks import check_known
from graphstill.data.metrics.ranking import area, average_precision
from graphstill.errors import DataError


def tasks_scored(y: Tensor) -> Tensor:
    """Which tasks have a labelled item of each class, and so a ROC curve: float [items, tasks] -> bool [tasks].

    >>> tasks_scored(torch.tensor([[1.0, 0.0], [0.0, torch.nan]])).tolist()
    [True, False]
    """
    return (y == 1).any(0) & (y == 0).any(0)


def mean_roc_auc(logits: Tensor, y: Tensor) -> Tensor:
    """ROC-AUC of each task over its labelled items, mean over the tasks in which both classes occur; ties count half.

    As the evaluators of the Open Graph Benchmark (Hu et al., NeurIPS 2020) for molecules. `tasks_scored` says which
    tasks count. To score all tasks' entries as one would mix their thresholds.

    Args:
        logits: [members, items, tasks].
        y: float [items, tasks] of zeros, ones and NaN (missing).

    Returns:
        float64 [members].

    Raises:
        DataError: no items, no labels, no task with both classes, or predictions that are NaN.

    >>> y = torch.tensor([[1.0, 1.0], [0.0, torch.nan]])
    >>> mean_roc_auc(torch.tensor([[[2.0, 0.0], [1.0, 0.0]]]), y).tolist()
    [1.0]
    """
    return _mean_of_tasks(area, logits, y, "mean ROC-AUC")


def mean_average_precision(logits: Tensor, y: Tensor) -> Tensor:
    """Average precision of each task over its labelled items, mean over the tasks in which both classes occur.

    Step-wise (no interpolation); equal scores are one threshold. Shapes and errors as in `mean_roc_auc`.

    >>> mean_average_precision(torch.tensor([[[2.0], [1.0], [0.0]]]), torch.tensor([[1.0], [0.0], [1.0]])).tolist()
    [0.8333333333333333]
    """
    return _mean_of_tasks(average_precision, logits, y, "mean average precision")


def _mean_of_tasks(score: Callable[[Tensor, Tensor, Tensor], Tensor], logits: Tensor, y: Tensor, what: str) -> Tensor:
    check_known(logits, y, what)
    kept = tasks_scored(y)
    if not bool(kept.any()):
        raise DataError(
            f"none of {y.shape[1]} tasks has labelled items of both classes, in {what}: score more items, or another "
            "metric"
        )
    truth = y.T
    scores = score(logits.double().transpose(1, 2).contiguous(), truth == 1, truth == 0)
    return torch.where(kept, scores, 0.0).sum(-1) / kept.sum()
