"""GraphSAGE: Hamilton, Ying and Leskovec, Inductive Representation Learning on Large Graphs, NeurIPS 2017."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor

from graphstill.nn.activations import ACTIVATIONS
from graphstill.nn.cohort import first_parameter
from graphstill.nn.convs import SAGEConv
from graphstill.nn.layers import Layers, run_layers
from graphstill.nn.model import Model
from graphstill.nn.output import Output
from graphstill.nn.pyg import PyGStack, sage_conv
from graphstill.nn.readout import Readout
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.nn.weighted import mean_weighted
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class GraphSAGE(Model):
    """GraphSAGE with mean aggregation over all neighbours. The mean of no neighbours is zero.

    Args:
        hidden: width of each hidden layer.
        layers: weight layers; two have one hidden layer between them.
        dropout: on the input features and on each hidden layer.
        activation: after each hidden layer.
        drop_edge: share of the edges that each training pass leaves out, one draw for all layers; the mean is over
            what is left. An edge and its reverse go together; self-loops stay.
        readout: how nodes become one answer a graph: "mean", "sum", "max", "attention"; then all layers have the hidden
            width, and one linear layer follows. None: each node is answered for.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "sage"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.01, "weight_decay": 5e-4, "epochs": 200, "patience": None}
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5
    activation: str = "relu"
    drop_edge: float = 0.0
    readout: Readout | None = None

    def __post_init__(self) -> None:
        self._whole("hidden", "layers")
        self._fraction("dropout", "drop_edge")
        self._choice("activation", ACTIVATIONS)
        self._reads_out()

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> GraphSAGECohort:
        return GraphSAGECohort(self, inputs, outputs, seeds)


class GraphSAGECohort(StackedCohort):
    """Members of :class:`GraphSAGE`."""

    smooths: ClassVar[bool] = True
    spec: GraphSAGE

    def __init__(self, spec: GraphSAGE, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        widths = [inputs, *[spec.hidden] * (spec.layers - 1), outputs]
        self.convs: Layers[SAGEConv] = Layers(SAGEConv(self.members, *pair) for pair in pairwise(widths))

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        spec = self.spec
        weighted = mean_weighted(graph, first_parameter(self).dtype, noise, self._rate(spec.drop_edge))
        steps = self.smoothed([partial(conv, weighted=weighted) for conv in self.convs], graph)
        return Output(*run_layers(x, steps, ACTIVATIONS[spec.activation], noise, self._rate(spec.dropout)))

    def to_pyg(self, i: int) -> PyGStack:
        self.refuse_filter(self._index(i))
        convs = [sage_conv(conv, self._index(i)) for conv in self.convs]
        return PyGStack(convs, ACTIVATIONS[self.spec.activation], self.spec.dropout)
