"""What holds for every loss: one value a member, members that never mix, gradients by differences, a shared teacher."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graphstill import losses
from graphstill.ops import Adjacency, Groups


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


GRAPHS = Groups.from_ptr(torch.tensor([0, 3, 3, 6]), 6)
LABELS = torch.where(drawn(6, 4) > 0.8, torch.nan, (drawn(6, 4, seed=1) > 0).double())
T, NUMBERS, CLASSES = drawn(1, 6, 4, seed=9), drawn(6, 4, seed=4), torch.tensor([0, 3, 1, 2, 2, 0])
THREE = Adjacency.from_edge_index(torch.cartesian_prod(torch.arange(6), torch.arange(6)).T, 6)
WALKS, KEPT = (
    torch.tensor([[[0, 1, 2], [2, 1, 0]], [[3, 4, 3], [5, 5, 5]]]),
    torch.tensor([[True, True], [True, False]]),
)
TABLE = torch.tensor([[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]])[None]
OWN = torch.tensor([1, 0, 3, 2, 1, 0])


def own(student: Tensor) -> Tensor:
    """Numbers of one's own, [M]: of which there are none in a signature but in the student."""
    return student[:, 0, 0].detach()


#: Of a student [M, 6, 4]; six are nodes, items, anchors, experts or classes.
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "labels of tasks": lambda s: losses.binary_cross_entropy(s, LABELS, "tasks"),
    "labels of entries": lambda s: losses.binary_cross_entropy(s, LABELS),
    "smoothed labels": lambda s: losses.smoothed_cross_entropy(s, CLASSES, 0.1),
    "smoothed over others": lambda s: losses.smoothed_cross_entropy(s, CLASSES, 0.1, "others"),
    "known entries": lambda s: losses.bernoulli_kl(T, s, 2.0, ~LABELS.isnan()),
    "squared error": lambda s: losses.squared_error(s, NUMBERS),
    "absolute error": lambda s: losses.absolute_error(s, NUMBERS),
    "numbers of a teacher": lambda s: losses.regression_to_teacher(T, s),
    "huber to a teacher": lambda s: losses.regression_to_teacher(T, s, 0.5),
    "bounded by a teacher": lambda s: losses.bounded_by_teacher(T, s, NUMBERS),
    "graphs": lambda s: losses.graph_distance(T, s),
    "clusters": lambda s: losses.cluster_distance(THREE, T, s, 2),
    "paths": lambda s: losses.path_kl(T, s, WALKS, KEPT),
    "summaries": lambda s: losses.judged_real(
        losses.summary_scores(losses.unit(s), GRAPHS.mean(s), GRAPHS, own(s)[:, None].expand(-1, 4)), GRAPHS
    ),
    "attention of graphs": lambda s: losses.attention_distance(T, s, graphs=GRAPHS),
    "readouts": lambda s: losses.readout_retention([s, 2 * T.expand_as(s)]),
    "union of neighbours": lambda s: losses.union_structure_kl(losses.table_pairs(TABLE, TABLE.flip(1)), T, s),
    "contexts": lambda s: losses.context_kl(T, s, 2.0, ~LABELS.isnan()),
    "ranks of contexts": lambda s: losses.context_rank(T, s, 0.05, kept=~LABELS.isnan()),
    "scores of links": lambda s: losses.score_bce(s.sigmoid(), LABELS, own(s), own(s) / 2),
    "similar scores": lambda s: losses.score_similarity(s.sigmoid(), NUMBERS),
    "clusters of students": lambda s: losses.compactness(s.square()[:, None], OWN.expand(len(s), 1, -1)),
    "gates": lambda s: losses.gated_logits(T.expand_as(s), s).square().mean(1),
    "open gates": lambda s: losses.gated_logits(T.expand_as(s), s, "sigmoid").square().mean(1) + losses.gate_size(s),
    "rows of a classifier": lambda s: losses.weight_regression(T, s),
    "embeddings of rows": lambda s: (losses.row_embeddings(s) * NUMBERS).sum((1, 2)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_members_never_mix(name: str) -> None:
    loss, student = LOSSES[name], drawn(3, 6, 4, seed=7).requires_grad_()
    together = loss(student)
    assert together.shape == (3,) and together.isfinite().all() and together.abs().min() > 0
    torch.testing.assert_close(together, torch.cat([loss(student[m : m + 1]) for m in range(3)]))
    (slope,) = torch.autograd.grad(together[1], student)
    assert slope[1].any() and not slope[0].any() and not slope[2].any()


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ("summaries", "scores of links")])
def test_gradients_by_differences(name: str) -> None:
    """Not of the two in which a part of the student stands in for numbers that are held constant."""
    assert torch.autograd.gradcheck(LOSSES[name], drawn(2, 6, 4, seed=3).requires_grad_())
