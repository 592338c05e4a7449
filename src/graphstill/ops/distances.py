"""A graph for each distance: which nodes are so many steps away, as classes are in a hierarchy."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.spmm import spmm


def distance_graphs(graph: Adjacency, most: int) -> list[Adjacency]:
    """Graphs 0 to `most`: in graph k an edge from every node to those that are reached in k steps and no fewer.

    Graph 0 has each node's edge to itself; the last one also what is further away. Edges count once, self-loops not.
    Of a hierarchy with edges from children to parents, a node's edges in graph k come from its descendants of
    distance k; of the graph turned round (`graph.transposed`) from its ancestors.

    Memory is that of all pairs that are connected: of hierarchies a small multiple of the nodes.

    Raises:
        ConfigError: most is below 1.

    >>> chain = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 1]]), 3)
    >>> [one.edge_index().T.tolist() for one in distance_graphs(chain, 2)]
    [[[0, 0], [1, 1], [2, 2]], [[1, 0], [2, 1]], [[2, 0]]]
    """
    if most < 1:
        raise ConfigError(f"most={most} in distance_graphs: pass a number of at least 1")
    nodes, onward = graph.num_nodes, graph.transposed
    degree = onward.ptr.diff().long()
    new = torch.arange(nodes, device=graph.device) * (nodes + 1)  # pairs, as source * nodes + target
    seen, levels = new, [new]
    while len(new):
        start, at = new // nodes, new % nodes
        row = torch.arange(len(new), device=new.device).repeat_interleave(degree[at])
        first = degree[at].cumsum(0) - degree[at]
        edge = onward.ptr[at[row]] + torch.arange(len(row), device=new.device) - first[row]
        new = (start[row] * nodes + onward.source[edge]).unique()
        new = new[~torch.isin(new, seen)]
        seen = torch.cat([seen, new])
        levels.append(new)
    levels = [*levels[:most], torch.cat(levels[most:] or [new])]
    levels += [new] * (most + 1 - len(levels))
    return [Adjacency.from_edge_index(torch.stack([level // nodes, level % nodes]), nodes) for level in levels]


def distance_means(by_distance: list[Adjacency], x: Tensor, shares: Tensor) -> Tensor:
    """Σ_k share_k · mean of x over the sources of a node's edges in graph k; 0 where it has none.

    Kampffmeyer et al.: Rethinking Knowledge Graph Propagation for Zero-Shot Learning, CVPR 2019 (DGP), equation 4, with
    shares that are a softmax of learnt numbers.

    Shapes: x [M, N, D], shares [M, K] -> [M, N, D].

    >>> chain = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 1]]), 3)
    >>> x = torch.tensor([[[1.0], [2.0], [4.0]]])
    >>> distance_means(distance_graphs(chain, 2), x, torch.ones(1, 3)).flatten().tolist()
    [7.0, 6.0, 4.0]
    """
    if shares.shape[-1] != len(by_distance):
        raise ConfigError(
            f"shares are {list(shares.shape)} for {len(by_distance)} graphs. Where: distance_means. Pass [members, "
            "graphs]."
        )
    parts = [spmm(graph, graph.mean_weights(x.dtype), x) for graph in by_distance]
    return torch.stack([shares[:, k, None, None] * part for k, part in enumerate(parts)]).sum(0)
