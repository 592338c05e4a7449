"""Parameterised label propagation: the student of CPF (Yang, Liu and Shi, WWW 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from graphstill.nn.init import fill_
from graphstill.nn.known import TransductiveCohort, TransductiveModel
from graphstill.nn.layers import Features, Layers, Linear, MemberModule, multiply, run_layers
from graphstill.nn.output import Hidden, Output
from graphstill.nn.pyg import PyGPLP, linear
from graphstill.nn.registry import register_model
from graphstill.ops import Adjacency, Noise, SparseFeatures, edge_softmax, spmm

SCORES = ("transductive", "inductive")
#: Below this a probability is taken for it, so that its logarithm is finite.
FLOOR = 1e-12


@register_model
@dataclass(frozen=True)
class PLP(TransductiveModel):
    """Label propagation with learnt edge weights, mixed at each node with an MLP on its features.

    Yang, Liu, Shi: Extract the Knowledge of Graph Neural Networks and Go Beyond it, WWW 2021.

        y_i <- share_i · sum_j a_ij y_j + (1 − share_i) · softmax(MLP(x_i)),   share_i = sigmoid(a number for each node)

    ``hops`` times with the same weights, over the neighbours j of i and i itself; a_ij is the softmax over them of a
    score of j. It starts from the one-hot labels of training nodes, which are put back after every step, and uniform
    probabilities elsewhere. All y are probabilities; the logits are their logarithms.

    Hidden features are the MLP's. Shares start at 1/2 and scores at 0, that is from plain label propagation.

    Args:
        hidden: width of each hidden layer of the MLP.
        layers: weight layers of the MLP; 0 for propagation alone (the paper's PLP).
        hops: steps of propagation; the paper takes 5 to 10.
        scores: "transductive", a number for each node (the paper's CPF-tra), or "inductive", a product with its
            features (CPF-ind). The shares make both of them networks for one graph only.
        dropout: on the input features, also of inductive scores, and on each hidden layer.
        attention_dropout: on the edge weights a, anew in every step.
        released: the authors' code: what is propagated are scores, not probabilities. The MLP has no softmax, negative
            values are cut off after every step, and the outcome itself is the logits.

    Raises:
        ConfigError: an option out of its range.

    Deviations from the released code: the MLP runs once instead of once a step with dropout of its own, transductive
    scores have no dropout, and scores start at 0 instead of small random numbers.
    """

    name: ClassVar[str] = "plp"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.01, "weight_decay": 5e-4, "epochs": 500, "patience": 50}
    hidden: int = 64
    layers: int = 2
    hops: int = 10
    scores: str = "transductive"
    dropout: float = 0.8
    attention_dropout: float = 0.2
    released: bool = False

    def __post_init__(self) -> None:
        self._whole("hidden", "hops")
        self._whole("layers", minimum=0)
        self._choice("scores", SCORES)
        self._fraction("dropout", "attention_dropout")
        self._flag("released")

    def allocate_on(self, num_nodes: int, inputs: int, outputs: int, seeds: Sequence[int]) -> PLPCohort:
        return PLPCohort(self, inputs, outputs, seeds, num_nodes)


class NodeScalars(MemberModule):
    """A free number for each node, at first 0: ``weight`` is ``[members, nodes, 1]``."""

    def __init__(self, members: int, num_nodes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, num_nodes, 1))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fill_(self.weight[i], 0.0)

    def forward(self, x: Features, noise: Noise | None = None, p: float = 0.0) -> Tensor:
        return self.weight


class FeatureScores(MemberModule):
    """A product with the features, at first 0, returned as ``[members, nodes, 1]``."""

    def __init__(self, members: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, 1))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fill_(self.weight[i], 0.0)

    def forward(self, x: Features, noise: Noise | None = None, p: float = 0.0) -> Tensor:
        return multiply(x, self.weight, noise, p)


class PLPCohort(TransductiveCohort):
    """Members of :class:`PLP`."""

    spec: PLP

    def __init__(self, spec: PLP, inputs: int, outputs: int, seeds: Sequence[int], num_nodes: int) -> None:
        super().__init__(spec, inputs, outputs, seeds, num_nodes)
        by_node = spec.scores == "transductive"
        self.scores = NodeScalars(self.members, num_nodes) if by_node else FeatureScores(self.members, inputs)
        widths = [inputs, *[spec.hidden] * (spec.layers - 1), outputs] if spec.layers else []
        self.lins: Layers[Linear] = Layers(Linear(self.members, *pair) for pair in pairwise(widths))
        self.share = NodeScalars(self.members, num_nodes) if spec.layers else None

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        graph, p = graph.with_self_loops(), self._rate(self.spec.dropout)
        scores = self.scores(x, noise, p).squeeze(-1)
        known = self.labels >= 0
        labels = nn.functional.one_hot(self.labels.clamp(min=0), self.outputs).to(scores.dtype)
        share, base, hidden = self._mixture(x, noise, p, scores)
        # Known labels are put back in every step: nothing is propagated to them, and they are what is added.
        share, base = torch.where(known, 0.0, share), torch.where(known.unsqueeze(-1), labels, base)
        weights = edge_softmax(graph, scores.index_select(1, graph.source.long()))
        weights = weights * share.index_select(1, graph.target.long())
        y = torch.where(known.unsqueeze(-1), labels, 1.0 / self.outputs)
        for _ in range(self.spec.hops):
            y = base + spmm(graph, self._thinned(weights, noise), y)
            y = y.relu() if self.spec.released else y
        return Output(y if self.spec.released else y.clamp(min=FLOOR).log(), hidden)

    def _mixture(
        self, x: SparseFeatures | Tensor, noise: Noise | None, p: float, scores: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Hidden, ...]]:
        """Each node's share ``[members, nodes]`` of propagation, its own part of y, and hidden layers."""
        if self.share is None:
            return torch.ones_like(scores), scores.new_zeros(1), ()
        share = self.share(x).sigmoid()
        own, hidden = run_layers(x, list(self.lins), torch.relu, noise, p)
        own = own if self.spec.released else own.softmax(-1)
        return share.squeeze(-1), (1 - share) * own, hidden

    def _thinned(self, weights: Tensor, noise: Noise | None) -> Tensor:
        p = self._rate(self.spec.attention_dropout)
        return weights if noise is None or p == 0.0 else noise.dropout(weights, p, shared=False)

    def to_pyg(self, i: int) -> PyGPLP:
        i = self._index(i)
        return PyGPLP(
            [linear(lin, i) for lin in self.lins],
            self.scores.weight[i],
            None if self.share is None else self.share.weight[i],
            self.labels[i],
            outputs=self.outputs,
            hops=self.spec.hops,
            dropout=self.spec.dropout,
            attention_dropout=self.spec.attention_dropout,
            by_features=self.spec.scores == "inductive",
            released=self.spec.released,
            floor=FLOOR,
        )
