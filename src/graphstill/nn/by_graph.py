"""Any network of nodes as a network of graphs: its layers, a readout, and one linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError
from graphstill.nn.activations import ACTIVATIONS
from graphstill.nn.cohort import Cohort, Specification
from graphstill.nn.layers import Linear, drop
from graphstill.nn.output import Hidden, Output
from graphstill.nn.readout import Pool, Readout
from graphstill.nn.stacked import StackedCohort
from graphstill.ops import Adjacency, Noise, SparseFeatures


class ReadOutSpecification(Specification, Protocol):
    """What it knows of its model."""

    @property
    def readout(self) -> Readout | None: ...

    @property
    def hidden(self) -> int: ...


def width_of(spec: ReadOutSpecification) -> int:
    """Of the features of nodes that are read out."""
    return int(getattr(spec, "width", spec.hidden))


class ByGraph(StackedCohort):
    """Members of a model with a readout.

    The model's layers all have its hidden width, and the activation follows each of them; then come the readout,
    dropout, and a linear layer. Hidden layers are those of nodes, the last one included.
    """

    spec: ReadOutSpecification

    def __init__(self, spec: ReadOutSpecification, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        width = width_of(spec)
        encoder = spec.allocate(inputs, width, seeds)
        if not isinstance(encoder, StackedCohort) or spec.readout is None:
            raise ConfigError(f"{spec} has no readout, or is no network of the zoo: it cannot answer by graph")
        self.encoder: StackedCohort = encoder
        self.pool = Pool(self.members, width, spec.readout)
        self.head = Linear(self.members, width, outputs)

    @property
    def noiseless(self) -> bool:
        return self.encoder.noiseless

    def smooth(self, width: float) -> None:
        self.encoder.smooth(width)

    @property
    def filtered(self) -> bool:
        return self.encoder.filtered

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        options = self.spec.options()
        out = self.encoder.network(x, graph, noise)
        p = self._rate(options.get("dropout", 0.0))
        post = ACTIVATIONS[options.get("activation", "relu")](out.logits)
        last = Hidden(out.logits, post, drop(post, noise, p))
        pooled = self.pool(last.post, graph)
        return Output(self.head(pooled, noise, p), (*out.hidden, last))

    def _empty(self, seeds: Sequence[int]) -> Cohort:
        return ByGraph(self.spec, self.inputs, self.outputs, seeds)

    def to_pyg(self, i: int) -> PyGByGraph:
        from graphstill.nn.pyg import linear

        i, options = self._index(i), self.spec.options()
        gate = None if self.pool.gate is None else linear(self.pool.gate, i)
        nodes = self.encoder.to_pyg(i)
        activation = ACTIVATIONS[options.get("activation", "relu")]
        return PyGByGraph(nodes, self.pool.how, gate, linear(self.head, i), activation, options.get("dropout", 0.0))


class PyGByGraph(nn.Module):
    """Standard PyG layers, a global pooling, a linear layer: ``forward(x, edge_index, batch)``, initially "
    "evaluating."""

    def __init__(
        self, nodes: nn.Module, how: str, gate: nn.Module | None, head: nn.Module, activation: Any, dropout: float
    ) -> None:
        super().__init__()
        self.nodes, self.how, self.gate, self.head = nodes, how, gate, head
        self.activation, self.dropout = activation, dropout
        self.eval()

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool
        from torch_geometric.utils import softmax

        h = self.activation(self.nodes(x, edge_index))
        batch = torch.zeros(len(h), dtype=torch.int64, device=h.device) if batch is None else batch
        if self.gate is not None:
            pooled = global_add_pool(softmax(self.gate(h), batch) * h, batch)
        else:
            pools = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}
            pooled = pools[self.how](h, batch)
        out: Tensor = self.head(nn.functional.dropout(pooled, self.dropout, self.training))
        return out
