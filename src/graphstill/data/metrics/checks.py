"""What logits and labels must be to be scored."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.errors import DataError

_HIDDEN = (
    "{count} nodes have no label that may be seen, in {what}: "
    "score rows of batch.train_rows or batch.val_rows only; test labels are scored by task.test.open(...).score(...)"
)


def check_classes(logits: Tensor, y: Tensor, what: str) -> None:
    """Logits [members, items, classes] and a class for each item."""
    check(logits, y, rank=1)
    if bool((y < 0).any()):
        raise DataError(_HIDDEN.format(count=int((y < 0).sum()), what=what))


def check_labels(logits: Tensor, y: Tensor, what: str) -> None:
    """Logits [members, items, labels] and every label of each item."""
    check(logits, y, rank=2)
    missing = torch.isnan(y).any(dim=-1)
    if bool(missing.any()):
        raise DataError(_HIDDEN.format(count=int(missing.sum()), what=what))


def check_known(predictions: Tensor, y: Tensor, what: str) -> Tensor:
    """Which entries of y [items, outputs] are known, of which there is one at least; predictions are numbers."""
    check(predictions, y, rank=2)
    if bool(predictions.isnan().any()):
        raise DataError(f"{int(predictions.isnan().sum())} predictions are NaN, in {what}: look at the training loss")
    known = ~torch.isnan(y)
    if not bool(known.any()):
        raise DataError(f"{len(y)} items without a single label, in {what}: score items that have labels")
    return known


def check(logits: Tensor, y: Tensor, rank: int) -> None:
    """Shapes that go together, and something to score."""
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
