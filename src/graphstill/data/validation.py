"""Everything that is wrong with data is said here, before any training, in words that a user can act on."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from graphstill.data.convert import as_tensor
from graphstill.data.splits import PARTS, Split, labelled
from graphstill.errors import DataError

#: Classes that there may be even of fewer nodes.
MOST_CLASSES = 10_000


def check_edges(edge_index: Any, num_nodes: int, where: str = "edge_index") -> Tensor:
    """int64 [2, edges] with ids below num_nodes."""
    edges = as_tensor(edge_index, where)
    if edges.is_floating_point() and not edges.numel():
        edges = edges.long()  # torch.tensor([[], []]), a graph without edges
    if edges.is_floating_point() or edges.is_complex() or edges.dtype == torch.bool or edges.layout != torch.strided:
        raise DataError(
            f"{where} holds {edges.dtype} ({edges.layout}): node ids are integers; convert it with edge_index.long()"
        )
    if edges.ndim != 2 or edges.shape[0] != 2:
        turn = "; it looks transposed: give edge_index.t()" if edges.ndim == 2 and edges.shape[1] == 2 else ""
        raise DataError(f"{where} has shape {list(edges.shape)}: it must be [2, edges], sources above targets{turn}")
    edges = edges.long()
    if edges.numel():
        low, high = int(edges.min()), int(edges.max())
        if low < 0 or high >= num_nodes:
            raise DataError(
                f"{where} holds node {low if low < 0 else high}, but x has {num_nodes} rows (ids 0 to "
                f"{num_nodes - 1}): "
                "give every node a row of x, or drop these edges"
            )
    return edges


def check_labels(y: Any, num_nodes: int, num_classes: int | None, several: bool = False) -> tuple[Tensor, int]:
    """Labels as int64 [nodes] (single) or float32 [nodes, labels] (multi), and how many outputs they need.

    `several`: that nodes have several labels was said, so that exactly one in each row is no class in one-hot form.
    """
    labels = as_tensor(y, "y")
    if num_classes is not None and not 0 <= num_classes < 2**31:
        raise DataError(f"num_classes={num_classes}: give a number of classes, from 2 up")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.view(-1)
    if labels.ndim not in (1, 2) or labels.shape[0] != num_nodes:
        raise DataError(
            f"y has shape {list(labels.shape)} and x has {num_nodes} rows: "
            "labels are [nodes] (single label) or [nodes, labels] (multi-label), a row for each node"
        )
    if labels.ndim == 2:
        labels = labels.float()
        missing = torch.isnan(labels)
        if bool((missing.any(dim=1) & ~missing.all(dim=1)).any()):
            raise DataError(
                "some nodes have only part of their labels in y (NaN beside 0 or 1): "
                "a node has all labels, or NaN in all of them"
            )
        wrong = labels[~missing & (labels != 0) & (labels != 1)]
        if len(wrong):
            raise DataError(
                f"y holds {float(wrong[0]):g} in {labels.shape[1]} columns: "
                "multi-label data is 0 or 1 in each column (one-hot classes: give y.argmax(1))"
            )
        known = labels[~missing.any(dim=1)]
        if not several and len(known) and bool((known.sum(dim=1) == 1).all()):
            raise DataError(
                f"y has {labels.shape[1]} columns, of which each labelled node has exactly one: classes in one-hot "
                "form are given as y.argmax(1) (-1 where there is no label); where nodes may have several labels, say "
                "so "
                "with metric='micro_f1'"
            )
        return labels, labels.shape[1]
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(
            f"y of one dimension holds {labels.dtype}: classes are whole numbers from 0; "
            "convert it with y.long() (regression is not supported)"
        )
    labels = labels.long()
    largest = int(labels.max()) if len(labels) else -1
    classes = largest + 1 if num_classes is None else num_classes
    wrong = labels[(labels < -1) | (labels >= classes)]
    if len(wrong):
        raise DataError(
            f"y holds label {int(wrong[0])}, but there are {classes} classes: "
            f"labels are 0 to {classes - 1}, or -1 where unknown"
        )
    if classes > max(MOST_CLASSES, num_nodes):
        source = "num_classes" if num_classes is not None else "the largest label of y"
        raise DataError(
            f"{classes} classes by {source}, for {num_nodes} nodes: classes are numbered from 0 without gaps; give "
            "numpy.unique(y, return_inverse=True)[1]"
        )
    if classes < 2:
        raise DataError(
            f"y holds {classes} class: there is nothing to tell apart; give labels of at least two classes (0 and 1)"
        )
    return labels, classes


def check_split(split: Split, labels: Tensor) -> None:
    """Every node of the split exists and has a label; warns where training misses a class."""
    split.check(labels.shape[0])
    multi = labels.ndim == 2
    for part in PARTS:
        bare = ~labelled(labels[getattr(split, part)])
        if bool(bare.any()):
            node = int(getattr(split, part)[bare][0])
            raise DataError(
                f"{int(bare.sum())} nodes in {part} have no label (first: {node}) in split {split.name!r}: "
                "leave nodes without a label out of all parts"
            )
    count = labels.shape[1] if multi else int(labels.max()) + 1
    announce_absent(labels[split.train], count, split.name, stacklevel=5)


def announce_absent(train: Tensor, count: int, split: str, stacklevel: int = 3) -> None:
    """Warns of classes or labels, of `count`, that none of the training labels is."""
    multi = train.ndim == 2
    present = train.sum(dim=0) > 0 if multi else torch.bincount(train, minlength=count) > 0
    absent = (~present).nonzero().view(-1).tolist()
    if absent:
        what = "labels" if multi else "classes"
        shown = ", ".join(map(str, absent[:10])) + (", ..." if len(absent) > 10 else "")
        warnings.warn(
            f"{what} {shown} ({len(absent)} of {len(present)}) have no training node in split {split!r}: "
            "they cannot be learnt",
            stacklevel=stacklevel,
        )


def check_graphs(graph_ptr: Any, edges: Tensor, split: Split, num_nodes: int) -> Tensor:
    """Bounds of several graphs, int64 [graphs + 1]: no edge crosses them, and no graph holds nodes of two parts."""
    ptr = as_tensor(graph_ptr, "graph_ptr").to(torch.int64, copy=True)
    if ptr.ndim != 1 or len(ptr) < 2 or int(ptr[0]) != 0 or int(ptr[-1]) != num_nodes or bool((ptr.diff() < 1).any()):
        raise DataError(
            f"graph_ptr {ptr.view(-1)[:5].tolist()}... of shape {list(ptr.shape)} does not cut {num_nodes} nodes: "
            f"it rises from 0 to {num_nodes}, one step a graph"
        )
    source, target = (torch.bucketize(side, ptr, right=True) for side in edges)
    crossing = (source != target).nonzero().view(-1)
    if len(crossing):
        edge = edges[:, crossing[0]].tolist()
        raise DataError(
            f"{len(crossing)} edges join different graphs (first: {edge[0]} to {edge[1]}) in edge_index: "
            "check graph_ptr, or give it as one graph without it"
        )
    owner: dict[int, str] = {}
    for part in PARTS:
        for graph in (torch.bucketize(getattr(split, part), ptr, right=True) - 1).unique().tolist():
            if owner.setdefault(graph, part) != part:
                raise DataError(
                    f"graph {graph} holds {owner[graph]} and {part} nodes in split {split.name!r}: "
                    "with several graphs, each belongs to one part"
                )
    return ptr
