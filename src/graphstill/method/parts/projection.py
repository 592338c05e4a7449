"""Maps of hidden features into a common space, learnt together with the student, with the member axis."""

from __future__ import annotations

from torch import Tensor, nn

from graphstill.losses import unit
from graphstill.nn.layers import BatchNorm, Linear


class ProjectionHead(nn.Module):
    """Linear, batch normalisation over the nodes it is given, ReLU, as in efficient-gnns.

    Shapes: [M or 1, n, inputs] -> [M, n, outputs].
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.members = members
        self.linear = Linear(members, inputs, outputs)
        self.norm = BatchNorm(members, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.linear(x.expand(self.members, -1, -1)), True)
        return out.relu()


class TwoHeads(nn.Module):
    """A projection head for the student and one for the teacher, into the same width."""

    def __init__(self, members: int, student: int, teacher: int, outputs: int) -> None:
        super().__init__()
        self.student = ProjectionHead(members, student, outputs)
        self.teacher = ProjectionHead(members, teacher, outputs)


class Embeddings(nn.Module):
    """Linear maps of both networks' features into the common space; [M, n, D] -> [M, n, W] of length 1."""

    def __init__(self, members: int, student: int, teacher: int, width: int) -> None:
        super().__init__()
        self.members = members
        self.student = Linear(members, student, width)
        self.teacher = Linear(members, teacher, width)

    def forward(self, student: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return unit(self.student(student)), unit(self.teacher(target.expand(self.members, -1, -1)))
