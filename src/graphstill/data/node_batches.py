"""The batches that training, selection and the final test of nodes see: cut from one store, made when asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphstill.data.batches import Batch, LazyBatches, cut_graph, induced_graph
from graphstill.data.features import select_rows
from graphstill.data.splits import stream
from graphstill.data.taskdata import TEST, TRAIN, VAL, TaskData
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.sparse_features import SparseFeatures


class NodeBatches:
    """Batches of data whose items are nodes."""

    def __init__(self, data: TaskData) -> None:
        self.data = data
        self._batches: dict[str, Batch] = {}
        self._graphs: dict[int, Adjacency] = {}

    def training(self, epoch: int, seed: int) -> Sequence[Batch]:
        walks, each = self.data.walks, self.data.batch_graphs
        if walks is not None:
            whole = self._whole_training()
            return walks.batches(whole, epoch, seed, lambda rows: self._part(whole, rows, full=False))
        graphs = self._graphs_of(TRAIN)
        if each is None or each >= len(graphs):
            return (self._whole_training(),)
        order = [graphs[i] for i in stream(seed, "order of training graphs", epoch).permutation(len(graphs))]
        return LazyBatches([order[i : i + each] for i in range(0, len(order), each)], self._union)

    def training_graphs(self) -> Sequence[Batch]:
        return self.training(0, 0) if self.data.walks is None else (self._whole_training(),)

    def validation(self) -> Batch:
        if self.data.graph_ptr is None:
            return self._whole_training()
        if "validation" not in self._batches:
            self._batches["validation"] = self._union(self._graphs_of(VAL))
        return self._batches["validation"]

    def test(self) -> tuple[Batch, Tensor]:
        """The batch on which test nodes are predicted, and their rows in it."""
        batch = self.full() if self.data.graph_ptr is None else self._union(self._graphs_of(TEST))
        return batch, (self.data.part[batch.nodes] == TEST).nonzero().view(-1)

    def full(self) -> Batch:
        data = self.data
        if "full" not in self._batches:
            nodes = torch.arange(len(data.y), device=data.y.device)
            self._batches["full"] = self._batch(data.x, data.graph, nodes, full=not data.inductive)
        return self._batches["full"]

    def _whole_training(self) -> Batch:
        if not self.data.inductive:
            return self.full()
        if "training" not in self._batches:
            if self.data.graph_ptr is None:
                seen = (self.data.part != TEST).nonzero().view(-1)
                self._batches["training"] = self._part(self.full(), seen, full=True)
            else:
                self._batches["training"] = self._union(self._graphs_of(TRAIN), full=True)
        return self._batches["training"]

    def _graphs_of(self, part: int) -> list[int]:
        """Numbers of the graphs that hold nodes of a part."""
        if self.data.graph_ptr is None:
            return [0]
        ids = (self.data.part == part).nonzero().view(-1).cpu()
        return (torch.bucketize(ids, self.data.graph_ptr, right=True) - 1).unique().tolist()

    def _union(self, graphs: Sequence[int], full: bool = False) -> Batch:
        data = self.data
        assert data.graph_ptr is not None
        bounds = [(int(data.graph_ptr[graph]), int(data.graph_ptr[graph + 1])) for graph in graphs]
        for graph, (begin, end) in zip(graphs, bounds, strict=True):
            if graph not in self._graphs:
                self._graphs[graph] = cut_graph(data.graph, begin, end)
        nodes = torch.cat([torch.arange(begin, end, device=data.y.device) for begin, end in bounds])
        union = Adjacency.disjoint([self._graphs[graph] for graph in graphs])
        return self._batch(select_rows(data.x, nodes), union, nodes, full)

    def _part(self, batch: Batch, rows: Tensor, full: bool) -> Batch:
        """These rows (sorted) of a batch, and the edges between them."""
        graph = induced_graph(batch.graph, rows)
        return self._batch(select_rows(batch.x, rows), graph, batch.nodes[rows], full)

    def _batch(self, x: SparseFeatures | Tensor, graph: Adjacency, nodes: Tensor, full: bool) -> Batch:
        part = self.data.part[nodes]
        train_rows, val_rows = ((part == wanted).nonzero().view(-1) for wanted in (TRAIN, VAL))
        return Batch(x, graph, self.data.y[nodes], train_rows, val_rows, nodes, full)
