"""Features of items that are graphs, from those of their nodes."""

from __future__ import annotations

from torch import Tensor

from graphstill.errors import MethodError
from graphstill.ops import Adjacency


def by_graph(x: Tensor, graph: Adjacency) -> Tensor:
    """The mean over the nodes of each graph: [M, nodes, ...] -> [M, graphs, ...]; what is by graph already stays.

    Raises:
        MethodError: x is neither by node nor by graph, or the batch is one graph.
    """
    if graph.graph_ptr is None or x.shape[1] not in (graph.num_nodes, graph.num_graphs):
        raise MethodError(
            f"features {list(x.shape)} of a batch of {graph.num_nodes} nodes: give [members, nodes, ...] of a batch of "
            "graphs"
        )
    if x.shape[1] == graph.num_graphs:  # by graph; or every graph is one node, since none is empty
        return x
    return graph.groups.mean(x.flatten(2)).unflatten(2, x.shape[2:]) if x.ndim > 3 else graph.groups.mean(x)
