"""What HKD is made of: the graph among the samples of a batch, its embeddings, and its memory of all samples."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.losses import take, unit
from graphstill.method.parts.projection import Embeddings
from graphstill.method.sampling import Sampler
from graphstill.nn.init import fan_in_
from graphstill.nn.layers import MemberModule

#: Similarities that are made at a time: 4 MB in float32.
BLOCK = 2**20


@torch.no_grad()
def nearest_predictions(logits: Tensor, k: int, multi_label: bool) -> Tensor:
    """For each row itself and the k − 1 rows whose predictions have the largest cosine with its own, in any order.

    Shapes: logits [M, N, C], N >= k -> int64 [M, N, k]. Similarities [N, N] are made in blocks of rows. Of equal
    similarities any may be chosen.
    """
    predictions = unit(logits.sigmoid() if multi_label else logits.softmax(-1))
    rows = predictions.shape[1]
    step = max(1, BLOCK // rows)
    chosen = []
    for p in predictions:
        for begin in range(0, rows, step):
            cosine = p[begin : begin + step] @ p.T
            cosine.diagonal(begin).fill_(2.0)  # above every cosine
            chosen.append(cosine.topk(k, sorted=False).indices)
    return torch.cat(chosen).view(len(predictions), rows, k)


def mean_of_rows(x: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen rows of x: [M, N, D] and int64 [M or 1, N, k] -> [M, N, D]; no array [N, k, D] is made."""
    members, rows, width = x.shape
    first = rows * torch.arange(members, device=x.device)[:, None, None]
    return F.embedding_bag((chosen + first).flatten(0, 1), x.reshape(-1, width), mode="mean").view_as(x)


class GraphEncoder(MemberModule):
    """[e ; mean of e around] U + c at length 1: a TAGConv of one hop where all in-degrees are equal.

    Du et al.: Topology Adaptive Graph Convolutional Networks, 2017. U is Xavier-normal with the gain of a ReLU.

    Shapes: two times [M, N, W] -> [M, N, W].
    """

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, 2 * width, width))
        self.bias = nn.Parameter(torch.empty(members, width))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        inputs, outputs = self.weight.shape[1:]
        deviation = math.sqrt(2.0) * math.sqrt(2.0 / (inputs + outputs))
        with torch.no_grad():
            self.weight[i].copy_(deviation * torch.randn(inputs, outputs, generator=generator))
        fan_in_(self.bias[i], inputs, generator)

    def forward(self, e: Tensor, around: Tensor) -> Tensor:
        return unit(torch.baddbmm(self.bias.unsqueeze(1), torch.cat([e, around], -1), self.weight))


class Holistic(nn.Module):
    """Embeddings of both networks, and a graph encoder for each."""

    def __init__(self, members: int, student: int, teacher: int, width: int) -> None:
        super().__init__()
        self.embed = Embeddings(members, student, teacher, width)
        self.student = GraphEncoder(members, width)
        self.teacher = GraphEncoder(members, width)


class Visit(NamedTuple):
    """Samples of a step: their numbers int64 [B], classes int64 [M, B], embeddings [M, B, W] of both networks."""

    ids: Tensor
    classes: Tensor
    student: Tensor
    teacher: Tensor


class Memory(NamedTuple):
    """Embeddings [M, n, W] of all samples by both networks, and their classes int64 [M, n], -1 before the first visit.

    These are live tensors of a method's state.
    """

    student: Tensor
    teacher: Tensor
    classes: Tensor

    def with_new(self, visit: Visit, start: bool) -> Memory:
        """With the class, and where `start` the embeddings, of samples that visit for the first time; a copy then."""
        new = self.classes[:, visit.ids] < 0
        if not new.any():
            return self

        def started(bank: Tensor, e: Tensor) -> Tensor:
            rows = torch.where(new.unsqueeze(-1), e.detach(), bank[:, visit.ids])
            return bank.index_copy(1, visit.ids, rows) if start else bank

        classes = self.classes.index_copy(1, visit.ids, visit.classes)
        return Memory(started(self.student, visit.student), started(self.teacher, visit.teacher), classes)

    def move(self, visit: Visit, start: bool, momentum: float) -> None:
        """The visitors' rows become m M + (1 − m) e at length 1, in place."""
        before = self.with_new(visit, start)
        for bank, old, e in zip(self[:2], before[:2], (visit.student, visit.teacher), strict=True):
            bank[:, visit.ids] = unit(momentum * old[:, visit.ids] + (1 - momentum) * e)
        self.classes[:, visit.ids] = visit.classes

    def drawn(self, sampler: Sampler, step: int, count: int | None) -> Memory:
        """Some of the rows that were visited, for each member its own; itself where there are no more."""
        if count is None:
            return self
        seen = (self.classes[0] >= 0).nonzero().squeeze(1)
        chosen = sampler.draw(step, len(seen), count, seen.device)
        if chosen is None:
            return self
        rows = seen[chosen]
        return Memory(take(self.student, rows), take(self.teacher, rows), self.classes.gather(1, rows))
