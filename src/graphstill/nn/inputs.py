"""What modules that are not ours take: dense features and an edge list, made once for each graph and kept with it."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import Tensor

from graphstill.ops import Adjacency, SparseFeatures

_dense: WeakKeyDictionary[SparseFeatures, Tensor] = WeakKeyDictionary()
_edges: WeakKeyDictionary[Adjacency, Tensor] = WeakKeyDictionary()


def as_dense(x: SparseFeatures | Tensor) -> Tensor:
    """``[..., nodes, features]`` as a dense tensor."""
    if isinstance(x, Tensor):
        return x
    if x not in _dense:
        _dense[x] = x.to_dense()
    return _dense[x]


def as_edge_index(graph: Adjacency) -> Tensor:
    """int64 ``[2, edges]``, sorted by target."""
    if graph not in _edges:
        _edges[graph] = graph.edge_index()
    return _edges[graph]
