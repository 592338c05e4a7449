"""Metrics of items that have classes: one value a member, exact counts, no state."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from graphstill.data.metrics.checks import check_classes, check_labels
from graphstill.data.metrics.ranking import area
from graphstill.errors import DataError


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of nodes whose largest logit is their class.

    Args:
        logits: [members, nodes, classes]. Where two logits tie, the lower class is predicted.
        y: int64 [nodes], every entry a class.

    Returns:
        float64 [members].

    Raises:
        DataError: there are no nodes, or a label is hidden or missing (-1).
    """
    check_classes(logits, y, "accuracy")
    return (logits.argmax(dim=-1) == y).sum(dim=-1).double() / y.shape[0]


def micro_f1(logits: Tensor, y: Tensor) -> Tensor:
    """Micro-averaged F1: 2 TP / (2 TP + FP + FN), counted over all nodes and labels at once.

    A label is predicted where its logit is above 0.

    Args:
        logits: [members, nodes, labels].
        y: float [nodes, labels] of zeros and ones.

    Returns:
        float64 [members]; 0 where nothing is predicted and nothing is true, as in scikit-learn.

    Raises:
        DataError: there are no nodes, or a label is hidden or missing (NaN).
    """
    check_labels(logits, y, "micro-F1")
    predicted, true = logits > 0, y > 0.5
    hits = (predicted & true).sum(dim=(-2, -1)).double()
    marked = predicted.sum(dim=(-2, -1)).double() + true.sum()
    return 2 * hits / marked.clamp(min=1)


def macro_f1(logits: Tensor, y: Tensor) -> Tensor:
    """Macro-averaged F1: the plain mean over all classes of 2 TP / (2 TP + FP + FN); 0 for a class never predicted.

    Of one class an item the largest logit is predicted, of several labels those with a logit above 0. A class that is
    neither predicted nor true counts as 0 too, as in the benchmark of Lv et al., Are We Really Making Much Progress?,
    KDD 2021 (scikit-learn on one-hot rows).

    Args:
        logits: [members, items, classes].
        y: int64 [items], every entry a class, or float [items, classes] of zeros and ones.

    Returns:
        float64 [members].

    Raises:
        DataError: there are no items, or a label is hidden or missing (-1, NaN).

    >>> macro_f1(torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]]), torch.tensor([0, 0, 1])).tolist()
    [0.6666666666666666]
    """
    classes = logits.shape[-1]
    if y.ndim == 1:
        check_classes(logits, y, "macro-F1")
        predicted, true = F.one_hot(logits.argmax(-1), classes).bool(), F.one_hot(y, classes).bool()
    else:
        check_labels(logits, y, "macro-F1")
        predicted, true = logits > 0, y > 0.5
    hits = (predicted & true).sum(1).double()
    marked = predicted.sum(1).double() + true.sum(0)
    return (2 * hits / marked.clamp(min=1)).mean(-1)


def roc_auc(logits: Tensor, y: Tensor) -> Tensor:
    """Area under the receiver operating characteristic of two classes: how often a node of class 1 is above one of 0.

    It does not depend on where the line between the classes is drawn, so that it can be compared over parts of the
    data in which the classes have different shares. Ties count half.

    Args:
        logits: [members, nodes, 2]. Nodes are ranked by the second minus the first.
        y: int64 [nodes], 0 or 1, both of which occur.

    Returns:
        float64 [members].

    Raises:
        DataError: there are no nodes, other than two classes, only one of them, or a label is hidden or missing (-1).
    """
    check_classes(logits, y, "roc_auc")
    ones = int((y == 1).sum())
    zeros = len(y) - ones
    if logits.shape[-1] != 2 or not ones or not zeros:
        raise DataError(
            f"roc_auc of {logits.shape[-1]} classes, {ones} nodes of class 1 and {zeros} others: it is defined for two "
            "classes that both occur; use accuracy"
        )
    return area((logits[..., 1] - logits[..., 0]).double(), y == 1, y == 0)
