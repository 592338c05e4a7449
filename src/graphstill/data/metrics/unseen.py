"""Metrics of classes that had no examples, among each other and among those that had. Ties count against the model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphstill.data.metrics.checks import check_classes
from graphstill.errors import DataError


class Generalised(NamedTuple):
    """float64 [members] each: accuracy on items of seen classes, of unseen ones, and their harmonic mean."""

    seen: Tensor
    unseen: Tensor
    harmonic: Tensor


def class_hit_at(scores: Tensor, y: Tensor, k: int) -> Tensor:
    """Share of items whose class is among the k best, its rank being the number of scores at least as high.

    So a network that gives all classes the same score has nothing, where other conventions give it everything.

    Args:
        scores: [members, items, classes].
        y: int64 [items], every entry a class.

    Returns:
        float64 [members].

    Raises:
        DataError: no items, a label that is missing (-1), scores that are NaN, or k not from 1 to the classes.

    >>> scores = torch.tensor([[[0.9, 0.4, 0.4], [0.5, 0.5, 0.5]]])
    >>> [class_hit_at(scores, torch.tensor([0, 0]), k).item() for k in (1, 3)]
    [0.5, 1.0]
    """
    return _hits(scores, y, k).double().mean(-1)


def generalised_accuracy(scores: Tensor, y: Tensor, seen: Tensor, calibration: float = 0.0) -> Generalised:
    """Accuracy with all classes as candidates, of items of seen and of unseen classes, and H = 2SU / (S + U).

    `calibration` is subtracted from scores of seen classes, which a classifier prefers (Chao et al., ECCV 2016): choose
    it on classes of its own. Deviation from papers that report U among all candidates as "generalised": S and H too.

    Shapes: scores [M, n, C], y int64 [n], seen bool [C]. H is 0 where S and U are.

    Raises:
        DataError: as `class_hit_at`; or no item of one of both kinds.

    >>> scores, seen = torch.tensor([[[2.0, 1.0], [3.0, 2.0]]]), torch.tensor([True, False])
    >>> [part.item() for part in generalised_accuracy(scores, torch.tensor([0, 1]), seen)]
    [1.0, 0.0, 0.0]
    """
    of_seen = seen[y.clamp(min=0)] if y.ndim == 1 and seen.shape == scores.shape[-1:] else None
    if of_seen is None or not bool(of_seen.any()) or bool(of_seen.all()):
        raise DataError(
            f"scores {tuple(scores.shape)}, labels {tuple(y.shape)} and seen {tuple(seen.shape)} in generalised "
            "accuracy: give [members, items, classes], [items] and bool [classes], and items of both kinds of classes"
        )
    hits = _hits(scores - calibration * seen, y, 1).double()
    s, u = hits[:, of_seen].mean(-1), hits[:, ~of_seen].mean(-1)
    return Generalised(s, u, torch.where(s + u > 0, 2 * s * u / (s + u).clamp(min=1e-300), 0.0))


def _hits(scores: Tensor, y: Tensor, k: int) -> Tensor:
    check_classes(scores, y, f"hit@{k}")
    if not 1 <= k <= scores.shape[-1]:
        raise DataError(f"hit@{k} of {scores.shape[-1]} classes: give a k from 1 to their number")
    if bool(scores.isnan().any()):
        raise DataError(f"{int(scores.isnan().sum())} scores are NaN, in hit@{k}: look at the training loss")
    own = scores.gather(-1, y.view(1, -1, 1).expand(len(scores), -1, 1))
    return (scores >= own).sum(-1) <= k
