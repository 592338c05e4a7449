"""The batches that training, selection and the final test of whole graphs see: unions cut from one store of graphs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.data.batches import Batch, LazyBatches
from graphstill.data.features import select_rows
from graphstill.data.splits import stream
from graphstill.data.taskdata import TRAIN, VAL, TaskData
from graphstill.ops.adjacency import Adjacency

#: Graphs in one pass of an evaluation.
PIECE = 512


class GraphBatches:
    """Batches of data whose items are graphs."""

    def __init__(self, data: TaskData) -> None:
        self.data = data
        self._validation: Batch | None = None

    def training(self, epoch: int, seed: int) -> Sequence[Batch]:
        order = torch.from_numpy(stream(seed, "order of training graphs", epoch).permutation(len(self.data.train)))
        ids = self.data.train[order.to(self.data.train.device)]
        return LazyBatches(ids.split(self.data.batch_graphs or len(ids)), self.union)

    def training_graphs(self) -> Sequence[Batch]:
        return LazyBatches(self.data.train.split(PIECE), self.union)

    def validation(self) -> Batch:
        if self._validation is None:
            self._validation = self.whole(self.data.val)
        return self._validation

    def test(self) -> tuple[Batch, Tensor]:
        return self.whole(self.data.test), torch.arange(len(self.data.test), device=self.data.test.device)

    def full(self) -> Batch:
        return self.whole(torch.arange(len(self.data.y), device=self.data.y.device))

    def whole(self, ids: Tensor) -> Batch:
        """A batch of these graphs to predict on, in pieces where they are many."""
        batch = self.union(ids)
        return batch if len(ids) <= PIECE else batch.in_pieces([self.union(part) for part in ids.split(PIECE)])

    def union(self, ids: Tensor) -> Batch:
        """The graphs of these ids, int64, one after another in this order, as one batch. Nothing is sorted."""
        data, store = self.data, self.data.graph
        assert data.graph_ptr is not None
        ptr, device = data.graph_ptr.to(ids.device), ids.device
        begin, sizes = ptr[ids], ptr[ids + 1] - ptr[ids]
        bounds = F.pad(sizes.cumsum(0), (1, 0))
        nodes = torch.arange(int(bounds[-1]), device=device) + torch.repeat_interleave(begin - bounds[:-1], sizes)
        first = store.ptr[begin].long()
        counts = store.ptr[ptr[ids + 1]].long() - first
        edge_bounds = F.pad(counts.cumsum(0), (1, 0))
        total = int(edge_bounds[-1])
        edges = torch.arange(total, device=device) + torch.repeat_interleave(first - edge_bounds[:-1], counts)
        shift = torch.repeat_interleave((bounds[:-1] - begin).int(), counts)
        degrees = (store.ptr[nodes + 1] - store.ptr[nodes]).cumsum(0, dtype=torch.int32)
        graph = Adjacency(
            F.pad(degrees, (1, 0)),
            store.source[edges] + shift,
            store.target[edges] + shift,
            torch.arange(total, device=device),
            graph_ptr=bounds,
            edge_attr=None if store.edge_attr is None else store.edge_attr[edges],
        )
        part = data.part[ids]
        train_rows, val_rows = ((part == wanted).nonzero().view(-1) for wanted in (TRAIN, VAL))
        x = select_rows(data.x, nodes)
        return Batch(x, graph, data.y[ids], train_rows, val_rows, nodes, full=False, graphs=ids)
