"""Metrics of links: scores of true pairs against scores of others. One float64 value a member."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphstill.data.metrics.checks import check, check_classes
from graphstill.data.metrics.ranking import area, average_precision
from graphstill.errors import DataError


def link_auc(positive: Tensor, negative: Tensor) -> Tensor:
    """How often a true pair is above another, ties half: [M, P] and [M, Q] scores -> [M].

    Raises:
        DataError: shapes that do not go together, no pairs, or scores that are NaN (so do all of this file).

    >>> link_auc(torch.tensor([[0.9, 0.5]]), torch.tensor([[0.5, 0.1]])).tolist()
    [0.875]
    """
    return area(*_together(positive, negative))


def link_average_precision(positive: Tensor, negative: Tensor) -> Tensor:
    """Average precision, step-wise, equal scores one threshold; shapes as in `link_auc`."""
    return average_precision(*_together(positive, negative))


def hits_at(positive: Tensor, negative: Tensor, k: int) -> Tensor:
    """Share of true pairs strictly above the k-th best of all others: [M, P] and [M, Q] -> [M].

    As in the Open Graph Benchmark (Hu et al., NeurIPS 2020); a tie is a miss. Deviation: with fewer than k others,
    where that says 1, it is an error. The bar depends on Q: do not compare parts with other numbers of negatives.

    Raises:
        DataError: fewer than k negatives, or k below 1.

    >>> hits_at(torch.tensor([[0.9, 0.5]]), torch.tensor([[0.5, 0.1]]), 1).tolist()
    [0.5]
    """
    _check(positive, negative, 2)
    if not 1 <= k <= negative.shape[1]:
        raise DataError(
            f"hits@{k} against {negative.shape[1]} negative pairs: draw at least {max(k, 1)} of them, or take "
            "a k from 1 up to their number"
        )
    bar = negative.topk(k, dim=1).values[:, -1:]
    return (positive > bar).double().mean(1)


def link_ranks(positive: Tensor, negative: Tensor) -> Tensor:
    """The rank of each true pair among its own K negatives, from 1: ½ (#{n > p} + #{n ≥ p}) + 1.

    Shapes: [M, P] and [M, P, K] scores -> float64 [M, P].

    >>> link_ranks(torch.tensor([[0.7]]), torch.tensor([[[0.9, 0.7, 0.1]]])).tolist()
    [[2.5]]
    """
    _check(positive, negative, 3)
    own = positive.unsqueeze(-1)
    return 1 + ((negative > own).double().sum(-1) + (negative >= own).double().sum(-1)) / 2


def mean_reciprocal_rank(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean over true pairs of 1 / rank (`link_ranks`): [M, P] and [M, P, K] -> [M].

    >>> mean_reciprocal_rank(torch.tensor([[0.7]]), torch.tensor([[[0.9, 0.7, 0.1]]])).tolist()
    [0.4]
    """
    return link_ranks(positive, negative).reciprocal().mean(-1)


def ranked_hits_at(positive: Tensor, negative: Tensor, k: int) -> Tensor:
    """Share of true pairs with a rank of k or better among their own negatives; shapes as in `mean_reciprocal_rank`."""
    return (link_ranks(positive, negative) <= k).double().mean(-1)


def of_labels(score: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """A metric of this file, [M, P] and [M, Q] scores, as one of logits [members, pairs, 1] and labels [pairs].

    Labels are 1 for true pairs and 0 for others, of any type of numbers.

    >>> logits = torch.tensor([[[0.9], [0.5], [0.5], [0.1]]])
    >>> of_labels(link_auc)(logits, torch.tensor([1, 1, 0, 0])).tolist()
    [0.875]
    """

    def metric(logits: Tensor, y: Tensor) -> Tensor:
        check(logits, y, rank=1)
        if logits.shape[-1] != 1 or not bool(((y == 0) | (y == 1)).all()):
            raise DataError(
                f"logits {tuple(logits.shape)} with labels {y.unique().tolist()[:5]}: a metric of links takes "
                "one logit a pair, and labels 0 and 1"
            )
        return score(logits[:, y == 1, 0], logits[:, y == 0, 0])

    return metric


def candidate_mrr(logits: Tensor, y: Tensor) -> Tensor:
    """`mean_reciprocal_rank` where each item has candidates, one of them true: ties half.

    Args:
        logits: [members, items, candidates].
        y: int64 [items], the number of the true one.

    Returns:
        float64 [members].

    Raises:
        DataError: no items, a label that is missing (-1), or fewer than two candidates.

    >>> candidate_mrr(torch.tensor([[[0.7, 0.9, 0.7, 0.1]]]), torch.tensor([0])).tolist()
    [0.4]
    """
    check_classes(logits, y, "MRR")
    own = y.view(1, -1, 1).expand(len(logits), -1, 1)
    others = torch.ones_like(logits, dtype=torch.bool).scatter_(-1, own, False)
    rest = logits[others].view(*logits.shape[:2], logits.shape[2] - 1)
    return mean_reciprocal_rank(logits.gather(-1, own).squeeze(-1), rest)


def _together(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    _check(positive, negative, 2)
    scores = torch.cat([positive, negative], 1).double()
    true = torch.zeros_like(scores, dtype=torch.bool)
    true[:, : positive.shape[1]] = True
    return scores, true, ~true


def _check(positive: Tensor, negative: Tensor, rank: int) -> None:
    fits = positive.dim() == 2 and negative.dim() == rank and positive.shape[: rank - 1] == negative.shape[: rank - 1]
    if not fits or not positive.numel() or not negative.numel():
        wanted = "[members, negatives]" if rank == 2 else "[members, pairs, negatives of each]"
        raise DataError(
            f"scores of true pairs {list(positive.shape)} and of others {list(negative.shape)} do not go together: "
            f"[members, pairs] and {wanted}, none of them empty"
        )
    if bool(positive.isnan().any()) or bool(negative.isnan().any()):
        raise DataError("scores of links are NaN: look at the training loss")
