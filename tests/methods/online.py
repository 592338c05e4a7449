"""Peers without a network: logits in the place of a group's outputs."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.data import Batch
from graphstill.method import Method, Parts, Peers, Position, Step, View
from graphstill.ops import Adjacency


def peers_of(logits: Tensor, peers: int) -> Peers:
    """Detached logits [M, N, C] as the peers' view of M / peers runs, on a graph of a single loop."""
    graph = Adjacency.from_edge_index(torch.zeros(2, 1, dtype=torch.int64), logits.shape[1])
    return Peers(logits.detach(), [], graph, torch.arange(logits.shape[1]), len(logits) // peers, peers)


def online_terms(method: Method, logits: Tensor, peers: int, y: Tensor) -> dict[str, Tensor]:
    """The terms of a method that looks at logits alone, all nodes labelled."""
    t = peers_of(logits, peers)
    rows = torch.arange(logits.shape[1])
    batch = Batch(torch.zeros(len(rows), 1), t.graph, y, rows, rows[:0], rows, True)
    step = Step(Position(0, 0.0), batch, Parts(), t)
    return method.loss(View(logits, [], t.graph, t.nodes), t, step)
