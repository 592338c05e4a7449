"""MLP: no graph at all; the student of GLNN and its relatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn

from graphstill.nn.activations import ACTIVATIONS
from graphstill.nn.layers import BatchNorm, Features, Layers, Linear, run_layers
from graphstill.nn.model import Model
from graphstill.nn.output import Output
from graphstill.nn.pyg import PyGStack, batch_norm, linear
from graphstill.nn.readout import Readout
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class MLP(Model):
    """Multilayer perceptron on each node's own features; it takes the graph and does not look at it.

    Args:
        hidden: width of each hidden layer.
        layers: weight layers; two have one hidden layer between them.
        dropout: on the input features and on each hidden layer.
        batch_norm: batch normalisation before each activation.
        activation: after each hidden layer.
        readout: how nodes become one answer a graph: "mean", "sum", "max", "attention"; then all layers have the hidden
            width, and one linear layer follows. None: each node is answered for.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "mlp"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.01, "weight_decay": 5e-4, "epochs": 200, "patience": None}
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5
    batch_norm: bool = False
    activation: str = "relu"
    readout: Readout | None = None

    def __post_init__(self) -> None:
        self._whole("hidden", "layers")
        self._flag("batch_norm")
        self._fraction("dropout")
        self._choice("activation", ACTIVATIONS)
        self._reads_out()

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> MLPCohort:
        return MLPCohort(self, inputs, outputs, seeds)


class MLPCohort(StackedCohort):
    """Members of :class:`MLP`."""

    graphless: ClassVar[bool] = True
    spec: MLP

    def __init__(self, spec: MLP, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        widths = [inputs, *[spec.hidden] * (spec.layers - 1), outputs]
        self.lins: Layers[Linear] = Layers(Linear(self.members, *pair) for pair in pairwise(widths))
        norms = spec.layers - 1 if spec.batch_norm else 0
        self.norms: Layers[BatchNorm] = Layers(BatchNorm(self.members, spec.hidden) for _ in range(norms))

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        steps = [self._step(i) for i in range(len(self.lins))]
        return Output(*run_layers(x, steps, ACTIVATIONS[self.spec.activation], noise, self._rate(self.spec.dropout)))

    def _step(self, i: int) -> nn.Module | _Normalised:
        return _Normalised(self.lins[i], self.norms[i]) if i < len(self.norms) else self.lins[i]

    def to_pyg(self, i: int) -> PyGStack:
        i = self._index(i)
        lins, norms = [linear(lin, i) for lin in self.lins], [batch_norm(norm, i) for norm in self.norms]
        return PyGStack(lins, ACTIVATIONS[self.spec.activation], self.spec.dropout, norms)


@dataclass(frozen=True)
class _Normalised:
    """A linear layer with batch normalisation behind it, as one step."""

    linear: nn.Module
    norm: nn.Module

    def __call__(self, x: Features, noise: Noise | None, p: float) -> Tensor:
        out: Tensor = self.norm(self.linear(x, noise, p), training=noise is not None)
        return out
