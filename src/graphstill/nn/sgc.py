"""SGC: Wu et al., Simplifying Graph Convolutional Networks, ICML 2019."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from graphstill.nn.cohort import first_parameter
from graphstill.nn.layers import Linear, drop, multiply
from graphstill.nn.model import Model
from graphstill.nn.output import Output
from graphstill.nn.pyg import PyGStack, sg_conv
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.nn.weighted import WeightedGraph, gcn_weighted
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class SGC(Model):
    """One linear layer on features that were propagated ``hops`` times; no hidden features.

    Args:
        hops: times of propagation with the normalised adjacency, self-loops included.
        dropout: on the input features.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "sgc"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.2, "weight_decay": 5e-6, "epochs": 100, "patience": None}
    hops: int = 2
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self._whole("hops", minimum=0)
        self._fraction("dropout")

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> SGCCohort:
        return SGCCohort(self, inputs, outputs, seeds)


class SGCCohort(StackedCohort):
    """Members of :class:`SGC`. Propagation is linear: it follows the product where that is narrower."""

    spec: SGC

    def __init__(self, spec: SGC, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self.linear = Linear(self.members, inputs, outputs)

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        p, weighted = self._rate(self.spec.dropout), gcn_weighted(graph.with_self_loops(), first_parameter(self).dtype)
        weight, bias = self.linear.weight, self.linear.bias
        if isinstance(x, SparseFeatures) or self.outputs <= self.inputs:
            logits = self._propagate(multiply(x, weight, noise, p), weighted)
        else:
            logits = multiply(self._propagate(drop(x, noise, p), weighted), weight)
        return Output(logits + bias.unsqueeze(1))

    def _propagate(self, x: Tensor, weighted: WeightedGraph) -> Tensor:
        for _ in range(self.spec.hops):
            x = weighted.aggregate(x)
        return x

    def to_pyg(self, i: int) -> PyGStack:
        return PyGStack([sg_conv(self.linear, self._index(i), self.spec.hops)], torch.relu, self.spec.dropout)
