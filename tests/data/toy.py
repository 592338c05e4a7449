"""Twelve nodes in two classes, an undirected ring with chords: small enough to check by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.data import NodeTask

TRAIN, VAL, TEST = [0, 1, 6, 7], [2, 3, 8], [4, 5, 9]  # 10 and 11 are in no part


def undirected(pairs: list[tuple[int, int]]) -> Tensor:
    edges = torch.tensor(pairs).t()
    return torch.cat([edges, edges.flip(0)], dim=1)


def arrays(**changes: Any) -> dict[str, Any]:
    """Arguments of NodeTask.from_arrays, some of them changed."""
    nodes = 12
    ring = [(i, (i + 1) % nodes) for i in range(nodes)]
    return {
        "x": torch.arange(nodes * 3, dtype=torch.float32).view(nodes, 3) + 1,
        "edge_index": undirected([*ring, (0, 5), (2, 9), (4, 10)]),
        "y": torch.tensor([0, 1] * 6),
        "train": torch.tensor(TRAIN),
        "val": torch.tensor(VAL),
        "test": torch.tensor(TEST),
    } | changes


def task(**changes: Any) -> NodeTask:
    return NodeTask.from_arrays(**arrays(**changes))


def multi_label(**changes: Any) -> NodeTask:
    y = torch.tensor([[1.0, 0, 1], [0, 1, 0]]).repeat(6, 1)
    return task(y=y, **changes)


def several_graphs(
    sizes: tuple[int, ...] = (3, 4, 2, 5, 3, 4), kinds: tuple[int, ...] = (0, 0, 0, 0, 1, 2)
) -> dict[str, Any]:
    """Arguments of NodeTask.from_arrays: one path graph of each size, labelled alternately."""
    ptr = torch.tensor([0, *sizes]).cumsum(0)
    begins = ptr[:-1].tolist()
    pairs = [(begin + i, begin + i + 1) for begin, size in zip(begins, sizes, strict=True) for i in range(size - 1)]
    kind = torch.repeat_interleave(torch.tensor(kinds), torch.tensor(sizes))
    nodes = int(ptr[-1])
    return {
        "x": torch.arange(nodes * 2, dtype=torch.float32).view(nodes, 2) + 1,
        "edge_index": undirected(pairs),
        "y": torch.arange(nodes) % 2,
        "train": kind == 0,
        "val": kind == 1,
        "test": kind == 2,
        "graph_ptr": ptr,
    }
