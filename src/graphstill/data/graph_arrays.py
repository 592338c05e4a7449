"""What a graph task is made from, as given: arrays of many graphs in one store, from PyG objects or a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphstill.data.choose import PublicSplits
from graphstill.data.convert import as_tensor
from graphstill.errors import DataError


@dataclass(frozen=True, eq=False)
class GraphArrays:
    """Features, edges, labels and public splits of many graphs, not yet checked.

    Args:
        x: [nodes, features], numbers or whole-number codes; None: the degree of each node, one-hot.
        edge_index: integers [2, edges], node ids of the store. y: by graph.
        graph_ptr: [graphs + 1]: graph g holds nodes graph_ptr[g] up to but excluding graph_ptr[g + 1].
        edge_attr: [edges, features] in the order of edge_index, or None.
        public: the splits that come with the data, of graphs.
        num_classes: of single-label data.
        node_codes, edge_codes: values that each column can have, where more than the data show.
    """

    x: Any
    edge_index: Any
    y: Any
    graph_ptr: Any
    edge_attr: Any = None
    public: PublicSplits | None = None
    num_classes: int | None = None
    node_codes: tuple[int, ...] | None = None
    edge_codes: tuple[int, ...] | None = None


def from_list(data: Iterable[Any]) -> GraphArrays:
    """Arrays of PyG graphs, each a Data with edge_index and y, and with x and edge_attr where all have them.

    Raises:
        DataError: no graphs, something else than graphs, or graphs that do not go together.
    """
    if not hasattr(data, "__iter__") or isinstance(data, str | bytes | dict):
        raise DataError(
            f"GraphTask was given a {type(data).__name__}: give a list of torch_geometric.data.Data, or a data set of "
            "graphs"
        )
    graphs = list(data)
    if not graphs:
        raise DataError("GraphTask was given no graphs: give a list of torch_geometric.data.Data, one a graph")
    for number, graph in enumerate(graphs):
        for key in ("edge_index", "y"):
            if getattr(graph, key, None) is None:
                raise DataError(
                    f"graph {number} of GraphTask, a {type(graph).__name__}, has no {key}: give a "
                    "torch_geometric.data.Data with edge_index [2, edges] and y, the label of the graph"
                )
    x, attr = _all_or_none(graphs, "x"), _all_or_none(graphs, "edge_attr")
    sizes = [_nodes(graph, None if x is None else x[number], number) for number, graph in enumerate(graphs)]
    ptr = torch.tensor([0, *sizes]).cumsum(0)
    edges = [as_tensor(graph.edge_index, f"edge_index of graph {i}") for i, graph in enumerate(graphs)]
    for number, (own, size) in enumerate(zip(edges, sizes, strict=True)):
        if own.ndim != 2 or own.shape[0] != 2:
            raise DataError(f"edge_index of graph {number} has shape {list(own.shape)}: it must be [2, edges]")
        if own.numel() and (int(own.min()) < 0 or int(own.max()) >= size):
            raise DataError(f"edge_index of graph {number} holds node {int(own.max())}, but the graph has {size} nodes")
    shifted = torch.cat([own.long() + int(begin) for own, begin in zip(edges, ptr, strict=False)], 1)
    labels = [as_tensor(graph.y, f"y of graph {i}") for i, graph in enumerate(graphs)]
    y = _labels(labels)
    return GraphArrays(_joined(x, "x"), shifted, y, ptr, _joined(attr, "edge_attr"))


def _all_or_none(graphs: list[Any], key: str) -> list[Tensor] | None:
    given = [getattr(graph, key, None) for graph in graphs]
    absent = [number for number, one in enumerate(given) if one is None]
    if len(absent) == len(graphs):
        return None
    if absent:
        raise DataError(f"graph {absent[0]} of GraphTask has no {key}, but others have: give it to all or to none")
    tensors = [as_tensor(one, f"{key} of graph {number}") for number, one in enumerate(given)]
    return [one.view(-1, 1) if one.ndim == 1 else one for one in tensors]


def _joined(parts: list[Tensor] | None, key: str) -> Tensor | None:
    if parts is None:
        return None
    widths = sorted({tuple(part.shape[1:]) for part in parts})
    if len(widths) > 1:
        raise DataError(f"{key} of the graphs have widths {widths}: all graphs share one feature space")
    return torch.cat([part.to_dense() for part in parts])


def _nodes(graph: Any, x: Tensor | None, number: int) -> int:
    if x is not None:
        return int(x.shape[0])
    count = getattr(graph, "num_nodes", None)
    if count is None:
        raise DataError(f"graph {number} of GraphTask has neither x nor num_nodes: give one of them")
    return int(count)


def _labels(labels: list[Tensor]) -> Tensor:
    """One label, or one row of them, for each graph."""
    flat = [label.reshape(-1) for label in labels]
    widths = sorted({len(label) for label in flat})
    if len(widths) > 1 or widths == [0]:
        raise DataError(f"y of the graphs hold {widths} values: give each graph one label, or a row of equally many")
    y = torch.stack(flat)
    whole = not y.is_floating_point() and y.dtype != torch.bool
    return y.view(-1) if widths == [1] and whole else y.float()
