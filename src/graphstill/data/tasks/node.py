"""NodeTask: what is learnt, what may be seen while learning, and what is held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Unpack

import torch
from torch import Tensor

from graphstill.data import saving
from graphstill.data.arrays import Arrays, from_graphs, from_pyg
from graphstill.data.assembly import assembled
from graphstill.data.batches import Batch
from graphstill.data.choose import PublicSplits
from graphstill.data.convert import as_device
from graphstill.data.homophily import homophily
from graphstill.data.node_batches import NodeBatches
from graphstill.data.npz import read_npz
from graphstill.data.options import SplitOptions, TaskOptions
from graphstill.data.sealed import SealedTest
from graphstill.data.taskdata import TaskData
from graphstill.data.tasks.changing import Changing
from graphstill.data.tasks.of_data import OfData
from graphstill.errors import DataError
from graphstill.typed import typed


class NodeTask(Changing, OfData):
    """Labels of nodes to be predicted, of one graph or of several.

    Transductive (default): training sees all nodes and edges and the labels of training nodes. Inductive
    ("production"): test nodes and their edges are absent from training; validation nodes are predicted on the training
    graph, test nodes on the full one. With several graphs, training, validation and test have their own graphs, which
    is always inductive.

    Args:
        data: a `torch_geometric.data.Data` with x, edge_index, y, and masks unless `split` is given. Edges are used as
            stored: both directions of an undirected graph; duplicates and self-loops count.
        name: in reports.
        split: a Split, "public" (the masks of the data, also None), the number of one of several public splits,
            "random" or "per-class".
        seed: of a split that is drawn; independent of weights and noise.
        train, val: sizes of a split that is drawn: counts or shares of all labelled nodes ("random"), or nodes a class.
        inductive: see above.
        normalize: "row" divides each row of x by its absolute sum.
        sparse: whether features are kept sparse; None decides by storage and density.
        batch_graphs: training graphs a batch where there are several; None means all at once.
        metric: what selects and what is tested: "accuracy", "micro_f1" (several labels a node), or "roc_auc" (two
            classes, whose shares may differ between training and test); None is the first that fits. Labels of which
            each node has exactly one need the word "micro_f1": they look like a class in one-hot form.

    Attributes:
        x: SparseFeatures or Tensor, float32 [nodes, in_features].
        y: int64 [nodes] or float32 [nodes, num_outputs]; labels of training and validation nodes, else -1 or NaN.
        train_index, val_index, test_index: int64 node ids; labels of the last are in `test` only.
        num_nodes, num_edges (as stored: twice the undirected number), in_features, num_outputs: sizes.
        multi_label: whether a node has several labels; metric: see above.
        inductive: whether test nodes are absent from training; graph_ptr: int64 [graphs + 1] or None.
        split: name of the split; hash: sha256 of features, edges, labels, split and setting, whatever their storage.
        walks: how batches are drawn, see `with_walks`, or None.
        unused: what the data say of edges that models here do not see, such as "edge_weight".
        data: all of it as one frozen value, test labels hidden; test: the SealedTest.
        origin: where edges or training nodes were removed, the whole task: same features, validation and test nodes.

    Raises:
        DataError: anything about the data that cannot be learnt from; the message says what, where, and what to do.
        ConfigError: an option that makes no sense.

    >>> x, edges, y = torch.eye(4), torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]), torch.tensor([0, 0, 1, 1])
    >>> task = gs.NodeTask.from_arrays(x, edges, y, train=[0, 2], val=[1], test=[3])
    >>> task.in_features, task.num_outputs
    (4, 2)
    """

    kind: ClassVar[Literal["graph"]] = "graph"
    item: ClassVar[Literal["node"]] = "node"
    data: TaskData
    origin: NodeTask | None
    test: SealedTest

    def __init__(self, data: Any, **options: Unpack[SplitOptions]) -> None:
        self._hold(*assembled(from_pyg(data), **options))

    @classmethod
    @typed
    def from_arrays(
        cls,
        x: Any,
        edge_index: Any,
        y: Any,
        *,
        train: Any = None,
        val: Any = None,
        test: Any = None,
        graph_ptr: Any = None,
        num_classes: int | None = None,
        **options: Unpack[TaskOptions],
    ) -> Self:
        """From arrays.

        Args:
            x: [nodes, features], dense or sparse; edge_index: integers [2, edges].
            y: integers [nodes], -1 = no label, or zeros and ones [nodes, labels], NaN = no label.
            train, val, test: boolean masks or node ids. Or `split`, with train and val as sizes where it is drawn.
            graph_ptr: [graphs + 1] where the nodes are those of several graphs, each wholly in one part.
            num_classes: where more than the labels show.
        """
        arrays = Arrays(x, edge_index, y, PublicSplits(train, val, test, name="given"), graph_ptr, num_classes)
        if options.get("split") is None:
            return cls._from(arrays, **options)
        if test is not None or not all(size is None or isinstance(size, int | float) for size in (train, val)):
            raise DataError(
                f"train, val or test of from_arrays name nodes beside split={options['split']!r}: "
                "give all three and no split, or a split, with train and val as sizes at most"
            )
        return cls._from(arrays, train=train, val=val, **options)

    @classmethod
    def from_graphs(
        cls, train: Sequence[Any], val: Sequence[Any], test: Sequence[Any], **options: Unpack[TaskOptions]
    ) -> Self:
        """From PyG graphs for training, validation and test, as PPI has them; every labelled node counts."""
        return cls._from(from_graphs(train, val, test), **options)

    @classmethod
    @typed
    def from_npz(cls, path: str | Path, **options: Unpack[SplitOptions]) -> Self:
        """From an `.npz` that `save` wrote, or of plain arrays, laid out as `graphstill.data.npz.read_npz` says."""
        arrays = read_npz(path)
        return cls._from(arrays, **({"name": Path(path).stem} if arrays.saved is None else {}) | options)

    @classmethod
    def _from(cls, arrays: Arrays, **options: Unpack[SplitOptions]) -> Self:
        return cls._of(*saving.restored(arrays, options))

    @classmethod
    def _of(cls, data: TaskData, test: Tensor | SealedTest, origin: NodeTask | None = None) -> Self:
        task = cls.__new__(cls)
        task._hold(data, test, origin)
        return task

    def _hold(self, data: TaskData, test: Tensor | SealedTest, origin: NodeTask | None = None) -> None:
        """Data, test labels (in the open, or sealed already), and the whole task that this one was made from."""
        self.data, self.origin, self._batches = data, origin, NodeBatches(data)
        if isinstance(test, SealedTest):
            self.test = test.moved(self._batches.test)
        else:
            self.test = SealedTest(test, data.facts.metric, self._batches.test)

    def training_batches(self, epoch: int, seed: int = 0) -> Sequence[Batch]:
        """The batches of one epoch.

        One graph: always the same single batch (inductive: of the graph without test nodes), or after `with_walks`
        subgraphs of it. Several graphs: disjoint unions of `batch_graphs` training graphs. What is drawn is a pure
        function of (seed, epoch).
        """
        return self._batches.training(epoch, seed)

    def training_graphs(self) -> Sequence[Batch]:
        """All that training sees, each node once, however it is cut into batches."""
        return self._batches.training_graphs()

    def validation_batch(self) -> Batch:
        """The batch on which validation nodes are predicted; for one graph the very object that training uses."""
        return self._batches.validation()

    def full_batch(self) -> Batch:
        """All nodes and edges, test labels hidden, to serve or measure a trained model on.

        Of an inductive task it holds what training must not see.
        """
        return self._batches.full()

    def check_teacher(self, hash: str, what: str) -> NodeTask:
        """The task that `what`, of that hash, was made from: this one, or the `origin` that it was reduced from.

        Raises:
            DataError: it is another one, so that `what` may have seen this task's test nodes.
        """
        for task in (self, self.origin):
            if task is not None and task.hash == hash:
                return task
        also = "" if self.origin is None else f", or on the whole task that it was made from ({self.origin.hash[:12]})"
        raise DataError(
            f"{what} was made from other data (hash {hash[:12]}) than task {self.name!r} (hash {self.hash[:12]}): "
            "it may have seen this task's test nodes; train it on this very task: the same features, edges, "
            f"labels, split and setting{also}"
        )

    def protocol(self) -> dict[str, Any]:
        """What is printed with every result, as plain values; homophily is that of labels that may be seen."""
        facts = self.data.facts
        return {
            "dataset": self.name,
            "hash": self.hash,
            "split": self.split,
            "setting": "inductive" if self.inductive else "transductive",
            "metric": self.metric,
            "selection": f"validation {self.metric}",
            "nodes": self.num_nodes,
            "edges": self.num_edges,
            "edges_removed": list(facts.edges_removed),
            "train_removed": list(facts.train_removed),
            "labels_shuffled": facts.labels_shuffled,
            "positions": facts.positions,
            "walks": None if self.walks is None else asdict(self.walks),
            "graphs": 1 if self.graph_ptr is None else len(self.graph_ptr) - 1,
            "homophily": homophily(self.data.graph, self.y),
            "edges_unused": list(self.unused),
            "features": self.in_features,
            "feature_normalization": facts.normalize,
            "features_binarized": facts.binarized,
            "outputs": self.num_outputs,
            "train": len(self.train_index),
            "val": len(self.val_index),
            "test": len(self.test_index),
        }

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> NodeTask:
        """This task on a device, optionally with features and multi-label targets of another float type.

        The copy shares the record of test openings and the hash.
        """
        origin = None if self.origin is None else self.origin.to(device, dtype)
        return type(self)._of(self.data.to(as_device(device), dtype), self.test, origin)

    def save(self, path: str | Path) -> Path:
        """Write the task to an `.npz`, whole or not at all; `NodeTask.from_npz` and `task: {name: FILE.npz}` read it.

        The file holds the test labels too: who has it can look at them. The whole task (`origin`) that this one was
        made from is not in it.

        Args:
            path: `.npz` is added where it is missing; a file that is there is replaced.

        Returns:
            The path.

        Raises:
            DataError: the path cannot be written, or features of less than float32, which could not be told to be the
            same
                data: save before `to(...)`.
        """
        return saving.save(self.data, self.test.labels_to_save(), path)

    to_npz = save

    def __repr__(self) -> str:
        sizes = (
            f"nodes={self.num_nodes}, edges={self.num_edges}, features={self.in_features}, outputs={self.num_outputs}"
        )
        setting = "inductive" if self.inductive else "transductive"
        return f"NodeTask({self.name!r}, {sizes}, split={self.split!r}, {setting}, hash={self.hash[:12]})"
