"""Features of edges as a network reads them: codes become one kind a combination, whose embedding is looked up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.errors import DataError
from graphstill.nn.init import fill_, glorot_
from graphstill.nn.layers import MemberModule
from graphstill.ops import Adjacency, Groups, rectified_sum, rectified_sum_of, spmm

#: Combinations of codes up to which all of them get an embedding in each pass; of more, those that occur.
ALL = 4096
_kinds: WeakKeyDictionary[Adjacency, tuple[Groups, Tensor]] = WeakKeyDictionary()


class EdgeMessages(MemberModule):
    """Σ over the neighbours j of ReLU(h_j + e_ji), with e from the codes or numbers of each edge, for each member.

    Codes: e is the sum of one table entry a column. Numbers: e is linear in them. Without either: Σ h_j.

    Shapes: h ``[members, nodes, width]`` -> the same; ``weight`` is ``[members, all codes or edge_width, width]``.
    """

    def __init__(self, members: int, width: int, codes: Sequence[int] | None, edge_width: int) -> None:
        super().__init__()
        self.codes, self.edge_width = None if codes is None else tuple(codes), edge_width
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None
        if self.codes is not None:
            self.weight = torch.nn.Parameter(torch.empty(members, sum(self.codes), width))
        elif edge_width:
            self.weight = torch.nn.Parameter(torch.empty(members, edge_width, width))
            self.bias = torch.nn.Parameter(torch.empty(members, width))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        if self.weight is not None:
            for table in self.weight[i].split(list(self.codes)) if self.codes is not None else [self.weight[i]]:
                glorot_(table, generator)
        if self.bias is not None:
            fill_(self.bias[i], 0.0)

    def forward(self, h: Tensor, graph: Adjacency) -> Tensor:
        self._check(graph)
        if self.weight is None:
            return spmm(graph, graph.ones(h.dtype), h)
        assert graph.edge_attr is not None
        if self.codes is not None:
            kinds, combinations = kinds_of(graph, self.codes)
            return rectified_sum(graph, h, combinations.to(h.dtype) @ self.weight, kinds)
        attr = graph.edge_attr.to(h.dtype)
        assert self.bias is not None
        return rectified_sum_of(graph, h, attr @ self.weight + self.bias.unsqueeze(1))

    def _check(self, graph: Adjacency) -> None:
        wanted = self.edge_width if self.codes is None else len(self.codes)
        found = 0 if graph.edge_attr is None else graph.edge_attr.shape[1]
        if found != wanted:
            raise DataError(
                f"edges have {found or 'no'} features, but the network was made for {wanted or 'none'}: give edge_attr "
                "as it was in training"
            )


def kinds_of(graph: Adjacency, codes: Sequence[int]) -> tuple[Groups, Tensor]:
    """The edges by their kind, and what kinds are, ones [kinds, sum of codes]; kept with the graph.

    Raises:
        DataError: a code that its column does not have.
    """
    assert graph.edge_attr is not None
    if graph not in _kinds:
        attr, most = graph.edge_attr, torch.tensor(list(codes), device=graph.device)
        if attr.is_floating_point() or (attr.numel() and bool(((attr < 0) | (attr >= most)).any())):
            raise DataError(
                f"edge_attr holds {attr.dtype} with codes that are not 0 to {[c - 1 for c in codes]}: give the codes "
                "that the network was trained with"
            )
        if math.prod(codes) <= ALL:
            steps = torch.tensor([math.prod(codes[i + 1 :]) for i in range(len(codes))], device=graph.device)
            kind, every = (attr * steps).sum(1), torch.arange(math.prod(codes), device=graph.device)
            rows = every.unsqueeze(1) // steps % most
        else:
            rows, kind = attr.unique(dim=0, return_inverse=True)
        parts = [F.one_hot(rows[:, i], count) for i, count in enumerate(codes)]
        _kinds[graph] = Groups(kind, len(rows)), torch.cat(parts, 1).float()
    return _kinds[graph]
