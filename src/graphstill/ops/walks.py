"""Random walks from many nodes at once, and what link prediction and graph distillation take from them."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops.adjacency import Adjacency


def random_walks(graph: Adjacency, starts: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """The nodes of a walk of `length` steps from each start, against the edges; where no edge leads in it waits.

    The edges into a node are found by the graph's own pointers, so that the order in which edges were given does not
    matter. Numbers are drawn where the generator is.

    Shapes: starts int64 [...] -> int64 [..., length + 1], the start first.

    Raises:
        ConfigError: a length below 0.

    >>> path = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 1]]), 3)
    >>> random_walks(path, torch.tensor([0, 2]), 3, torch.Generator().manual_seed(0)).tolist()
    [[0, 1, 2, 2], [2, 2, 2, 2]]
    """
    if length < 0:
        raise ConfigError(f"walks of {length} steps. Where: random_walks. Pass a length of at least 0.")
    begin, degrees = graph.ptr[:-1], graph.ptr.diff()
    met = [starts]
    for _ in range(length if graph.num_edges else 0):
        at = met[-1]
        draws = torch.rand(at.shape, dtype=torch.float64, generator=generator, device=generator.device).to(at.device)
        degree = degrees[at]
        # A draw next to 1 times a large degree may round up to it.
        step = torch.minimum((draws * degree).long(), (degree - 1).clamp(min=0).long())
        edge = (begin[at] + step).clamp(max=graph.num_edges - 1)
        met.append(torch.where(degree > 0, graph.source[edge].long(), at))
    met += [starts] * (length + 1 - len(met))
    return torch.stack(met, -1)


def walks_of_graphs(
    graph: Adjacency, graph_ptr: Tensor, walks: int, length: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """`walks` random walks in each graph of a batch, from starts drawn evenly among its nodes, with replacement.

    Returns:
        int64 [G, walks, length + 1], and bool [G, walks]: False where the start has no neighbour, so that there is no
        walk; what stands there is to be left out.

    >>> edges = torch.tensor([[1, 0], [0, 1]])
    >>> two = Adjacency.from_edge_index(edges, 3)  # an edge, and a node alone
    >>> w, kept = walks_of_graphs(two, torch.tensor([0, 2, 3]), 2, 2, torch.Generator().manual_seed(1))
    >>> w.shape, kept.tolist()
    (torch.Size([2, 2, 3]), [[True, True], [False, False]])
    """
    shape, device = (len(graph_ptr) - 1, walks), graph.device
    draws = torch.rand(shape, dtype=torch.float64, generator=generator, device=generator.device).to(device)
    first, nodes = graph_ptr[:-1, None].long(), graph_ptr.diff()[:, None].long()
    starts = first + torch.minimum((draws * nodes).long(), (nodes - 1).clamp(min=0))
    starts = starts.clamp(max=max(graph.num_nodes - 1, 0))  # behind the last graph, where that is empty
    if not graph.num_nodes:
        return starts[..., None].expand(*shape, length + 1), torch.zeros(shape, dtype=torch.bool, device=device)
    kept = (graph.ptr.diff()[starts] > 0) & (nodes > 0)
    return random_walks(graph, starts, length, generator), kept


def link_contexts(
    graph: Adjacency, anchors: Tensor, hops: int, walks: int, far: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The nodes with which each anchor's links are compared: those that walks from it meet, and nodes from anywhere.

    Guo et al., Linkless Link Prediction via Relational Distillation, ICML 2023, section 4: `walks` walks of `hops`
    steps, and `far` times as many nodes drawn evenly. Deviations from the released code: the edges of a node are its
    own however they were ordered (the code reads unsorted edges as sorted ones, so that near nodes were other nodes'
    neighbours), and the anchor itself and nodes that are there twice do not count.

    Shapes: anchors int64 [V] -> int64 [V, m] and bool [V, m], m = walks · hops · (1 + far); False: does not count.

    Raises:
        ConfigError: numbers out of their range.

    >>> path = Adjacency.from_edge_index(torch.tensor([[0, 1, 2, 1, 2, 3], [1, 2, 3, 0, 1, 2]]), 4)
    >>> nodes, kept = link_contexts(path, torch.tensor([0]), 1, 3, 0, torch.Generator().manual_seed(0))
    >>> nodes[kept].tolist()
    [1]
    """
    if min(hops, walks) < 1 or far < 0:
        raise ConfigError(
            f"hops={hops}, walks={walks}, far={far}. Where: link_contexts. Pass hops and walks of at least 1 "
            "and far of at least 0."
        )
    near = random_walks(graph, anchors[:, None].expand(-1, walks), hops, generator)[..., 1:].flatten(1)
    count = far * near.shape[1]
    away = torch.randint(graph.num_nodes, (len(anchors), count), generator=generator, device=generator.device)
    nodes = torch.cat([near, away.to(near.device)], 1)
    ordered, place = nodes.sort(stable=True, dim=1)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    once = torch.empty_like(first).scatter_(1, place, first)
    return nodes, once & (nodes != anchors[:, None])
