"""From the features of nodes to one embedding a graph."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from graphstill.errors import DataError
from graphstill.nn.layers import Linear, MemberModule
from graphstill.ops import Adjacency, Groups

Readout = Literal["mean", "sum", "max", "attention"]
READOUTS: tuple[str, ...] = get_args(Readout)


class Pool(MemberModule):
    """One embedding a graph, for each member: mean, sum or maximum over its nodes, or their mean weighted by attention.

    Attention is `Σ softmax over the graph's nodes of (w·h + b) · h` (Li et al., Gated Graph Sequence Neural Networks,
    ICLR 2016, equation 7, without the transformation of h; OGB's examples).

    Shapes: h ``[members, nodes, width]`` -> ``[members, graphs, width]``; a graph without nodes has zeros.
    """

    def __init__(self, members: int, width: int, how: Readout) -> None:
        super().__init__()
        self.how = how
        self.gate = Linear(members, width, 1) if how == "attention" else None

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        """Nothing of its own: the gate is a member's module itself."""

    def forward(self, h: Tensor, graph: Adjacency) -> Tensor:
        groups = groups_of(graph)
        if self.how == "sum":
            return groups.sum(h)
        if self.how == "mean":
            return groups.mean(h)
        if self.how == "max":
            return _maximum(h, groups)
        assert self.gate is not None
        scores = self.gate(h).squeeze(-1)
        top = _maximum(scores.detach().unsqueeze(-1), groups).squeeze(-1)
        weights = (scores - groups.spread(top)).exp()
        share = weights / groups.spread(groups.sum(weights))
        return groups.sum(share.unsqueeze(-1) * h)


def groups_of(graph: Adjacency) -> Groups:
    """The nodes of a batch by graph.

    Raises:
        DataError: the batch does not say of which graphs it is made.
    """
    if graph.graph_ptr is None:
        raise DataError(
            f"{graph} does not say which nodes belong to which graph, for a network that answers by graph: give "
            "batch=, the number of each node's graph, or an adjacency with graph_ptr"
        )
    return graph.groups


def _maximum(h: Tensor, groups: Groups) -> Tensor:
    index = groups.of_row.view(1, -1, 1).expand_as(h)
    empty = h.new_zeros(h.shape[0], groups.count, h.shape[2])
    return empty.scatter_reduce(1, index, h, "amax", include_self=False)
