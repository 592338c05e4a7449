"""The discriminators of GraphAKD, with the member axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from graphstill.nn.init import fan_in_, fill_
from graphstill.nn.layers import Linear, MemberModule
from graphstill.ops import Adjacency, edge_form


class Diagonal(MemberModule):
    """score · Σ_k a_k u_k v_k, a learnt inner product; a starts at 1."""

    def __init__(self, members: int, width: int, score: float) -> None:
        super().__init__()
        self.start = score
        self.weight = nn.Parameter(torch.empty(members, width))
        self.score = nn.Parameter(torch.empty(members))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fill_(self.weight[i], 1.0)
        fill_(self.score[i], self.start)

    def edges(self, u: Tensor, graph: Adjacency) -> Tensor:
        """Between the ends of every edge, features of length 1: [M or 1, N, D] -> [M, E]."""
        return edge_form(graph, u, self.score[:, None] * self.weight)

    def summaries(self, u: Tensor, wholes: Sequence[Tensor]) -> list[Tensor]:
        """Between nodes, features of length 1, and each of some summaries [M or 1, D]: [M or 1, N, D] -> [M, N]."""
        factor = self.score[:, None] * self.weight
        # One column at a time: a product with two takes four times as long.
        return [(u @ (factor * whole).unsqueeze(-1)).squeeze(-1) for whole in wholes]


class LogitsIdentifier(MemberModule):
    """V ReLU(z + z W + b): a score for each class, and a last one for the teacher; [M or 1, N, C] -> [M, N, C + 1]."""

    def __init__(self, members: int, classes: int) -> None:
        super().__init__()
        self.first = Linear(members, classes, classes)
        self.last = nn.Parameter(torch.empty(members, classes, classes + 1))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fan_in_(self.last[i], self.last.shape[1], generator)

    def forward(self, z: Tensor) -> Tensor:
        # Nodes last, as far as it goes: products with as few columns as there are classes take three times as long.
        z = z.expand(len(self.last), -1, -1).transpose(1, 2)
        both = self.first.weight + torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        inner = torch.baddbmm(self.first.bias.unsqueeze(-1), both.transpose(1, 2), z).relu()
        return (self.last.transpose(1, 2) @ inner).transpose(1, 2)


class Identifiers(nn.Module):
    """The three identifiers of every member."""

    def __init__(self, members: int, width: int, classes: int, score: float) -> None:
        super().__init__()
        self.edge = Diagonal(members, width, score)
        self.whole = Diagonal(members, width, score)
        self.logits = LogitsIdentifier(members, classes)
