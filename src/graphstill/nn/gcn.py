"""GCN: Kipf and Welling, Semi-Supervised Classification with Graph Convolutional Networks, ICLR 2017."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor

from graphstill.nn.activations import ACTIVATIONS
from graphstill.nn.cohort import first_parameter
from graphstill.nn.convs import GCNConv
from graphstill.nn.layers import Layers, run_layers
from graphstill.nn.model import Model
from graphstill.nn.output import Output
from graphstill.nn.pyg import PyGStack, gcn_conv
from graphstill.nn.readout import Readout
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.nn.weighted import gcn_weighted
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class GCN(Model):
    """Graph convolutional network.

    Args:
        hidden: width of each hidden layer.
        layers: weight layers; two have one hidden layer between them.
        dropout: on the input features and on each hidden layer.
        self_loops: give every node exactly one self-loop.
        activation: after each hidden layer.
        drop_edge: share of the edges that each training pass leaves out (Rong et al. 2020), one draw for all layers,
            weights normalised again. An edge and its reverse go together; self-loops stay.
        readout: how nodes become one answer a graph: "mean", "sum", "max", "attention"; then all layers have the hidden
            width, and one linear layer follows. None: each node is answered for.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "gcn"
    defaults: ClassVar[dict[str, Any]] = {
        "lr": 0.01,
        "weight_decay": {"convs.0": 5e-4, "": 0.0},
        "epochs": 200,
        "patience": None,
    }
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5
    self_loops: bool = True
    activation: str = "relu"
    drop_edge: float = 0.0
    readout: Readout | None = None

    def __post_init__(self) -> None:
        self._whole("hidden", "layers")
        self._flag("self_loops")
        self._fraction("dropout", "drop_edge")
        self._choice("activation", ACTIVATIONS)
        self._reads_out()

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> GCNCohort:
        return GCNCohort(self, inputs, outputs, seeds)


class GCNCohort(StackedCohort):
    """Members of :class:`GCN`."""

    smooths: ClassVar[bool] = True
    spec: GCN

    def __init__(self, spec: GCN, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        widths = [inputs, *[spec.hidden] * (spec.layers - 1), outputs]
        self.convs: Layers[GCNConv] = Layers(GCNConv(self.members, *pair) for pair in pairwise(widths))

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        spec, graph = self.spec, graph.with_self_loops() if self.spec.self_loops else graph
        weighted = gcn_weighted(graph, first_parameter(self).dtype, noise, self._rate(spec.drop_edge))
        steps = self.smoothed([partial(conv, weighted=weighted) for conv in self.convs], graph)
        return Output(*run_layers(x, steps, ACTIVATIONS[spec.activation], noise, self._rate(spec.dropout)))

    def to_pyg(self, i: int) -> PyGStack:
        self.refuse_filter(self._index(i))
        convs = [gcn_conv(conv, self._index(i), self.spec.self_loops) for conv in self.convs]
        return PyGStack(convs, ACTIVATIONS[self.spec.activation], self.spec.dropout)
