"""The graphs that training, selection and the final test see: cut from one store, made when first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from graphstill.data.batches import Batch, LazyBatches, cut_graph, induced_graph
from graphstill.data.features import select_rows
from graphstill.data.splits import stream
from graphstill.data.walks import Walks
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.sparse_features import SparseFeatures

TRAIN, VAL, TEST = 1, 2, 3


@dataclass(eq=False)
class Views:
    """Batches of one store of nodes.

    Args:
        x: [nodes, features]; graph: all edges; y: labels, those of test nodes hidden.
        part: uint8 [nodes]: 0 for nodes in no part, else TRAIN, VAL or TEST.
        graph_ptr: int64 [graphs + 1] on the CPU, or None for one graph.
        inductive: whether test nodes are absent from training.
        batch_graphs: training graphs a batch; None means all.
        walks: how batches are drawn from one graph; None: it is the only batch.
    """

    x: SparseFeatures | Tensor
    graph: Adjacency
    y: Tensor
    part: Tensor
    graph_ptr: Tensor | None
    inductive: bool
    batch_graphs: int | None
    walks: Walks | None = None
    _batches: dict[str, Batch] = field(init=False, default_factory=dict)
    _graphs: dict[int, Adjacency] = field(init=False, default_factory=dict)

    def training(self, epoch: int, seed: int) -> Sequence[Batch]:
        if self.walks is not None:
            whole = self._whole_training()
            return self.walks.batches(whole, epoch, seed, lambda rows: self._part(whole, rows, full=False))
        graphs = self._graphs_of(TRAIN)
        if self.batch_graphs is None or self.batch_graphs >= len(graphs):
            return (self._whole_training(),)
        order = [graphs[i] for i in stream(seed, "order of training graphs", epoch).permutation(len(graphs))]
        groups = [order[i : i + self.batch_graphs] for i in range(0, len(order), self.batch_graphs)]
        return LazyBatches(groups, self._union)

    def training_graphs(self) -> Sequence[Batch]:
        return self.training(0, 0) if self.walks is None else (self._whole_training(),)

    def validation(self) -> Batch:
        if self.graph_ptr is None:
            return self._whole_training()
        if "validation" not in self._batches:
            self._batches["validation"] = self._union(self._graphs_of(VAL))
        return self._batches["validation"]

    def test(self) -> tuple[Batch, Tensor]:
        """The batch on which test nodes are predicted, and their rows in it."""
        batch = self.full() if self.graph_ptr is None else self._union(self._graphs_of(TEST))
        return batch, (self.part[batch.nodes] == TEST).nonzero().view(-1)

    def full(self) -> Batch:
        if "full" not in self._batches:
            nodes = torch.arange(len(self.y), device=self.y.device)
            self._batches["full"] = self._batch(self.x, self.graph, nodes, full=not self.inductive)
        return self._batches["full"]

    def _whole_training(self) -> Batch:
        if not self.inductive:
            return self.full()
        if "training" not in self._batches:
            if self.graph_ptr is None:
                seen = (self.part != TEST).nonzero().view(-1)
                self._batches["training"] = self._part(self.full(), seen, full=True)
            else:
                self._batches["training"] = self._union(self._graphs_of(TRAIN), full=True)
        return self._batches["training"]

    def _graphs_of(self, part: int) -> list[int]:
        """Numbers of the graphs that hold nodes of a part."""
        if self.graph_ptr is None:
            return [0]
        ids = (self.part == part).nonzero().view(-1).cpu()
        return (torch.bucketize(ids, self.graph_ptr, right=True) - 1).unique().tolist()

    def _union(self, graphs: Sequence[int], full: bool = False) -> Batch:
        assert self.graph_ptr is not None
        bounds = [(int(self.graph_ptr[graph]), int(self.graph_ptr[graph + 1])) for graph in graphs]
        for graph, (begin, end) in zip(graphs, bounds, strict=True):
            if graph not in self._graphs:
                self._graphs[graph] = cut_graph(self.graph, begin, end)
        nodes = torch.cat([torch.arange(begin, end, device=self.y.device) for begin, end in bounds])
        union = Adjacency.disjoint([self._graphs[graph] for graph in graphs])
        return self._batch(select_rows(self.x, nodes), union, nodes, full)

    def _part(self, batch: Batch, rows: Tensor, full: bool) -> Batch:
        """These rows (sorted) of a batch, and the edges between them."""
        graph = induced_graph(batch.graph, rows)
        return self._batch(select_rows(batch.x, rows), graph, batch.nodes[rows], full)

    def _batch(self, x: SparseFeatures | Tensor, graph: Adjacency, nodes: Tensor, full: bool) -> Batch:
        part = self.part[nodes]
        train_rows, val_rows = ((part == wanted).nonzero().view(-1) for wanted in (TRAIN, VAL))
        return Batch(x, graph, self.y[nodes], train_rows, val_rows, nodes, full)
