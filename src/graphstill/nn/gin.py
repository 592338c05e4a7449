"""GIN: Xu et al., How Powerful are Graph Neural Networks?, ICLR 2019."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from graphstill.nn.convs import GINConv
from graphstill.nn.layers import Layers, run_layers
from graphstill.nn.model import Model
from graphstill.nn.output import Output
from graphstill.nn.pyg import PyGStack, gin_conv
from graphstill.nn.readout import Readout
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.nn.weighted import unweighted
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class GIN(Model):
    """Graph isomorphism network (GIN-0: epsilon is fixed at 0, the variant that did best in the paper).

    Args:
        hidden: width of each hidden layer and of the MLP inside every layer.
        layers: GIN layers, each with a two-layer MLP; two have one hidden layer between them.
        dropout: on the input features and on each hidden layer.
        batch_norm: batch normalisation inside each MLP, as in the paper for whole graphs. On citation graphs with few
            labels it costs accuracy (Cora, public split, five seeds, validation: 70.3 against 78.0 % without).
        readout: how nodes become one answer a graph: "mean", "sum", "max", "attention"; then all layers have the hidden
            width, and one linear layer follows. None: each node is answered for.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "gin"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.01, "weight_decay": 5e-4, "epochs": 200, "patience": None}
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5
    batch_norm: bool = False
    readout: Readout | None = None

    def __post_init__(self) -> None:
        self._whole("hidden", "layers")
        self._flag("batch_norm")
        self._fraction("dropout")
        self._reads_out()

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> GINCohort:
        return GINCohort(self, inputs, outputs, seeds)


class GINCohort(StackedCohort):
    """Members of :class:`GIN`."""

    smooths: ClassVar[bool] = True
    spec: GIN

    def __init__(self, spec: GIN, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self.convs: Layers[GINConv] = Layers(
            GINConv(
                self.members,
                spec.hidden if layer else inputs,
                spec.hidden,
                spec.hidden if layer < spec.layers - 1 else outputs,
                spec.batch_norm,
            )
            for layer in range(spec.layers)
        )

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        weighted = unweighted(graph)
        steps = self.smoothed([partial(conv, weighted=weighted) for conv in self.convs], graph)
        return Output(*run_layers(x, steps, torch.relu, noise, self._rate(self.spec.dropout)))

    def to_pyg(self, i: int) -> PyGStack:
        self.refuse_filter(self._index(i))
        return PyGStack([gin_conv(conv, self._index(i)) for conv in self.convs], torch.relu, self.spec.dropout)
