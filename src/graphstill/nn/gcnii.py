"""GCNII: Chen et al., Simple and Deep Graph Convolutional Networks, ICML 2020."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from graphstill.nn.cohort import first_parameter
from graphstill.nn.convs import GCN2Conv
from graphstill.nn.layers import Layers, Linear, drop
from graphstill.nn.model import Model
from graphstill.nn.output import Hidden, Output
from graphstill.nn.pyg import PyGGCNII, gcn2_conv, linear
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.nn.weighted import gcn_weighted
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class GCNII(Model):
    """Deep graph convolutions with an initial residual and an identity map: a linear layer, ``layers`` convolutions, a
    linear layer. The hidden features are the convolutions' (the first linear layer's are not listed).

    Args:
        hidden: width of every layer.
        layers: convolutions.
        dropout: on the input features and on each hidden layer.
        alpha: share of the initial features in each convolution.
        lambda_: strength of the weights: layer ``l`` has ``beta = log(lambda_ / l + 1)``.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "gcnii"
    defaults: ClassVar[dict[str, Any]] = {
        "lr": 0.01,
        "weight_decay": {"convs": 0.01, "": 5e-4},
        "epochs": 1500,
        "patience": 100,
    }
    hidden: int = 64
    layers: int = 16
    dropout: float = 0.6
    alpha: float = 0.1
    lambda_: float = 0.5

    def __post_init__(self) -> None:
        self._whole("hidden", "layers")
        self._fraction("dropout", "alpha")
        self._positive("lambda_")

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> GCNIICohort:
        return GCNIICohort(self, inputs, outputs, seeds)


class GCNIICohort(StackedCohort):
    """Members of :class:`GCNII`."""

    spec: GCNII

    def __init__(self, spec: GCNII, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self.first = Linear(self.members, inputs, spec.hidden)
        self.convs: Layers[GCN2Conv] = Layers(
            GCN2Conv(self.members, spec.hidden, spec.alpha, spec.lambda_, layer + 1) for layer in range(spec.layers)
        )
        self.last = Linear(self.members, spec.hidden, outputs)

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        p, weighted = self._rate(self.spec.dropout), gcn_weighted(graph.with_self_loops(), first_parameter(self).dtype)
        x_0 = torch.relu(self.first(x, noise, p))
        out, share, hidden = drop(x_0, noise, p), self.spec.alpha * x_0, []
        for conv in self.convs:
            pre = conv(out, share, weighted)
            post = torch.relu(pre)
            out = drop(post, noise, p)
            hidden.append(Hidden(pre, post, out))
        return Output(self.last(out), tuple(hidden))

    def to_pyg(self, i: int) -> PyGGCNII:
        i = self._index(i)
        convs = [gcn2_conv(conv, i) for conv in self.convs]
        return PyGGCNII(linear(self.first, i), convs, linear(self.last, i), self.spec.dropout)
