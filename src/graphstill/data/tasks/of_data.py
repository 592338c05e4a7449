"""Attributes of a task that are those of its data."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from graphstill.data.taskdata import TaskData
from graphstill.data.walks import Walks
from graphstill.ops.sparse_features import SparseFeatures


class OfData:
    """What can be read of a task; nothing of it can be set."""

    data: TaskData
    #: What is predicted.
    item: ClassVar[str]

    @property
    def name(self) -> str:
        return self.data.facts.name

    @property
    def x(self) -> SparseFeatures | Tensor:
        return self.data.x

    @property
    def y(self) -> Tensor:
        return self.data.y

    @property
    def train_index(self) -> Tensor:
        return self.data.train

    @property
    def val_index(self) -> Tensor:
        return self.data.val

    @property
    def test_index(self) -> Tensor:
        return self.data.test

    @property
    def num_items(self) -> int:
        return len(self.data.y)

    @property
    def num_nodes(self) -> int:
        return self.data.nodes

    @property
    def num_edges(self) -> int:
        return self.data.graph.num_edges

    @property
    def in_features(self) -> int:
        return self.data.features

    @property
    def num_outputs(self) -> int:
        return self.data.outputs

    @property
    def multi_label(self) -> bool:
        return self.data.multi_label

    @property
    def metric(self) -> str:
        return self.data.facts.metric

    @property
    def usual_metric(self) -> str:
        """The metric of such labels where none is asked for."""
        if self.item == "graph" and self.multi_label:
            return "mean_roc_auc"
        return "micro_f1" if self.multi_label else "accuracy"

    @property
    def inductive(self) -> bool:
        return self.data.inductive

    @property
    def graph_ptr(self) -> Tensor | None:
        return self.data.graph_ptr

    @property
    def split(self) -> str:
        return self.data.facts.split

    @property
    def hash(self) -> str:
        return self.data.hash

    @property
    def walks(self) -> Walks | None:
        return self.data.walks

    @property
    def of_edges(self) -> tuple[str, ...]:
        """What modules are given of each edge beside its ends."""
        return () if self.data.graph.edge_attr is None else ("edge_attr",)

    @property
    def unused(self) -> tuple[str, ...]:
        return self.data.facts.unused
