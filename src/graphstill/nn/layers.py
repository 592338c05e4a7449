"""What networks are made of: products with stacked weights, dropout, batch normalisation, the loop over layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.nn.activations import Activation
from graphstill.nn.init import fan_in_, fill_
from graphstill.nn.output import Hidden
from graphstill.ops import Noise, SparseFeatures
from graphstill.ops.dense import member_product, narrow
from graphstill.ops.precision import lowered

Features = SparseFeatures | Tensor

# A weight layer as the loop over layers calls it, step(x, noise=..., p=...): dropout p on its input, then the layer.
Step = Callable[..., Tensor]

Layer = TypeVar("Layer", bound=nn.Module)

# Below this width M separate products with one shared input lose to a single product with the weights side by side
# (2708 x 16 by 16 x 7, ten members, one thread: 1.34 against 0.49 ms forward and backward); above it they win.
SIDE_BY_SIDE_BELOW = 64


class MemberModule(nn.Module):
    """A module whose parameters and buffers all carry the member axis in front."""

    @abstractmethod
    def reset_member(self, i: int, generator: torch.Generator) -> None:
        """Draw member ``i``'s initial weights, always in the same order."""


def initialise(module: nn.Module, seeds: Sequence[int]) -> None:
    """Draw every member's initial weights from its own seed, in the order in which the parts were registered."""
    parts = [part for part in module.modules() if isinstance(part, MemberModule)]
    for i, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        for part in parts:
            part.reset_member(i, generator)


class Layers(nn.ModuleList, Generic[Layer]):
    """A ``ModuleList`` that knows the type of what it holds."""

    def __iter__(self) -> Iterator[Layer]:
        return super().__iter__()  # type: ignore[return-value]


def drop(x: Tensor, noise: Noise | None, p: float) -> Tensor:
    """Dropout, independent for each member; ``x`` itself in evaluation (``noise`` None) or where ``p`` is 0."""
    return x if noise is None or p == 0.0 else noise.dropout(x, p)


def multiply(x: Features, weight: Tensor, noise: Noise | None = None, p: float = 0.0) -> Tensor:
    """Dropout on ``x``, then ``x @ weight`` for each member.

    Shapes:
        x: sparse ``[nodes, in]``, shared ``[nodes, in]``, or ``[members, nodes, in]``; weight: ``[members, in, out]``.
        returns: ``[members, nodes, out]``, contiguous.
    """
    if isinstance(x, SparseFeatures):
        return x.matmul(weight, noise, p)
    x = drop(lowered(x), noise, p)
    if x.dim() == 3:
        return member_product(x, weight)
    members, inputs, outputs = weight.shape
    if members > 1 and outputs < SIDE_BY_SIDE_BELOW:
        wide = x @ weight.transpose(0, 1).reshape(inputs, members * outputs)
        return wide.view(-1, members, outputs).transpose(0, 1).contiguous()
    return torch.bmm(x.expand(members, -1, -1), weight)


class Linear(MemberModule):
    """``x W + b`` for each member, initialised as torch and PyG do.

    Shapes:
        x: as for :func:`multiply`; returns ``[members, nodes, outputs]``. ``weight`` is ``[members, inputs, outputs]``
        (the transpose of torch's), ``bias`` is ``[members, outputs]``.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(members, outputs))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fan_in_(self.weight[i], self.weight.size(1), generator)
        fan_in_(self.bias[i], self.weight.size(1), generator)

    def forward(self, x: Features, noise: Noise | None = None, p: float = 0.0) -> Tensor:
        if isinstance(x, Tensor) and x.dim() == 3:
            x = drop(lowered(x), noise, p)
            if narrow(x, self.weight):
                return member_product(x, self.weight) + self.bias.unsqueeze(1)
            return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight)
        return multiply(x, self.weight, noise, p) + lowered(self.bias).unsqueeze(1)


class BatchNorm(MemberModule):
    """Batch normalisation over the nodes of each member, equal to ``torch.nn.BatchNorm1d`` with its default options.

    Shapes:
        x: ``[members, nodes, width]``. Parameters and running statistics are ``[members, width]``. ``training`` says
        whether to use (and follow) the statistics of this pass; the module's own ``train()`` flag is not looked at. A
        single row has no variance: there the running statistics are used, where torch refuses.
    """

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, width))
        self.bias = nn.Parameter(torch.empty(members, width))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(members, width))
        self.register_buffer("running_var", torch.ones(members, width))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        for tensor, value in ((self.weight, 1.0), (self.bias, 0.0), (self.running_mean, 0.0), (self.running_var, 1.0)):
            fill_(tensor[i], value)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        # Member by member: torch's fused kernel wants the width in axis 1, where the stacked layout has the nodes.
        parts = zip(x, self.running_mean, self.running_var, self.weight, self.bias, strict=True)
        training = training and x.shape[1] > 1
        if len(x) == 1:  # nothing to put side by side, so nothing is copied
            return F.batch_norm(*next(parts), training=training).unsqueeze(0)
        return torch.stack([F.batch_norm(*part, training=training) for part in parts])


def run_layers(
    x: Features, steps: Sequence[Step], activation: Activation, noise: Noise | None, p: float
) -> tuple[Tensor, tuple[Hidden, ...]]:
    """Layers with an activation and dropout between them: what the last layer returns, and the hidden layers before it.

    Dropout also falls on the input features, as in Kipf's code: on the stored non-zeros where they are sparse.
    """
    hidden: list[Hidden] = []
    out = steps[0](x, noise=noise, p=p)
    for step in steps[1:]:
        post = activation(out)
        hidden.append(Hidden(out, post, drop(post, noise, p)))
        out = step(hidden[-1].dropped, noise=noise, p=0.0)
    return out, tuple(hidden)
