"""The graph as one forward pass sees it: its edges, their weights, and what DropEdge left of them for each member."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from graphstill.ops import Adjacency, EdgeWeights, Noise, segment_sum, spmm

_pairs: WeakKeyDictionary[Adjacency, tuple[Tensor, Tensor]] = WeakKeyDictionary()


@dataclass(frozen=True)
class WeightedGraph:
    """A graph with weights on its edges.

    Shapes:
        values: ``[edges]`` shared, ``[members, edges]``, or None (all ones).
        kept: bool ``[members, edges]`` where DropEdge is at work, else None.
    """

    graph: Adjacency
    values: EdgeWeights | Tensor | None = None
    kept: Tensor | None = None

    def aggregate(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """``scale`` times the weighted sum over each node's sources, ``x`` being ``[members, nodes, width]`` or shared
        ``[nodes, width]``.
        """
        return spmm(self.graph, self.values, x, scale)

    def thinned(self, kept: Tensor) -> list[Adjacency]:
        """The graph of each member with the edges that it keeps only."""
        edges, nodes = self.graph.edge_index(), self.graph.num_nodes
        return [Adjacency.from_edge_index(edges[:, row], nodes) for row in kept]


def gcn_weighted(
    graph: Adjacency, dtype: torch.dtype, noise: Noise | None = None, drop_edge: float = 0.0
) -> WeightedGraph:
    """Symmetric normalisation (Kipf and Welling 2017) by the degrees of the kept edges. Adds no self-loops."""
    kept = keep_edges(graph, noise, drop_edge)
    if kept is None:
        return WeightedGraph(graph, graph.gcn_weights(dtype))
    values = kept.to(dtype)
    scale = _inverse(segment_sum(graph, values).sqrt())
    return WeightedGraph(graph, scale[:, graph.target.long()] * values * scale[:, graph.source.long()], kept)


def mean_weighted(
    graph: Adjacency, dtype: torch.dtype, noise: Noise | None = None, drop_edge: float = 0.0
) -> WeightedGraph:
    """Mean over the sources that are kept; zero for a node that has none."""
    kept = keep_edges(graph, noise, drop_edge)
    if kept is None:
        return WeightedGraph(graph, graph.mean_weights(dtype))
    values = kept.to(dtype)
    return WeightedGraph(graph, _inverse(segment_sum(graph, values))[:, graph.target.long()] * values, kept)


def unweighted(graph: Adjacency, noise: Noise | None = None, drop_edge: float = 0.0) -> WeightedGraph:
    """No weights: for attention, which makes its own, and for sums."""
    return WeightedGraph(graph, None, keep_edges(graph, noise, drop_edge))


def keep_edges(graph: Adjacency, noise: Noise | None, p: float) -> Tensor | None:
    """DropEdge (Rong et al. 2020): which edges each member keeps in this pass, bool ``[members, edges]``, or None for
    all.

    An edge and its reverse are kept or dropped together; an edge without a reverse is drawn by itself, and so are both
    directions of a graph that is not symmetric. Repeated edges share one draw. Self-loops are always kept. As
    everywhere in :class:`~graphstill.ops.Noise`, ``p`` is rounded to 1/256.
    """
    if noise is None or p == 0.0:
        return None
    pair, loops = _undirected(graph)
    pairs = int(pair.max()) + 1 if pair.numel() else 0
    return noise.keep((pairs,), p)[:, pair] | loops


def _undirected(graph: Adjacency) -> tuple[Tensor, Tensor]:
    """The number of each edge's undirected pair, and whether it is a self-loop. Kept with the graph."""
    if graph not in _pairs:
        source, target = graph.source.long(), graph.target.long()
        key = torch.minimum(source, target) * graph.num_nodes + torch.maximum(source, target)
        _pairs[graph] = (torch.unique(key, return_inverse=True)[1], source == target)
    return _pairs[graph]


def _inverse(x: Tensor) -> Tensor:
    return torch.where(x > 0, x.clamp(min=1e-12).reciprocal(), 0.0)
