"""Features of items that are graphs, from those of their nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.errors import MethodError
from graphstill.ops import Adjacency


def by_graph(x: Tensor, graph: Adjacency) -> Tensor:
    """The mean over the nodes of each graph: [M, nodes, ...] -> [M, graphs, ...]; what is by graph already stays.

    Raises:
        MethodError: x is neither by node nor by graph, or the batch is one graph.
    """
    bounds = graph.graph_ptr
    if bounds is None or x.shape[1] not in (graph.num_nodes, len(bounds) - 1):
        raise MethodError(
            f"features {list(x.shape)} of a batch of {graph.num_nodes} nodes: give [members, nodes, ...] of a batch of "
            "graphs"
        )
    if x.shape[1] == len(bounds) - 1:  # by graph; or every graph is one node, since none is empty
        return x
    sizes = bounds.diff()
    owner = torch.repeat_interleave(torch.arange(len(sizes), device=x.device), sizes, output_size=x.shape[1])
    total = x.new_zeros(x.shape[0], len(sizes), *x.shape[2:]).index_add(1, owner, x)
    return total / sizes.to(x.dtype).view(1, -1, *[1] * (x.ndim - 2))
