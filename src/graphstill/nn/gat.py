"""GAT: Velickovic et al., Graph Attention Networks, ICLR 2018."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from graphstill.nn.activations import ACTIVATIONS
from graphstill.nn.attention_conv import GATConv
from graphstill.nn.layers import Layers, run_layers
from graphstill.nn.model import Model
from graphstill.nn.output import Output
from graphstill.nn.pyg import PyGStack, gat_conv
from graphstill.nn.readout import Readout
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.nn.weighted import unweighted
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class GAT(Model):
    """Graph attention network. Every node also attends to itself: exactly one self-loop a node, as in PyG.

    Heads stand side by side in hidden layers (the hidden features have width ``heads * hidden``) and are averaged in
    the output layer.

    Args:
        hidden: width of each head of a hidden layer.
        heads: heads of a hidden layer.
        layers: weight layers; two have one hidden layer between them.
        out_heads: heads of the output layer.
        dropout: on the input features and on each hidden layer.
        attention_dropout: on the attention weights, in every layer.
        residual: add a linear map of each layer's input to its output (as PyG's ``residual=True``).
        activation: after each hidden layer.
        drop_edge: share of the edges that each training pass leaves out, one draw for all layers. An edge and its
            reverse go together; self-loops stay. Each member then has a graph of its own, which costs a sort of its
            edges.
        readout: how nodes become one answer a graph: "mean", "sum", "max", "attention"; then the last layer is as wide
            as the others, and one linear layer follows. None: each node is answered for.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "gat"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.005, "weight_decay": 5e-4, "epochs": 1000, "patience": 100}
    hidden: int = 8
    heads: int = 8
    layers: int = 2
    out_heads: int = 1
    dropout: float = 0.6
    attention_dropout: float = 0.6
    residual: bool = False
    activation: str = "elu"
    drop_edge: float = 0.0
    readout: Readout | None = None

    def __post_init__(self) -> None:
        self._whole("hidden", "heads", "layers", "out_heads")
        self._flag("residual")
        self._fraction("dropout", "attention_dropout", "drop_edge")
        self._choice("activation", ACTIVATIONS)
        self._reads_out()

    @property
    def width(self) -> int:
        """Of the features of nodes that are read out."""
        return self.heads * self.hidden

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> GATCohort:
        return GATCohort(self, inputs, outputs, seeds)


class GATCohort(StackedCohort):
    """Members of :class:`GAT`."""

    smooths: ClassVar[bool] = True
    spec: GAT

    def __init__(self, spec: GAT, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        convs, width = [], inputs
        for layer in range(spec.layers):
            last = layer == spec.layers - 1
            shape = (outputs, spec.out_heads) if last else (spec.hidden, spec.heads)
            convs.append(GATConv(self.members, width, *shape, not last, spec.residual))
            width = convs[-1].outputs
        self.convs: Layers[GATConv] = Layers(convs)

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        spec = self.spec
        weighted = unweighted(graph.with_self_loops(), noise, self._rate(spec.drop_edge))
        dropout = self._rate(spec.attention_dropout)
        steps = self.smoothed([partial(conv, weighted=weighted, attention_p=dropout) for conv in self.convs], graph)
        return Output(*run_layers(x, steps, ACTIVATIONS[spec.activation], noise, self._rate(spec.dropout)))

    def to_pyg(self, i: int) -> PyGStack:
        self.refuse_filter(self._index(i))
        convs = [gat_conv(conv, self._index(i), self.spec.attention_dropout) for conv in self.convs]
        return PyGStack(convs, ACTIVATIONS[self.spec.activation], self.spec.dropout)
