"""Convolutions with stacked weights, each equal to PyG's layer of the same name.

All of them are linear before the activation, so neighbours can be summed before or after the product with the weights:
whichever side is narrower. Sparse features are always multiplied first.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from graphstill.nn.init import fan_in_, fill_, glorot_
from graphstill.nn.layers import BatchNorm, Features, Linear, MemberModule, drop, multiply
from graphstill.nn.weighted import WeightedGraph
from graphstill.ops import Noise, SparseFeatures
from graphstill.ops.precision import lowered


class GCNConv(MemberModule):
    """``A x W + b`` with the weights of the weighted in ``A`` (Kipf and Welling 2017); PyG's ``GCNConv``.

    Shapes:
        x: as for :func:`~graphstill.nn.layers.multiply`; returns ``[members, nodes, outputs]``.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(members, outputs))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        glorot_(self.weight[i], generator)
        fill_(self.bias[i], 0.0)

    def forward(self, x: Features, weighted: WeightedGraph, noise: Noise | None = None, p: float = 0.0) -> Tensor:
        inputs, outputs = self.weight.shape[1:]
        if isinstance(x, SparseFeatures) or outputs <= inputs:
            out = weighted.aggregate(multiply(x, self.weight, noise, p))
        else:
            out = multiply(weighted.aggregate(drop(x, noise, p)), self.weight)
        return out.add_(lowered(self.bias).unsqueeze(1))


class SAGEConv(MemberModule):
    """``mean(x of sources) W_neighbours + x W_self + b`` (Hamilton et al. 2017); PyG's ``SAGEConv`` with mean
    aggregation.

    Shapes:
        x: as for :func:`~graphstill.nn.layers.multiply`; returns ``[members, nodes, outputs]``. ``weight`` is
        ``[members, inputs, 2 * outputs]``: its first half multiplies the neighbours, its second the node itself, so
        that one product makes both (and sparse features are dropped once for both).
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.weight = nn.Parameter(torch.empty(members, inputs, 2 * outputs))
        self.bias = nn.Parameter(torch.empty(members, outputs))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fan_in_(self.weight[i], self.weight.size(1), generator)
        fan_in_(self.bias[i], self.weight.size(1), generator)

    def forward(self, x: Features, weighted: WeightedGraph, noise: Noise | None = None, p: float = 0.0) -> Tensor:
        bias = lowered(self.bias).unsqueeze(1)
        if isinstance(x, SparseFeatures) or self.outputs <= self.weight.size(1):
            neighbours, own = multiply(x, self.weight, noise, p).split(self.outputs, dim=-1)
            return weighted.aggregate(neighbours).add_(own).add_(bias)
        x = drop(x, noise, p)
        neighbours, own = self.weight.split(self.outputs, dim=-1)
        return multiply(weighted.aggregate(x), neighbours).add_(multiply(x, own)).add_(bias)


class GINConv(MemberModule):
    """``MLP(x + sum of sources)`` with a two-layer MLP (Xu et al. 2019); PyG's ``GINConv`` with epsilon fixed at 0.

    The MLP is linear, batch normalisation (if asked for), ReLU, linear.

    Shapes:
        x: as for :func:`~graphstill.nn.layers.multiply`; returns ``[members, nodes, outputs]``.
    """

    def __init__(self, members: int, inputs: int, width: int, outputs: int, batch_norm: bool = False) -> None:
        super().__init__()
        self.first = Linear(members, inputs, width)
        self.norm = BatchNorm(members, width) if batch_norm else None
        self.second = Linear(members, width, outputs)

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        """Nothing of its own: the parts are members' modules themselves."""

    def forward(self, x: Features, weighted: WeightedGraph, noise: Noise | None = None, p: float = 0.0) -> Tensor:
        inputs, width = self.first.weight.shape[1:]
        if isinstance(x, SparseFeatures) or width <= inputs:
            product = multiply(x, self.first.weight, noise, p)
            out = weighted.aggregate(product) + product + lowered(self.first.bias).unsqueeze(1)
        else:
            x = drop(x, noise, p)
            out = self.first(weighted.aggregate(x) + x)
        if self.norm is not None:
            out = self.norm(out, training=noise is not None)
        return self.second(torch.relu(out))


class GCN2Conv(MemberModule):
    """``((1 - b) I + b W) ((1 - alpha) A x + alpha x_0)`` with ``b = log(lambda / layer + 1)`` (Chen et al. 2020).

    PyG's ``GCN2Conv`` with shared weights; ``lambda_`` is its ``theta``, ``layer`` counts from 1.

    The constants go into the edges' weights, into ``W`` and, once for all layers, into ``x_0``: none of them costs a
    pass over the nodes, nor does its gradient.

    Shapes:
        x, share: ``[members, nodes, width]``, ``share`` being ``alpha x_0``; returns the same.
    """

    def __init__(self, members: int, width: int, alpha: float, lambda_: float, layer: int) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = math.log(lambda_ / layer + 1.0)
        self.weight = nn.Parameter(torch.empty(members, width, width))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        glorot_(self.weight[i], generator)

    def forward(self, x: Tensor, share: Tensor, weighted: WeightedGraph) -> Tensor:
        mixed = weighted.aggregate(x, 1.0 - self.alpha).add_(share)
        unit = torch.eye(self.weight.size(-1), dtype=self.weight.dtype, device=self.weight.device)
        return torch.bmm(mixed, torch.add((1.0 - self.beta) * unit, self.weight, alpha=self.beta))
