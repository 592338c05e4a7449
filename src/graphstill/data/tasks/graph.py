"""GraphTask: whole graphs to be classified, what may be seen while learning, and what is held back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Unpack

import torch
from torch import Tensor

from graphstill.data.batches import Batch
from graphstill.data.choose import PublicSplits
from graphstill.data.convert import as_device
from graphstill.data.graph_arrays import GraphArrays, from_list
from graphstill.data.graph_assembly import GraphOptions, GraphSplitOptions, assembled_graphs
from graphstill.data.graph_batches import GraphBatches
from graphstill.data.graph_npz import read_graph_npz
from graphstill.data.sealed import SealedTest
from graphstill.data.taskdata import TaskData
from graphstill.data.tasks.of_data import OfData
from graphstill.errors import DataError
from graphstill.typed import typed


class GraphTask(OfData):
    """Labels of whole graphs to be predicted: molecules, proteins, ego networks.

    Always inductive: training, validation and test have graphs of their own. Training sees batches of `batch_size`
    graphs, drawn anew in each epoch.

    Args:
        data: PyG graphs, a list or a data set: each with edge_index and y, and x and edge_attr where all have them.
            Edges are used as stored. Whole-number x or edge_attr are codes, one table a column; floats are numbers;
            without x the degree of a node, one-hot, stands for it (from 64 up one column).
        name: in reports.
        split: a Split of graphs, "random", "per-class", "public" (what comes with the data, also None), or the number
            of one of several public splits, such as a fold.
        seed: of a split that is drawn; independent of weights and noise.
        train, val: sizes of a split that is drawn: counts or shares of all labelled graphs ("random"), or graphs a
            class.
        batch_size: training graphs a batch.
        metric: "accuracy", or "roc_auc" of two classes; of tasks with zeros and ones "mean_roc_auc" or
            "mean_average_precision", over the tasks in which both answers occur. None is the first that fits.

    Attributes:
        x: SparseFeatures or Tensor, float32 [nodes, features] of all graphs; codes are ones, a column for each value.
        y: int64 [graphs] or float32 [graphs, tasks]; labels of training and validation graphs, else -1 or NaN, which
            also stands where a task has no answer.
        train_index, val_index, test_index: int64 ids of graphs; labels of the last are in `test` only.
        num_items, num_nodes, num_edges (as stored), in_features, num_outputs: sizes.
        multi_label: whether a graph has several labels, or one that may be missing; metric: see above.
        graph_ptr: int64 [graphs + 1]; split: its name; hash: sha256 of features, edges, labels, split.
        data: all of it as one frozen value; test: the SealedTest.

    Raises:
        DataError: anything about the data that cannot be learnt from; the message says what, where, and what to do.
        ConfigError: an option that makes no sense.

    >>> x, edges, y = torch.eye(6), torch.tensor([[0, 1, 2], [1, 0, 3]]), torch.tensor([0, 1, 0, 1])
    >>> first = torch.tensor([0, 2, 4, 5, 6])  # of each graph, and their end
    >>> task = gs.GraphTask.from_arrays(x, edges, y, first, train=[0, 1], val=[2], test=[3])
    >>> task.in_features, task.num_outputs
    (6, 2)
    """

    kind: ClassVar[Literal["graph"]] = "graph"
    item: ClassVar[Literal["graph"]] = "graph"
    data: TaskData
    origin: None = None
    test: SealedTest

    def __init__(self, data: Any, **options: Unpack[GraphSplitOptions]) -> None:
        self._hold(*assembled_graphs(from_list(data), **options))

    @classmethod
    @typed
    def from_arrays(
        cls,
        x: Any,
        edge_index: Any,
        y: Any,
        graph_ptr: Any,
        *,
        edge_attr: Any = None,
        train: Any = None,
        val: Any = None,
        test: Any = None,
        num_classes: int | None = None,
        **options: Unpack[GraphOptions],
    ) -> Self:
        """From arrays of all graphs together.

        Args:
            x: [nodes, features] or None; edge_index: integers [2, edges], ids of all nodes together.
            y: integers [graphs], -1 = no label, or zeros and ones [graphs, tasks], NaN = missing.
            graph_ptr: [graphs + 1]: graph g holds nodes graph_ptr[g] up to but excluding graph_ptr[g + 1].
            edge_attr: [edges, features] in the order of edge_index.
            train, val, test: boolean masks or ids of graphs. Or `split`, with train and val as sizes if it is drawn.
            num_classes: where more than the labels show.
        """
        public = PublicSplits(train, val, test, name="given")
        arrays = GraphArrays(x, edge_index, y, graph_ptr, edge_attr, public, num_classes)
        if options.get("split") is None:
            return cls._from(arrays, **options)
        if test is not None or not all(size is None or isinstance(size, int | float) for size in (train, val)):
            raise DataError(
                f"train, val or test of from_arrays name graphs beside split={options['split']!r}: "
                "give all three and no split, or a split, with train and val as sizes at most"
            )
        return cls._from(arrays, train=train, val=val, **options)

    @classmethod
    @typed
    def from_npz(cls, path: str | Path, **options: Unpack[GraphSplitOptions]) -> Self:
        """From an `.npz` of plain arrays, laid out as `graphstill.data.graph_npz.read_graph_npz` says."""
        return cls._from(read_graph_npz(path), **{"name": Path(path).stem} | options)

    @classmethod
    def _from(cls, arrays: GraphArrays, **options: Any) -> Self:
        return cls._of(*assembled_graphs(arrays, **options))

    @classmethod
    def _of(cls, data: TaskData, test: Tensor | SealedTest) -> Self:
        task = cls.__new__(cls)
        task._hold(data, test)
        return task

    def _hold(self, data: TaskData, test: Tensor | SealedTest) -> None:
        self.data, self._batches = data, GraphBatches(data)
        if isinstance(test, SealedTest):
            self.test = test.moved(self._batches.test)
        else:
            self.test = SealedTest(test, data.facts.metric, self._batches.test)

    def training_batches(self, epoch: int, seed: int = 0) -> Sequence[Batch]:
        """The batches of one epoch: each training graph once; the order is a pure function of (seed, epoch)."""
        return self._batches.training(epoch, seed)

    def training_graphs(self) -> Sequence[Batch]:
        """All that training sees, each graph once, in the order of their ids."""
        return self._batches.training_graphs()

    def validation_batch(self) -> Batch:
        """All validation graphs: always the same object, in pieces where they are many."""
        return self._batches.validation()

    def full_batch(self) -> Batch:
        """All graphs, test labels hidden, to serve or measure a trained model on."""
        return self._batches.full()

    def plain_batch(self, ids: Tensor) -> Batch:
        """These graphs, int64 ids; labels of test graphs are hidden."""
        return self._batches.whole(ids)

    def check_teacher(self, hash: str, what: str) -> GraphTask:
        """This task, where `what`, of that hash, was made from it.

        Raises:
            DataError: it was made from another one, so that it may have seen this task's test graphs.
        """
        if self.hash == hash:
            return self
        raise DataError(
            f"{what} was made from other data (hash {hash[:12]}) than task {self.name!r} (hash {self.hash[:12]}): "
            "it may have seen this task's test graphs; train it on this very task: the same graphs, labels and split"
        )

    def protocol(self) -> dict[str, Any]:
        """What is printed with every result, as plain values, with the keys of `NodeTask.protocol` and a few more."""
        facts, data = self.data.facts, self.data
        known = None if not self.multi_label else (~torch.isnan(self.y)).sum(0).tolist()
        return {
            "dataset": self.name,
            "hash": self.hash,
            "split": self.split,
            "setting": "inductive",
            "metric": self.metric,
            "selection": f"validation {self.metric}",
            "items": "graph",
            "nodes": self.num_nodes,
            "edges": self.num_edges,
            "edges_removed": [],
            "train_removed": [],
            "labels_shuffled": facts.labels_shuffled,
            "positions": None,
            "walks": None,
            "graphs": self.num_items,
            "homophily": None,
            "edges_unused": [],
            "features": self.in_features,
            "feature_normalization": None,
            "features_binarized": False,
            "node_codes": None if data.node_codes is None else list(data.node_codes),
            "edge_codes": None if data.edge_codes is None else list(data.edge_codes),
            "edge_features": 0 if data.graph.edge_attr is None else data.graph.edge_attr.shape[1],
            "outputs": self.num_outputs,
            "labels_known": known,
            "batch_size": data.batch_graphs,
            "train": len(self.train_index),
            "val": len(self.val_index),
            "test": len(self.test_index),
        }

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> GraphTask:
        """This task on a device, optionally with features of another float type; record and hash are shared."""
        return type(self)._of(self.data.to(as_device(device), dtype), self.test)

    def __repr__(self) -> str:
        sizes = f"graphs={self.num_items}, nodes={self.num_nodes}, edges={self.num_edges}, features={self.in_features}"
        return (
            f"GraphTask({self.name!r}, {sizes}, outputs={self.num_outputs}, split={self.split!r}, "
            f"hash={self.hash[:12]})"
        )
