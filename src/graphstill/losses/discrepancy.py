"""How far each node is from its neighbourhood, and the loss that keeps it so through the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from graphstill.ops import Adjacency, Groups, spmm

Aggregate = Literal["mean", "gcn"]
AGGREGATES: tuple[str, ...] = get_args(Aggregate)


def neighbourhood_discrepancy(graph: Adjacency, x: Tensor, aggregate: Aggregate = "mean") -> Tensor:
    """1 − cos(x_i, (Âx)_i) for every node, between 0 and 2; 0 where a node or its neighbourhood is zero or empty.

    Shapes: x [M, N, D] -> [M, N]. ``mean`` and the plain sum over neighbours are the same thing to a cosine; ``gcn`` is
    the symmetric normalisation.

    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> neighbourhood_discrepancy(one, torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    tensor([[0., 1.]])
    """
    around = spmm(graph, graph.mean_weights(x.dtype) if aggregate == "mean" else graph.gcn_weights(x.dtype), x)
    square = x.square().sum(-1) * around.square().sum(-1)
    some = square > 1e-24
    cosine = (x * around).sum(-1) * torch.where(some, square, 1.0).rsqrt()
    return torch.where(some, 1 - cosine, 0.0)


def discrepancy_retention(
    levels: Sequence[Tensor],
    norm: Literal["l1", "l2"] = "l2",
    reduction: Literal["mean", "sum"] = "mean",
    graphs: Groups | None = None,
) -> Tensor:
    """Adaptive discrepancy retaining: Σ_l 1[‖S_{l+1}‖ < ‖S_l‖] · ‖S_{l+1} − sg S_l‖².

    The sum starts at the layer of the largest norm, the last one excepted; each member has its own. `reduction` is over
    the nodes in the squared distance. Of several graphs, `graphs` of the N nodes, norms and reductions are those of
    each graph, mean over the graphs.

    Shapes: levels, first layer to last, each [M, N] -> [M].

    >>> levels = [torch.tensor([[2.0, 2.0, 1.0]]), torch.tensor([[1.0, 1.0, 1.0]])]
    >>> discrepancy_retention(levels, graphs=Groups.from_ptr(torch.tensor([0, 2, 3]), 3))
    tensor([0.5000])
    """
    fixed = [level.detach() for level in levels]
    size = torch.stack([_norm(f, norm, graphs) for f in fixed])
    start = size[:-1].argmax(0)
    total = torch.zeros_like(size[0])
    for i in range(len(levels) - 1):
        squares = (levels[i + 1] - fixed[i]).square()
        if graphs is not None:
            distance = graphs.mean_of_means(squares) if reduction == "mean" else graphs.sum(squares).mean(-1)
        else:
            distance = squares.mean(-1) if reduction == "mean" else squares.sum(-1)
        total = total + distance * ((size[i + 1] < size[i]) & (start <= i))
    return total


def _norm(level: Tensor, norm: Literal["l1", "l2"], graphs: Groups | None) -> Tensor:
    """[M, N] -> [M]."""
    if graphs is None:
        return torch.linalg.vector_norm(level, 1 if norm == "l1" else 2, -1)
    each = graphs.sum(level.abs()) if norm == "l1" else graphs.sum(level.square()).sqrt()
    return each.mean(-1)
