"""Graph attention with stacked weights, equal to PyG's ``GATConv``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphstill.nn.init import fill_, glorot_
from graphstill.nn.layers import Features, MemberModule, multiply
from graphstill.nn.views import View
from graphstill.ops import Noise, attend


class GATConv(MemberModule):
    """Attention over each node's sources (Velickovic et al. 2018): heads side by side, or averaged.

    The view must hold the self-loops already (PyG adds them inside the layer).

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
        attention_dropout: float = 0.0,
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.heads, self.width, self.concat, self.residual = heads, width, concat, residual
        self.attention_dropout, self.negative_slope = attention_dropout, negative_slope
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
        self, x: Features, view: View, noise: Noise | None = None, p: float = 0.0, attention_p: float | None = None
    ) -> Tensor:
        """``attention_p`` replaces the layer's ``attention_dropout`` for this pass."""
        product = multiply(x, self.weight, noise, p)
        skip = None
        if self.residual:
            product, skip = product.split(self.widths, dim=-1)
        value = product.unflatten(-1, (self.heads, self.width)).contiguous()
        source, target = self._scores(value)
        out = self._attend(
            view, source, target, value, noise, self.attention_dropout if attention_p is None else attention_p
        )
        out = out.flatten(-2) if self.concat else out.mean(dim=-2)
        if skip is not None:
            out = out + skip
        return out + self.bias.unsqueeze(1)

    def _scores(self, value: Tensor) -> tuple[Tensor, Tensor]:
        source = (value * self.att_source.unsqueeze(1)).sum(-1)
        target = (value * self.att_target.unsqueeze(1)).sum(-1)
        return source, target

    def _attend(
        self, view: View, source: Tensor, target: Tensor, value: Tensor, noise: Noise | None, p: float
    ) -> Tensor:
        if view.kept is None:
            return attend(view.graph, source, target, value, self.negative_slope, noise, p)
        # DropEdge leaves every member a graph of its own.
        parts = [
            attend(
                graph,
                source[i : i + 1],
                target[i : i + 1],
                value[i : i + 1],
                self.negative_slope,
                noise and noise.member(i),
                p,
            )
            for i, graph in enumerate(view.thinned())
        ]
        return torch.cat(parts)
