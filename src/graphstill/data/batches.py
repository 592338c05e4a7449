"""What a training step sees: inputs (nodes, structure, features) and items (labels, which may be learnt from)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, overload

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.ops.adjacency import Adjacency
from graphstill.ops.sparse_features import SparseFeatures


@dataclass(frozen=True, eq=False)
class Batch:
    """A graph to run a model on, or several as one. The full graph is a batch like any other.

    Inputs are by node, labels by item: the nodes themselves, or whole graphs.

    Attributes:
        x: [nodes, features].
        graph: edges between nodes.
        y: int64 [items] or float [items, labels]; -1 or NaN where a label may not be seen.
        train_rows: int64: items with a training label.
        val_rows: int64: items with a validation label.
        nodes: int64 [nodes]: number of each node in the task.
        full: whether this is all there is to train on, so that it is the only batch of each epoch.
        graphs: int64 [items]: number of each graph in the task where items are graphs, else None.
        pieces: the same items as smaller batches, in order, for a pass in which memory counts; none: this is one.
    """

    x: SparseFeatures | Tensor
    graph: Adjacency
    y: Tensor
    train_rows: Tensor
    val_rows: Tensor
    nodes: Tensor
    full: bool
    graphs: Tensor | None = None
    pieces: tuple[Batch, ...] = ()

    @property
    def items(self) -> Tensor:
        """int64 [items]: number of each item in the task."""
        return self.nodes if self.graphs is None else self.graphs

    def in_pieces(self, pieces: Sequence[Batch]) -> Batch:
        """This batch, evaluated piece by piece."""
        return replace(self, pieces=tuple(pieces))

    @property
    def multi_label(self) -> bool:
        """Whether a row has several labels."""
        return self.y.ndim == 2


Group = TypeVar("Group")


class LazyBatches(Sequence[Batch], Generic[Group]):
    """Batches that are put together when they are asked for, so that one at a time is in memory."""

    def __init__(self, groups: Sequence[Group], make: Callable[[Group], Batch]) -> None:
        self._groups, self._make = groups, make

    def __len__(self) -> int:
        return len(self._groups)

    @overload
    def __getitem__(self, number: int) -> Batch: ...
    @overload
    def __getitem__(self, number: slice) -> LazyBatches[Group]: ...
    def __getitem__(self, number: int | slice) -> Batch | LazyBatches[Group]:
        if isinstance(number, slice):
            return LazyBatches(self._groups[number], self._make)
        return self._make(self._groups[number])


def cut_graph(store: Adjacency, begin: int, end: int) -> Adjacency:
    """The graph of nodes begin:end, numbered from 0, out of a store in which no edge leaves it; no sorting."""
    first, last = int(store.ptr[begin]), int(store.ptr[end])
    edges = slice(first, last)
    order = torch.arange(last - first, device=store.ptr.device)
    attr = None if store.edge_attr is None else store.edge_attr[edges]
    ptr, source, target = store.ptr[begin : end + 1] - first, store.source[edges] - begin, store.target[edges] - begin
    return Adjacency(ptr, source, target, order, edge_attr=attr)


def induced_graph(store: Adjacency, kept: Tensor) -> Adjacency:
    """The graph of the nodes `kept` (sorted ids) and the edges between them, numbered in that order.

    Looks at the edges into these nodes alone, and sorts nothing.
    """
    counts = store.ptr.diff()[kept].long()
    first = store.ptr[kept].long() - (counts.cumsum(0) - counts)
    edges = torch.arange(int(counts.sum()), device=kept.device) + torch.repeat_interleave(first, counts)
    number = torch.full((store.num_nodes,), -1, dtype=torch.int32, device=kept.device)
    number[kept] = torch.arange(len(kept), dtype=torch.int32, device=kept.device)
    source = number[store.source[edges].long()]
    inside = source >= 0
    target = torch.repeat_interleave(torch.arange(len(kept), device=kept.device), counts)[inside]
    ptr = F.pad(torch.bincount(target, minlength=len(kept)).cumsum(0), (1, 0)).int()
    return Adjacency(ptr, source[inside], target.int(), torch.arange(len(target), device=kept.device))


def thinned_graph(graph: Adjacency, share: float, generator: np.random.Generator) -> Adjacency:
    """The graph without a drawn share of its undirected edges: both directions and all copies of an edge together."""
    edges = graph.edge_index()
    pairs, pair = (edges.amin(dim=0) * graph.num_nodes + edges.amax(dim=0)).unique(return_inverse=True)
    drawn = generator.permutation(len(pairs))[: round(share * len(pairs))]
    kept = torch.ones(len(pairs), dtype=torch.bool, device=edges.device)
    kept[torch.from_numpy(drawn).to(edges.device)] = False
    return Adjacency.from_edge_index(edges[:, kept[pair]], graph.num_nodes)


def isolated_graph(graph: Adjacency, nodes: Tensor) -> Adjacency:
    """The graph without any edge of these nodes, which stay in it."""
    gone = torch.zeros(graph.num_nodes, dtype=torch.bool, device=nodes.device)
    gone[nodes] = True
    edges = graph.edge_index()
    return Adjacency.from_edge_index(edges[:, ~gone[edges].any(dim=0)], graph.num_nodes)
