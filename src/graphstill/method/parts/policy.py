"""An agent that decides, node by node, who of two peers teaches whom; one for each run."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from graphstill.losses import (
    bernoulli_log_probability,
    edge_similarity,
    local_structure_kl_by_node,
    supervised_by_node,
)
from graphstill.method import Peers, Step, View
from graphstill.nn.layers import Linear


class Sight(NamedTuple):
    """What the agent knows of each node, for the P pairs of peers of R runs.

    Shapes: state [R, P, N, S]; losses [R, P, N], of both peers together, 0 where no training label is known; apart
    [R, P, N, 2], how far their local structures are from each other, with the first and with the second as the target.
    """

    state: Tensor
    losses: Tensor
    apart: Tensor


def pairs_of(group: Peers, x: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the second of every pair of peers in each run, [M, ...] -> twice [R, P, ...]."""
    first, second = torch.triu_indices(group.peers, group.peers, 1, device=x.device)
    x = group.split(x)
    return x.index_select(1, first), x.index_select(1, second)


def of_members(group: Peers, first: Tensor, second: Tensor) -> Tensor:
    """What the first and the second of each pair get, [R, P] each, added up for every member -> [M]."""
    ends = torch.triu_indices(group.peers, group.peers, 1, device=first.device)
    found = first.new_zeros(group.runs, group.peers)
    return found.index_add(1, ends[0], first).index_add(1, ends[1], second).flatten()


def labelled(view: View, step: Step) -> Tensor:
    """1 at the rows with a training label, else 0, [N]."""
    return torch.zeros_like(view.logits[0, :, 0]).index_fill(0, step.batch.train_rows, 1.0)


def similarity(view: View) -> Tensor:
    """Similarities along the edges of the last hidden layer, [M, E], as LSP has them by default."""
    return edge_similarity(view.graph, view.layer(-1).pre, "negative_euclidean")


def see(group: Peers, step: Step) -> Sight:
    """The state of a node is the outputs of both peers, their losses and whether these are known."""
    known = labelled(group, step)
    outputs = group.logits.sigmoid() if step.batch.multi_label else group.logits.softmax(-1)
    losses = torch.stack(
        pairs_of(group, supervised_by_node(group.logits, step.batch.y, step.batch.multi_label) * known), -1
    )
    told = known[:, None].expand(*losses.shape[:-1], 1)
    one, two = pairs_of(group, similarity(group))
    apart = [local_structure_kl_by_node(group.graph, *pair) for pair in ((one, two), (two, one))]
    return Sight(torch.cat([*pairs_of(group, outputs), losses, told], -1), losses.sum(-1), torch.stack(apart, -1))


class DirectionPolicy(nn.Module):
    """Two perceptrons with a hidden layer (tanh): whether the first peer teaches the second, and whether its local
    structure is passed on as well, given that. One for each run.
    """

    def __init__(self, runs: int, state: int, hidden: int = 64) -> None:
        super().__init__()
        self.direction = nn.ModuleList([Linear(runs, state, hidden), Linear(runs, hidden, 1)])
        self.structure = nn.ModuleList([Linear(runs, state + 3, hidden), Linear(runs, hidden, 1)])

    def forward(self, state: Tensor) -> Tensor:
        """Logits [R, P, N] that the first teaches the second, for states [R, P, N, S]."""
        return _perceptron(self.direction, state)

    def passed_on(self, sight: Sight, direction: Tensor) -> Tensor:
        """Logits [R, P, N] that the structure follows, for directions [R, P, N] of 0 and 1."""
        return _perceptron(self.structure, torch.cat([sight.state, direction.unsqueeze(-1), sight.apart], -1))

    def act(self, sight: Sight, draws: Tensor) -> Tensor:
        """Actions of 0 and 1, [R, 2, P, N], from uniform draws of that shape."""
        direction = (draws[:, 0] < self(sight.state).sigmoid()).to(draws.dtype)
        passed = (draws[:, 1] < self.passed_on(sight, direction).sigmoid()).to(draws.dtype)
        return torch.stack([direction, passed], 1)

    def log_probability(self, sight: Sight, actions: Tensor) -> Tensor:
        """Of both actions [R, 2, P, N] together -> [R, P, N]."""
        direction, passed = actions.unbind(1)
        first = bernoulli_log_probability(self(sight.state), direction)
        return first + bernoulli_log_probability(self.passed_on(sight, direction), passed)


def _perceptron(layers: nn.ModuleList, x: Tensor) -> Tensor:
    out: Tensor = layers[1](layers[0](x.flatten(1, 2)).tanh())
    return out.view(x.shape[:-1])
