"""ROD's network: a gate over hops, a trunk, and a classifier for each hop (Zhang et al., KDD 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.nn.cohort import first_parameter
from graphstill.nn.layers import Linear, drop, multiply
from graphstill.nn.model import Model
from graphstill.nn.output import Hidden, Output
from graphstill.nn.pyg import appnp, linear
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.nn.weighted import gcn_weighted
from graphstill.ops import Adjacency, EdgeWeights, Noise, SparseFeatures, mix_hops, spmm


@register_model
@dataclass(frozen=True)
class ROD(Model):
    """Features of 0 to ``hops`` hops, mixed for each node by a gate, then one hidden layer with ``hops + 1`` heads.

    Zhang et al.: ROD: Reception-aware Online Distillation for Sparse Graphs, KDD 2021; the network of the released code
    for node classification. With X_k = A^k X:

        w_k(i) = softmax over k of sigmoid(a . X_k[i] + b),   h = dropout(ReLU(W (sum_k w_k(i) X_k[i]) + c))
        z_k = U_k h + d_k,   logits = mean of z_k

    The heads' logits z_k are in the output as ``heads``: the method ``rod`` gives each head a hop of its own to fit.

    Deviation: the released code stores every X_k, dense, and drops entries of each independently. Here dropout falls
    once on X, on its stored non-zeros where it is sparse, and the trunk comes before the propagation, which is linear:
    same network in evaluation, a tenth of the time and no array of [hops, nodes, features].

    Args:
        hidden: width of the trunk.
        hops: K, times of propagation with the normalised adjacency, self-loops included.
        dropout: on the input features and on the hidden layer.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "rod"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.02, "weight_decay": 5e-4, "epochs": 200, "patience": None}
    hidden: int = 128
    hops: int = 9
    dropout: float = 0.8

    def __post_init__(self) -> None:
        self._whole("hidden", "hops")
        self._fraction("dropout")

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> RODCohort:
        return RODCohort(self, inputs, outputs, seeds)


class RODCohort(StackedCohort):
    """Members of :class:`ROD`."""

    spec: ROD

    def __init__(self, spec: ROD, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self.trunk = Linear(self.members, inputs, spec.hidden)
        self.gate = Linear(self.members, inputs, 1)
        self.heads = Linear(self.members, spec.hidden, (spec.hops + 1) * outputs)

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        p, weighted = self._rate(self.spec.dropout), gcn_weighted(graph.with_self_loops(), first_parameter(self).dtype)
        assert weighted.values is not None
        # The gate reads the features that the trunk reads: one product for both.
        both = multiply(x, torch.cat([self.trunk.weight, self.gate.weight], -1), noise, p)
        own, score = both.split([self.spec.hidden, 1], -1)
        weights = self._weights(score.squeeze(-1), weighted.graph, weighted.values)
        pre = mix_hops(weighted.graph, weighted.values, own, weights) + self.trunk.bias.unsqueeze(1)
        post = pre.relu()
        hidden = Hidden(pre, post, drop(post, noise, p))
        heads = self.heads(hidden.dropped).unflatten(-1, (self.spec.hops + 1, self.outputs))
        return Output(heads.mean(2), (hidden,), heads.transpose(1, 2))

    def _weights(self, score: Tensor, graph: Adjacency, values: EdgeWeights | Tensor) -> Tensor:
        """w, ``[members, hops + 1, nodes]``, from scores of hop 0: members lie side by side in the propagation."""
        scores = [score.t()]
        for _ in range(self.spec.hops):
            scores.append(spmm(graph, values, scores[-1]))
        return (torch.stack(scores).permute(2, 0, 1) + self.gate.bias.unsqueeze(1)).sigmoid().softmax(1)

    def to_pyg(self, i: int) -> PyGROD:
        i = self._index(i)
        parts = [linear(layer, i) for layer in (self.trunk, self.gate, self.heads)]
        return PyGROD(*parts, hops=self.spec.hops, outputs=self.outputs, dropout=self.spec.dropout)


class PyGROD(nn.Module):
    """The same of torch's linear layers and PyG's propagation, with every X_k in full."""

    def __init__(
        self, trunk: nn.Linear, gate: nn.Linear, heads: nn.Linear, *, hops: int, outputs: int, dropout: float
    ) -> None:
        super().__init__()
        self.trunk, self.gate, self.heads = trunk, gate, heads
        self.hops, self.outputs, self.dropout = hops, outputs, dropout
        self.hop = appnp(1, 0.0)
        self.eval()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        received = [F.dropout(x, self.dropout, self.training)]
        for _ in range(self.hops):
            received.append(self.hop(received[-1], edge_index))
        every = torch.stack(received, 1)
        mixed = (self.gate(every).sigmoid().softmax(1) * every).sum(1)
        hidden = F.dropout(self.trunk(mixed).relu(), self.dropout, self.training)
        logits: Tensor = self.heads(hidden).unflatten(-1, (self.hops + 1, self.outputs)).mean(1)
        return logits
