"""The data of a node task from arrays as they were given: checked, split, test labels taken out."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from graphstill.data import hashing
from graphstill.data.arrays import Arrays
from graphstill.data.choose import make_split
from graphstill.data.features import as_features
from graphstill.data.options import Metric, check_batch_graphs, chosen_metric
from graphstill.data.sealed import hidden_like
from graphstill.data.splits import Split
from graphstill.data.taskdata import Facts, TaskData
from graphstill.data.validation import check_edges, check_graphs, check_labels, check_split
from graphstill.ops.adjacency import Adjacency


def assembled(
    arrays: Arrays,
    *,
    name: str = "custom",
    split: Split | str | int | None = None,
    seed: int = 0,
    train: int | float | None = None,
    val: int | float | None = None,
    inductive: bool = False,
    normalize: Literal["row"] | None = None,
    sparse: bool | None = None,
    batch_graphs: int | None = None,
    metric: Metric | None = None,
) -> tuple[TaskData, Tensor]:
    """The data with test labels hidden, and the test labels, to be sealed; options as `NodeTask` explains them.

    Raises:
        DataError: data that cannot be learnt from.
        ConfigError: an option that makes no sense.
    """
    x = as_features(arrays.x, sparse=sparse, normalize=normalize)
    num_nodes = int(x.shape[0])
    edges = check_edges(arrays.edge_index, num_nodes)
    labels, outputs = check_labels(arrays.y, num_nodes, arrays.num_classes, metric == "micro_f1")
    chosen, ptr = make_split(split, labels, arrays.public, seed=seed, train=train, val=val), arrays.graph_ptr
    check_split(chosen, labels)
    graph_ptr = None if ptr is None else check_graphs(ptr, edges, chosen, num_nodes)
    check_batch_graphs(batch_graphs, ptr is not None, name)
    facts = Facts(
        name=name,
        split=chosen.name,
        metric=chosen_metric(metric, name, labels.ndim == 2, outputs),
        normalize=normalize,
        binarized=arrays.binarized,
        unused=arrays.unused,
    )
    graph = Adjacency.from_edge_index(edges, num_nodes)
    data = TaskData(
        x=x,
        graph=graph,
        y=hidden_like(labels, torch.cat([chosen.train, chosen.val])),
        train=chosen.train,
        val=chosen.val,
        test=chosen.test,
        outputs=outputs,
        inductive=inductive or ptr is not None,
        facts=facts,
        digests=hashing.digests(x, graph, labels, chosen, graph_ptr),
        graph_ptr=graph_ptr,
        batch_graphs=batch_graphs,
    )
    return data, labels[chosen.test]
