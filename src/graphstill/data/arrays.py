"""What a node task is made from, as given: arrays of one graph, or of several in one store, from PyG objects."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphstill.data.choose import PublicSplits
from graphstill.data.convert import as_tensor
from graphstill.data.saved import Saved
from graphstill.data.splits import PARTS, labelled
from graphstill.data.validation import check_edges
from graphstill.errors import DataError, GraphstillWarning

#: Names under which PyG, networkx and others keep something for each edge.
EDGE_ARRAYS = ("edge_weight", "edge_weights", "edge_attr", "edge_attrs", "edge_features", "weight", "edge_type")


@dataclass(frozen=True, eq=False)
class Arrays:
    """Features, edges, labels and public splits, not yet checked.

    Args:
        x: [nodes, features]: dense or sparse tensor, NumPy array, SciPy sparse matrix.
        edge_index: integers [2, edges]: sources, targets.
        y: integers [nodes] (-1 = no label), or zeros and ones [nodes, labels] (NaN = no label).
        public: the splits that come with the data.
        graph_ptr: int64 [graphs + 1] where there are several graphs: graph g holds nodes graph_ptr[g] up to but
            excluding graph_ptr[g + 1].
        num_classes: of single-label data; the largest label + 1 by default.
        binarized: whether x was made 0 and 1 from what is stored.
        unused: what is given for each edge beside its ends, such as "edge_weight".
        saved: what the task was that these arrays were saved from, if any.
    """

    x: Any
    edge_index: Any
    y: Any
    public: PublicSplits | None = None
    graph_ptr: Any = None
    num_classes: int | None = None
    binarized: bool = False
    unused: tuple[str, ...] = ()
    saved: Saved | None = None


def from_pyg(data: Any) -> Arrays:
    """Arrays of a PyG Data: x, edge_index, y and, where present, the three masks [nodes] or [nodes, splits].

    Raises:
        DataError: not a Data, or one without edge_index, x or y.
    """
    _refuse_other(data)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "keys"):
        raise DataError(
            f"NodeTask was given a {type(data).__name__}, a collection of graphs: "
            "give dataset[0], or use NodeTask.from_graphs(train, val, test)"
        )
    for key, hint in (
        ("edge_index", "int64 [2, edges] (a graph with adj_t only: do not apply ToSparseTensor)"),
        ("x", "features [nodes, features] (where there are none, torch_geometric.transforms.OneHotDegree makes some)"),
        ("y", "labels [nodes], -1 where unknown"),
    ):
        if getattr(data, key, None) is None:
            raise DataError(
                f"{type(data).__name__} has no {key}: NodeTask needs a torch_geometric.data.Data with {key}: {hint}"
            )
    unused = say_unused({key: data[key] for key in data.keys()})  # noqa: SIM118 - iterating a Data gives pairs
    public = PublicSplits(*(getattr(data, f"{part}_mask", None) for part in PARTS))
    return Arrays(data.x, data.edge_index, data.y, public, unused=unused)


def _refuse_other(data: Any) -> None:
    """What people have in the place of a Data, with the way from there."""
    kind, module = type(data).__name__, type(data).__module__.split(".")[0]
    way = None
    if isinstance(data, str | Path):
        way = "give gs.datasets.load(name), or gs.NodeTask.from_npz(path)"
    elif module == "networkx":
        way = "give torch_geometric.utils.from_networkx(graph), with x, y and masks set on the result"
    elif kind == "HeteroData":
        way = (
            "its nodes and edges have types, which models here do not see: give data.to_homogeneous(), with x, y, masks"
        )
    elif kind == "TemporalData":
        way = "its edges have times, which models here do not see: give a Data of one moment"
    elif module in ("pandas", "numpy", "scipy", "torch") or isinstance(data, dict | None):
        way = "give a torch_geometric.data.Data, or the arrays to gs.NodeTask.from_arrays(x, edge_index, y, ...)"
    if way is not None:
        raise DataError(f"NodeTask was given a {kind}: {way}")


def say_unused(found: Mapping[str, Any], stacklevel: int = 4) -> tuple[str, ...]:
    """The names of arrays that hold something for each edge beside its ends; warns of them."""
    names = tuple(key for key, value in found.items() if key in EDGE_ARRAYS and value is not None)
    if names:
        warnings.warn(
            f"{' and '.join(names)} of the data are not used: models here see edges as present or absent",
            GraphstillWarning,
            stacklevel=stacklevel,
        )
    return names


def from_graphs(train: Sequence[Any], val: Sequence[Any], test: Sequence[Any]) -> Arrays:
    """One store of several PyG graphs over one feature space; labelled nodes belong to the part of their graph.

    Raises:
        DataError: a part has no graphs, a graph lacks x, edge_index or y, or widths differ between graphs.
    """
    parts = {"train": list(train), "val": list(val), "test": list(test)}
    for part, graphs in parts.items():
        if not graphs:
            raise DataError(
                f"no {part} graphs in from_graphs: training, selection and the final test each need at least one graph"
            )
    arrays = [_as_tensors(from_pyg(graph)) for graphs in parts.values() for graph in graphs]
    for key in ("x", "y"):
        widths = sorted({tuple(getattr(a, key).shape[1:]) for a in arrays})
        if len(widths) > 1:
            raise DataError(
                f"{key} of the graphs have widths {widths} in from_graphs: "
                "all graphs share one feature space and one set of labels"
            )
    sizes = torch.tensor([a.x.shape[0] for a in arrays])
    ptr = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])
    for number, a in enumerate(arrays):  # too many labels in one graph and too few in another would add up
        if a.y.shape[0] != a.x.shape[0]:
            raise DataError(
                f"graph {number} in from_graphs has {a.y.shape[0]} labels for {a.x.shape[0]} rows of x: "
                "give one row of y for each node"
            )
    checked = [
        check_edges(a.edge_index, a.x.shape[0], f"edge_index of graph {number}") for number, a in enumerate(arrays)
    ]
    edges = torch.cat([part + ptr[number] for number, part in enumerate(checked)], dim=1)
    kinds = torch.tensor([kind for kind, graphs in enumerate(parts.values()) for _ in graphs])
    y = torch.cat([a.y for a in arrays])
    x = torch.cat([a.x.to_dense() for a in arrays])
    return Arrays(x, edges, y, graph_split(kinds, ptr, y), graph_ptr=ptr)


def _as_tensors(arrays: Arrays) -> Arrays:
    """With x and y as tensors, whatever they were given as."""
    x = arrays.x if isinstance(arrays.x, Tensor) or hasattr(arrays.x, "to_dense") else as_tensor(arrays.x, "x")
    return replace(arrays, x=x, y=as_tensor(arrays.y, "y"))


def graph_split(kinds: Tensor, graph_ptr: Tensor, y: Tensor) -> PublicSplits:
    """Split of labelled nodes from a split of graphs: kinds [graphs] holds 0 for train, 1 for val, 2 for test."""
    node_kind = torch.repeat_interleave(kinds, graph_ptr.diff())
    return PublicSplits(*((node_kind == kind) & labelled(y) for kind in range(3)))
