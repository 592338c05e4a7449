"""Small trainable modules that methods bring along, with the member axis."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphstill.nn.init import fill_, glorot_
from graphstill.nn.layers import MemberModule
from graphstill.ops import Adjacency, spmm


class CriticConv(MemberModule):
    """D^-1/2 A D^-1/2 X W + b without self-loops, as in OAD's discriminators; [M, N, in] -> [M, N, out]."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(members, outputs))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        glorot_(self.weight[i], generator)
        fill_(self.bias[i], 0.0)

    def forward(self, x: Tensor, graph: Adjacency) -> Tensor:
        return spmm(graph, graph.gcn_weights(x.dtype), torch.bmm(x, self.weight)) + self.bias.unsqueeze(1)


class GraphCritic(nn.Module):
    """A discriminator of node features on the graph: one score a node, before the sigmoid.

    One graph convolution, or two with a ReLU between where `hidden` is given. `relu_head` puts a ReLU on the score, as
    the released code of OAD does: such a score can never call a feature fake with more than even odds.

    Shapes: [M, N, inputs] -> [M, N].
    """

    def __init__(self, members: int, inputs: int, hidden: int | None, relu_head: bool) -> None:
        super().__init__()
        self.relu_head = relu_head
        self.first = CriticConv(members, inputs, hidden or 1)
        self.second = CriticConv(members, hidden, 1) if hidden else None

    def forward(self, x: Tensor, graph: Adjacency) -> Tensor:
        score = self.first(x, graph)
        if self.second is not None:
            score = self.second(score.relu(), graph)
        return (score.relu() if self.relu_head else score).squeeze(-1)
