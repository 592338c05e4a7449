"""The data of a graph task from arrays as they were given: checked, split by graph, test labels taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import torch
from torch import Tensor

from graphstill.data import hashing
from graphstill.data.choose import make_split
from graphstill.data.convert import as_tensor
from graphstill.data.features import as_features
from graphstill.data.graph_arrays import GraphArrays
from graphstill.data.graph_labels import check_graph_labels, graph_metric, hide
from graphstill.data.splits import Split
from graphstill.data.taskdata import Facts, TaskData
from graphstill.data.validation import check_edges
from graphstill.errors import ConfigError, DataError
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.sparse_features import SparseFeatures

#: Degrees from this one up share a column, where a graph without features is described by them.
MOST_DEGREE = 64
#: Values that a column of codes can have at most.
MOST_CODES = 100_000


class GraphOptions(TypedDict, total=False):
    """Options of a GraphTask; they are explained there."""

    name: str
    split: Split | str | int | None
    seed: int
    batch_size: int
    metric: str | None


class GraphSplitOptions(GraphOptions, total=False):
    """With the sizes of a split that is drawn."""

    train: int | float | None
    val: int | float | None


def assembled_graphs(
    arrays: GraphArrays,
    *,
    name: str = "custom",
    split: Split | str | int | None = None,
    seed: int = 0,
    train: int | float | None = None,
    val: int | float | None = None,
    batch_size: int = 64,
    metric: str | None = None,
) -> tuple[TaskData, Tensor]:
    """The data with test labels hidden, and the test labels, to be sealed; options as `GraphTask` explains them.

    Raises:
        DataError: data that cannot be learnt from.
        ConfigError: an option that makes no sense.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size={batch_size!r} of task {name!r}: give a number of graphs, from 1 up")
    ptr = check_graph_ptr(arrays.graph_ptr, arrays.x)
    nodes, graphs = int(ptr[-1]), len(ptr) - 1
    edges = check_edges(arrays.edge_index, nodes)
    _check_crossing(edges, ptr)
    attr, edge_codes = _edge_features(arrays, edges.shape[1])
    graph = Adjacency.from_edge_index(edges, nodes, edge_attr=attr)
    x, node_codes = _node_features(arrays, graph)
    labels, outputs = check_graph_labels(arrays.y, graphs, arrays.num_classes)
    chosen = make_split(split, labels, arrays.public, seed=seed, train=train, val=val)
    _check_split(chosen, labels)
    digests = hashing.digests(x, graph, labels, chosen, ptr)
    if graph.edge_attr is not None:
        digests["edge features"] = hashing.arrays_digest(graph.edge_attr)
    data = TaskData(
        x=x,
        graph=graph,
        y=hide(labels, chosen.test),
        train=chosen.train,
        val=chosen.val,
        test=chosen.test,
        outputs=outputs,
        inductive=True,
        facts=Facts(name=name, split=chosen.name, metric=graph_metric(metric, name, labels, outputs)),
        digests=digests,
        graph_ptr=ptr,
        batch_graphs=batch_size,
        node_codes=node_codes,
        edge_codes=edge_codes,
    )
    return data, labels[chosen.test]


def check_graph_ptr(given: Any, x: Any) -> Tensor:
    """Bounds of the graphs, int64 [graphs + 1], none of them empty."""
    ptr = as_tensor(given, "graph_ptr").to(torch.int64, copy=True)
    nodes = int(ptr.view(-1)[-1]) if x is None and ptr.numel() else 0 if x is None else int(x.shape[0])
    if ptr.ndim != 1 or len(ptr) < 2 or int(ptr[0]) != 0 or int(ptr[-1]) != nodes or bool((ptr.diff() < 0).any()):
        raise DataError(
            f"graph_ptr {ptr.view(-1)[:5].tolist()}... of shape {list(ptr.shape)} does not cut {nodes} nodes: "
            f"it rises from 0 to the number of nodes, one step a graph"
        )
    empty = (ptr.diff() == 0).nonzero().view(-1)
    if len(empty):
        raise DataError(
            f"{len(empty)} graphs have no nodes (first: {int(empty[0])}): there is nothing to predict from; leave them "
            "out, with their labels"
        )
    return ptr


def _check_crossing(edges: Tensor, ptr: Tensor) -> None:
    source, target = (torch.bucketize(side, ptr, right=True) for side in edges)
    crossing = (source != target).nonzero().view(-1)
    if len(crossing):
        edge = edges[:, crossing[0]].tolist()
        raise DataError(
            f"{len(crossing)} edges join different graphs (first: {edge[0]} to {edge[1]}) in edge_index: its ids are "
            "those of all nodes together; add graph_ptr[g] to the edges of graph g"
        )


def _node_features(arrays: GraphArrays, graph: Adjacency) -> tuple[Any, tuple[int, ...] | None]:
    if arrays.x is None:
        degree = graph.degree().long().clamp(max=MOST_DEGREE)
        return torch.nn.functional.one_hot(degree, MOST_DEGREE + 1).float(), None
    if isinstance(arrays.x, Tensor) or not hasattr(arrays.x, "tocsr"):
        x = as_tensor(arrays.x, "x")
        if not x.is_floating_point() and not x.is_complex() and x.dtype != torch.bool:
            codes, counts = _codes(x, arrays.node_codes, "x")
            return one_hot_columns(codes, counts), counts
    return as_features(arrays.x), None


def one_hot_columns(codes: Tensor, counts: Sequence[int]) -> SparseFeatures:
    """Codes int64 [rows, columns] as ones, float32 [rows, sum of counts]: a product with them adds up table entries."""
    first = torch.tensor([0, *counts[:-1]]).cumsum(0)
    ptr = torch.arange(0, codes.numel() + 1, codes.shape[1], dtype=torch.int32)
    columns = (codes + first).view(-1).int()
    return SparseFeatures(ptr, columns, torch.ones(codes.numel()), (len(codes), int(sum(counts))))


def _edge_features(arrays: GraphArrays, edges: int) -> tuple[Tensor | None, tuple[int, ...] | None]:
    if arrays.edge_attr is None:
        return None, None
    attr = as_tensor(arrays.edge_attr, "edge_attr")
    attr = attr.view(-1, 1) if attr.ndim == 1 else attr
    if attr.ndim != 2 or attr.shape[0] != edges or not attr.shape[1]:
        raise DataError(f"edge_attr has shape {list(attr.shape)} for {edges} edges: give [edges, features]")
    if not attr.is_floating_point() and attr.dtype != torch.bool:
        return _codes(attr, arrays.edge_codes, "edge_attr")
    attr = attr.to(torch.float32, copy=True)
    if not bool(attr.isfinite().all()):
        raise DataError("edge_attr holds values that are NaN or infinite: replace them, for example by nan_to_num")
    return attr, None


def _codes(x: Tensor, given: tuple[int, ...] | None, what: str) -> tuple[Tensor, tuple[int, ...]]:
    """Whole numbers as codes, int64, and how many values each column can have."""
    if x.ndim != 2 or 0 in x.shape:
        raise DataError(f"{what} has shape {list(x.shape)}: codes are [rows, columns], at least one of each")
    codes = x.to(torch.int64, copy=True)
    low, most = codes.amin(0), codes.amax(0)
    if int(low.min()) < 0 or int(most.max()) >= MOST_CODES:
        column = int(low.argmin()) if int(low.min()) < 0 else int(most.argmax())
        value = int(low[column]) if int(low.min()) < 0 else int(most[column])
        raise DataError(
            f"{what} holds whole numbers, which are taken for codes, and {value} in column {column}: codes are 0 to "
            f"{MOST_CODES - 1}; give numbers as floats, {what}.float()"
        )
    counts = tuple(int(value) + 1 for value in most)
    if given is None:
        return codes, counts
    if len(given) != len(counts) or any(own > asked for own, asked in zip(counts, given, strict=True)):
        raise DataError(f"{what} holds codes up to {[c - 1 for c in counts]}, but {list(given)} values were said")
    return codes, tuple(given)


def _check_split(split: Split, labels: Tensor) -> None:
    split.check(labels.shape[0])
    known = labels >= 0 if labels.ndim == 1 else ~torch.isnan(labels).all(1)
    for part in ("train", "val", "test"):
        bare = ~known[getattr(split, part)]
        if bool(bare.any()):
            first = int(getattr(split, part)[bare][0])
            raise DataError(
                f"{int(bare.sum())} graphs in {part} have no label (first: {first}) in split {split.name!r}: leave "
                "graphs without any label out of all parts"
            )
