"""Soft targets along edges: a node learns from the teacher's outputs at its neighbours."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.losses.soft_targets import classes_first
from graphstill.ops import Adjacency, segment_sum, spmm
from graphstill.ops.segments import sum_by_source, sum_by_target


def neighbour_kl(
    graph: Adjacency,
    target: Tensor,
    student: Tensor,
    temperature: float = 1.0,
    multi_label: bool = False,
    kept: Tensor | None = None,
) -> Tensor:
    """KL(target at the source ‖ student at the target node), mean over edges, without temperature².

    Shapes: target [1 or M, N, C] logits without gradient, student [M, N, C] logits -> [M]. `kept`, 0 or 1 [M, E]: the
    edges of each member that count; all by default. 0 where there is none.

    The sum over a node's edges needs the sum of their targets only, so that nothing is of size [E, C].

    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> even, sure = torch.zeros(1, 2, 2), torch.tensor([3.0, 1.0]).log().expand(1, 2, 2)
    >>> neighbour_kl(one, even, sure)  # 1/2 log 4/3
    tensor([0.1438])
    """
    if multi_label:
        a, b = target / temperature, student / temperature
        q = a.sigmoid()
        own = (q * F.logsigmoid(a) + (1 - q) * F.logsigmoid(-a)).sum(-1)
        yes, no = F.logsigmoid(b), F.logsigmoid(-b)
    else:
        log_q = (target / temperature).log_softmax(-1)
        q = log_q.exp()
        own = (q * log_q).sum(-1)
        yes = classes_first(student, temperature).transpose(-1, -2)
        no = None
    sums = spmm(graph, kept, q)
    negentropy = spmm(graph, kept, own.unsqueeze(-1)).sum((1, 2))
    cross = (sums * yes).sum((1, 2))
    if no is not None:
        edges = graph.degree() if kept is None else segment_sum(graph, kept)
        cross = cross + ((edges.unsqueeze(-1) - sums) * no).sum((1, 2))
    total = negentropy - cross
    return total / max(graph.num_edges, 1) if kept is None else total / kept.sum(1).clamp(min=1)


def edge_contrast_kl(graph: Adjacency, target: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """KL between softmax over channels of |z_i − z_j| / T at the edges, without temperature².

    The mean is over edges that are no self-loops (a loop has nothing to tell apart: its term is 0).

    Shapes: target [1 or M, N, C], student [M, N, C] -> [M]; 0 where there are no edges. Memory O(M · E · C).

    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> z = torch.tensor([[[0.0, 0.0], [1.0, 3.0]]])
    >>> round(edge_contrast_kl(one, z, z + 5).item(), 6)  # differences along edges count, nothing else
    0.0
    """

    def contrast(z: Tensor) -> Tensor:
        # Channels in front of edges: neither a softmax nor sums over edges are fast along a short last axis.
        members, _, channels = z.shape
        rows = z.transpose(1, 2).reshape(members * channels, -1)
        difference: Tensor = _Difference.apply(graph, rows)
        return (difference.view(members, channels, -1).abs() / temperature).log_softmax(1)

    log_q, log_p = contrast(target), contrast(student)
    return (log_q.exp() * (log_q - log_p)).sum((1, 2)) / max(graph.num_edges - len(graph.loops), 1)


class _Difference(torch.autograd.Function):
    """Value at the target less value at the source of every edge, [K, N] -> [K, E].

    Its backward pass sums over edges by sparse products: half the time of what autograd makes of two gathers.
    """

    @staticmethod
    def forward(ctx: Any, graph: Adjacency, x: Tensor) -> Tensor:
        ctx.graph = graph
        return x.index_select(1, graph.target) - x.index_select(1, graph.source)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return None, sum_by_target(ctx.graph, grads[0]) - sum_by_source(ctx.graph, grads[0])
