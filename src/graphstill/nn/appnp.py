"""APPNP: Gasteiger, Bojchevski and Günnemann, Predict then Propagate, ICLR 2019."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor

from graphstill.nn.cohort import first_parameter
from graphstill.nn.layers import Layers, Linear, run_layers
from graphstill.nn.model import Model
from graphstill.nn.output import Output
from graphstill.nn.pyg import PyGStack, appnp, linear
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.nn.weighted import gcn_weighted
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class APPNP(Model):
    """An MLP whose logits are propagated by personalised PageRank: ``h <- (1 - alpha) A h + alpha h_0``, ``hops``
    times.

    Hidden features are the MLP's, before any propagation. The paper also drops edges in every hop; this does not.

    Args:
        hidden: width of each hidden layer of the MLP.
        layers: weight layers of the MLP.
        hops: times of propagation with the normalised adjacency, self-loops included.
        alpha: share of the MLP's own prediction that each hop puts back.
        dropout: on the input features and on each hidden layer.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "appnp"
    defaults: ClassVar[dict[str, Any]] = {
        "lr": 0.01,
        "weight_decay": {"lins.0": 5e-3, "": 0.0},
        "epochs": 1000,
        "patience": 100,
    }
    hidden: int = 64
    layers: int = 2
    hops: int = 10
    alpha: float = 0.1
    dropout: float = 0.5

    def __post_init__(self) -> None:
        self._whole("hidden", "layers")
        self._whole("hops", minimum=0)
        self._fraction("alpha", "dropout")

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> APPNPCohort:
        return APPNPCohort(self, inputs, outputs, seeds)


class APPNPCohort(StackedCohort):
    """Members of :class:`APPNP`."""

    spec: APPNP

    def __init__(self, spec: APPNP, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        widths = [inputs, *[spec.hidden] * (spec.layers - 1), outputs]
        self.lins: Layers[Linear] = Layers(Linear(self.members, *pair) for pair in pairwise(widths))

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        weighted = gcn_weighted(graph.with_self_loops(), first_parameter(self).dtype)
        own, hidden = run_layers(x, list(self.lins), torch.relu, noise, self._rate(self.spec.dropout))
        logits, alpha = own, self.spec.alpha
        share = alpha * own
        for _ in range(self.spec.hops):
            logits = weighted.aggregate(logits, 1.0 - alpha).add_(share)
        return Output(logits, hidden)

    def to_pyg(self, i: int) -> PyGStack:
        i = self._index(i)
        convs = [linear(lin, i) for lin in self.lins]
        return PyGStack(convs, torch.relu, self.spec.dropout, propagate=appnp(self.spec.hops, self.spec.alpha))
