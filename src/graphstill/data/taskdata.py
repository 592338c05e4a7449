"""What a task is made of, as one frozen value: functions in `data.changes` make another from it, nothing changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from graphstill.data import hashing
from graphstill.data.walks import Walks
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.sparse_features import SparseFeatures

#: Which part an item is in; 0 for none.
TRAIN, VAL, TEST = 1, 2, 3


@dataclass(frozen=True)
class Facts:
    """What the protocol prints of data: where they come from, and what was done to them.

    Attributes:
        name: in reports. split: how it came about. metric: what selects and what is tested.
        normalize: what was done to the features, "row" or None; binarized: whether they were made 0 and 1.
        unused: what there is for each edge that models do not see.
        edges_removed, train_removed: share and seed of each removal, oldest first.
        labels_shuffled: the seed, or None; positions: dimensions and window of position columns, or None.
    """

    name: str
    split: str
    metric: str
    normalize: str | None = None
    binarized: bool = False
    unused: tuple[str, ...] = ()
    edges_removed: tuple[dict[str, float], ...] = ()
    train_removed: tuple[dict[str, float], ...] = ()
    labels_shuffled: int | None = None
    positions: dict[str, int] | None = None


@dataclass(frozen=True, eq=False)
class TaskData:
    """Features, structure, labels and parts. Labels, parts and predictions are by item: a node, or a whole graph.

    Attributes:
        x: SparseFeatures or Tensor [nodes, features]; graph: all edges, of several graphs in one store.
        y: int64 [items] or float32 [items, labels]; -1 or NaN where a label may not be seen, those of test items first.
        train, val, test: int64 ids of items.
        outputs: classes, or labels an item.
        inductive: whether test items are absent from training.
        facts: what the protocol prints. digests: sha256 of each thing that is learnt from.
        graph_ptr: int64 [graphs + 1] on the CPU, or None for one graph.
        batch_graphs: training graphs a batch, None for all; walks: how batches are drawn from one graph, if they are.
        node_codes, edge_codes: how many values each column of the features of nodes, or of edges, can have, where they
            are codes (whole numbers from 0); None where they are numbers. Codes of nodes are ones in x, those of edges
            are kept as they are.
    """

    x: SparseFeatures | Tensor
    graph: Adjacency
    y: Tensor
    train: Tensor
    val: Tensor
    test: Tensor
    outputs: int
    inductive: bool
    facts: Facts
    digests: Mapping[str, bytes]
    graph_ptr: Tensor | None = None
    batch_graphs: int | None = None
    walks: Walks | None = None
    node_codes: tuple[int, ...] | None = None
    edge_codes: tuple[int, ...] | None = None

    @property
    def nodes(self) -> int:
        return int(self.x.shape[0])

    @property
    def features(self) -> int:
        return int(self.x.shape[1])

    @property
    def multi_label(self) -> bool:
        return self.y.ndim == 2

    @cached_property
    def part(self) -> Tensor:
        """uint8 [items]: 0 for items in no part, else TRAIN, VAL or TEST."""
        part = torch.zeros(len(self.y), dtype=torch.uint8, device=self.y.device)
        part[self.train], part[self.val], part[self.test] = TRAIN, VAL, TEST
        return part

    @cached_property
    def hash(self) -> str:
        return hashing.combined(dict(self.digests), inductive=self.inductive, outputs=self.outputs)

    def changed(self, digests: Mapping[str, bytes] | None = None, **changes: Any) -> TaskData:
        """Other data: some attributes, and the digests of what these make different."""
        return replace(self, digests={**self.digests, **(digests or {})}, **changes)

    def told(self, **facts: Any) -> Facts:
        """The facts with some of them new."""
        return replace(self.facts, **facts)

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> TaskData:
        """The same data on a device, optionally with features and multi-label targets of another float type."""
        x, y = self.x.to(device), self.y.to(device)
        if dtype is not None:
            x = x.to(dtype)
            y = y.to(dtype) if self.multi_label else y
        parts = {name: getattr(self, name).to(device) for name in ("train", "val", "test")}
        return replace(self, x=x, y=y, graph=self.graph.to(device), **parts)
