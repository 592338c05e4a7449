"""Graph attention with stacked weights, equal to PyG's ``GATConv``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphstill.nn.init import fill_, glorot_
from graphstill.nn.layers import Features, MemberModule, multiply
from graphstill.nn.weighted import WeightedGraph
from graphstill.ops import Noise, attend

# Up to this width the scores of all heads are one product with block-diagonal attention vectors, mostly zeros (2,708
# nodes, 8 heads of 8, forward and backward: 0.41 against 0.86 ms); above it the zeros cost more than they save, but for
# bfloat16 (5,000 nodes, 4 heads of 256: 7 against 28 ms).
ONE_PRODUCT_UP_TO = 128


class GATConv(MemberModule):
    """Attention over each node's sources (Velickovic et al. 2018): heads side by side, or averaged.

    The weighted must hold the self-loops already (PyG adds them inside the layer).

    Shapes:
        x: as for :func:`~graphstill.nn.layers.multiply`; returns ``[members, nodes, heads * width]`` where
        ``concat``, else ``[members, nodes, width]``. ``weight`` is ``[members, inputs, heads * width]``, followed
        along its last axis by the residual's weights where ``residual``: one product for both, and one dropout mask.
    """

    def __init__(
        self,
        members: int,
        inputs: int,
        width: int,
        heads: int,
        concat: bool = True,
        residual: bool = False,
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.heads, self.width, self.concat, self.residual = heads, width, concat, residual
        self.negative_slope = negative_slope
        self.outputs = width * heads if concat else width
        self.widths = [heads * width, self.outputs] if residual else [heads * width]
        self.weight = nn.Parameter(torch.empty(members, inputs, sum(self.widths)))
        self.att_source = nn.Parameter(torch.empty(members, heads, width))
        self.att_target = nn.Parameter(torch.empty(members, heads, width))
        self.bias = nn.Parameter(torch.empty(members, self.outputs))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        for part in self.weight[i].split(self.widths, dim=-1):
            glorot_(part, generator)
        glorot_(self.att_source[i], generator)
        glorot_(self.att_target[i], generator)
        fill_(self.bias[i], 0.0)

    def forward(
        self, x: Features, weighted: WeightedGraph, noise: Noise | None = None, p: float = 0.0, attention_p: float = 0.0
    ) -> Tensor:
        """``p`` is dropout on the features, ``attention_p`` on the attention weights."""
        product = multiply(x, self.weight, noise, p)
        skip = None
        if self.residual:
            product, skip = product.split(self.widths, dim=-1)
        value = product.unflatten(-1, (self.heads, self.width)).contiguous()
        source, target = self._scores(value)
        out = self._attend(weighted, source, target, value, noise, attention_p)
        out = out.flatten(-2) if self.concat else out.mean(dim=-2)
        if skip is not None:
            out = out + skip
        return out + self.bias.unsqueeze(1)

    def _scores(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """``<value, attention vector>`` of each head, for the edge's two ends: ``[members, nodes, heads]``."""
        if self.heads * self.width <= ONE_PRODUCT_UP_TO or value.dtype == torch.bfloat16:
            both = torch.stack([self.att_source, self.att_target], dim=-1).unsqueeze(-1)
            blocks = both * torch.eye(self.heads, dtype=value.dtype, device=value.device)[:, None, None, :]
            scores = torch.bmm(value.flatten(-2), blocks.flatten(1, 2).flatten(-2))
            source, target = scores.split(self.heads, dim=-1)
            return source, target
        source = (value * self.att_source.unsqueeze(1)).sum(-1)
        target = (value * self.att_target.unsqueeze(1)).sum(-1)
        return source, target

    def _attend(
        self, weighted: WeightedGraph, source: Tensor, target: Tensor, value: Tensor, noise: Noise | None, p: float
    ) -> Tensor:
        if weighted.kept is None:
            return attend(weighted.graph, source, target, value, self.negative_slope, noise, p)
        # DropEdge leaves every member a graph of its own.
        parts = []
        for i, graph in enumerate(weighted.thinned(weighted.kept)):
            one = slice(i, i + 1)
            own = None if noise is None else noise.member(i)
            parts.append(attend(graph, source[one], target[one], value[one], self.negative_slope, own, p))
        return torch.cat(parts)
