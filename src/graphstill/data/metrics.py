"""Metrics of node tasks: one value per member, exact counts, no state."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

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
    _check_classes(logits, y, "accuracy")
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
    _check(logits, y, rank=2)
    missing = torch.isnan(y).any(dim=-1)
    if bool(missing.any()):
        raise DataError(_HIDDEN.format(count=int(missing.sum()), what="micro-F1"))
    predicted, true = logits > 0, y > 0.5
    hits = (predicted & true).sum(dim=(-2, -1)).double()
    marked = predicted.sum(dim=(-2, -1)).double() + true.sum()
    return 2 * hits / marked.clamp(min=1)


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
    _check_classes(logits, y, "roc_auc")
    ones = int((y == 1).sum())
    zeros = len(y) - ones
    if logits.shape[-1] != 2 or not ones or not zeros:
        raise DataError(
            f"roc_auc of {logits.shape[-1]} classes, {ones} nodes of class 1 and {zeros} others: it is defined for two "
            "classes that both occur; use accuracy"
        )
    areas = []
    for score in (logits[..., 1] - logits[..., 0]).double():
        _, group, counts = score.unique(return_inverse=True, return_counts=True)
        rank = (counts.cumsum(0) - (counts.double() - 1) / 2)[group]  # of nodes that tie, the mean of theirs
        areas.append((rank[y == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))
    return torch.stack(areas)


METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "accuracy": accuracy, "micro_f1": micro_f1, "roc_auc": roc_auc,
}  # fmt: skip

_HIDDEN = (
    "{count} nodes have no label that may be seen, in {what}: "
    "score rows of batch.train_rows or batch.val_rows only; test labels are scored by task.test.open(...).score(...)"
)


def _check_classes(logits: Tensor, y: Tensor, what: str) -> None:
    _check(logits, y, rank=1)
    if bool((y < 0).any()):
        raise DataError(_HIDDEN.format(count=int((y < 0).sum()), what=what))


def _check(logits: Tensor, y: Tensor, rank: int) -> None:
    if (
        logits.ndim != 3
        or y.ndim != rank
        or logits.shape[1] != y.shape[0]
        or (rank == 2 and logits.shape[1:] != y.shape)
    ):
        raise DataError(
            f"logits {tuple(logits.shape)} and labels {tuple(y.shape)} do not go together: "
            "logits are [members, nodes, outputs], labels [nodes] (single label) or [nodes, outputs] (multi-label)"
        )
    if y.shape[0] == 0:
        raise DataError(
            "no nodes to score: the metric of an empty set is not a number; check the rows that were selected"
        )
