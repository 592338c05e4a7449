"""Small graphs whose class can be learnt: rings and stars, with codes of nodes and of edges."""

from __future__ import annotations

from typing import Any

import torch

from graphstill.data import GraphTask


def ring(nodes: int) -> torch.Tensor:
    own = torch.arange(nodes)
    there = torch.stack([own, own.roll(-1)])
    return torch.cat([there, there.flip(0)], 1)


def star(nodes: int) -> torch.Tensor:
    own = torch.arange(1, nodes)
    there = torch.stack([torch.zeros_like(own), own])
    return torch.cat([there, there.flip(0)], 1)


def arrays(graphs: int = 36, codes: bool = False, tasks: bool = False) -> dict[str, Any]:
    """Arrays of `GraphTask.from_arrays`: graphs 0, 3, ... are stars, the others rings, of 4 to 9 nodes."""
    generator = torch.Generator().manual_seed(0)
    edges, attrs, sizes, offset = [], [], [], 0
    for number in range(graphs):
        nodes = 4 + number % 6
        own = (star if number % 3 == 0 else ring)(nodes)
        edges.append(own + offset)
        attrs.append(torch.randint(0, 3, (own.shape[1], 2), generator=generator))
        sizes.append(nodes)
        offset += nodes
    y = torch.tensor([int(number % 3 == 0) for number in range(graphs)])
    labels = torch.stack([y.float(), (torch.arange(graphs) % 2).float()], 1)
    labels[::5, 1] = float("nan")
    x = torch.randint(0, 4, (offset, 2), generator=generator)
    return {
        "x": x if codes else torch.randn(offset, 5, generator=generator),
        "edge_index": torch.cat(edges, 1),
        "y": labels if tasks else y,
        "graph_ptr": torch.tensor([0, *sizes]).cumsum(0),
        "edge_attr": torch.cat(attrs) if codes else None,
        "train": torch.arange(0, graphs // 2),
        "val": torch.arange(graphs // 2, 3 * graphs // 4),
        "test": torch.arange(3 * graphs // 4, graphs),
    }


def task(codes: bool = False, tasks: bool = False, **options: Any) -> GraphTask:
    return GraphTask.from_arrays(**arrays(codes=codes, tasks=tasks), **{"batch_size": 8, "name": "rings"} | options)
