"""GINE: graph isomorphism networks that read features of edges; the network of molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from graphstill.nn.edge_kinds import EdgeMessages
from graphstill.nn.init import fill_, glorot_
from graphstill.nn.layers import BatchNorm, Features, Layers, Linear, MemberModule, drop, multiply
from graphstill.nn.model import Model
from graphstill.nn.output import Hidden, Output
from graphstill.nn.readout import Pool, Readout
from graphstill.nn.registry import register_model
from graphstill.nn.stacked import StackedCohort
from graphstill.ops import Adjacency, Noise, SparseFeatures


@register_model
@dataclass(frozen=True)
class GINE(Model):
    """Graph isomorphism network with features of edges.

    Hu et al., Strategies for Pre-training Graph Neural Networks, ICLR 2020, section 4.1; blocks, virtual node and
    defaults as in the examples of the Open Graph Benchmark (Hu et al., NeurIPS 2020):

        a_i = sum over j of ReLU(h_j + e_ji),  h_i <- dropout(ReLU(BN(MLP((1 + eps) h_i + a_i))))

    with e from tables of the edges' codes (or linear in their numbers), eps learnt, an MLP of twice the width with
    batch normalisation, and no ReLU after the last layer.

    Args:
        hidden: width of the features of nodes. layers: layers of messages.
        dropout: after each layer.
        virtual_node: whether each graph has a node that all others exchange features with, between the layers.
        residual: whether a layer's input is added to its output.
        readout: how nodes become one answer a graph: "mean", "sum", "max", "attention"; None: each node is answered
        for.
        edge_codes: how many values each column of the edges' features can have; edge_width: columns, where these are
            numbers. Filled in from the task when a training begins.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "gine"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.001, "weight_decay": 0.0, "epochs": 100, "patience": None}
    hidden: int = 64
    layers: int = 5
    dropout: float = 0.5
    virtual_node: bool = False
    residual: bool = False
    readout: Readout | None = None
    edge_codes: tuple[int, ...] | None = None
    edge_width: int = 0

    def __post_init__(self) -> None:
        self._whole("hidden", "layers")
        self._whole("edge_width", minimum=0)
        self._flag("virtual_node", "residual")
        self._fraction("dropout")
        self._reads_out()
        if self.edge_codes is not None:
            object.__setattr__(self, "edge_codes", tuple(self.edge_codes))
            if not self.edge_codes or min(self.edge_codes) < 1:
                self._refuse("edge_codes", "the number of values of each column, at least 1, or None")

    def fitted(self, edge_codes: tuple[int, ...] | None, edge_width: int) -> GINE:
        """The same for edges with these features."""
        return replace(self, edge_codes=edge_codes, edge_width=0 if edge_codes is not None else edge_width)

    def allocated(self, inputs: int, outputs: int, seeds: Sequence[int]) -> GINECohort:
        return self.allocate(inputs, outputs, seeds)

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> GINECohort:
        return GINECohort(self, inputs, outputs, seeds)


class GINECohort(StackedCohort):
    """Members of :class:`GINE`."""

    spec: GINE

    def __init__(self, spec: GINE, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        members, width = self.members, spec.hidden
        self.first = Tables(members, inputs, width)
        self.convs: Layers[GINEConv] = Layers(
            GINEConv(members, width, spec.edge_codes, spec.edge_width) for _ in range(spec.layers)
        )
        self.norms: Layers[BatchNorm] = Layers(BatchNorm(members, width) for _ in range(spec.layers))
        virtual = spec.layers - 1 if spec.virtual_node else 0
        self.virtual = Start(members, width) if spec.virtual_node else None
        self.updates: Layers[VirtualUpdate] = Layers(VirtualUpdate(members, width) for _ in range(virtual))
        self.pool = None if spec.readout is None else Pool(members, width, spec.readout)
        self.head = Linear(members, width, outputs)

    @property
    def noiseless(self) -> bool:
        return False

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        spec, p = self.spec, self._rate(self.spec.dropout)
        h, hidden, virtual = self.first(x), list[Hidden](), None
        if self.virtual is not None:
            virtual = self.virtual.weight.unsqueeze(1).expand(-1, graph.groups.count, -1)
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            if virtual is not None:
                h = h + graph.groups.spread(virtual)
            pre = norm(conv(h, graph, noise), training=noise is not None)
            post = pre if number == spec.layers - 1 else torch.relu(pre)
            dropped = drop(post, noise, p)
            if virtual is not None and number < spec.layers - 1:
                update = self.updates[number]
                virtual = drop(update(graph.groups.sum(h) + virtual, noise), noise, p)
            h = dropped + h if spec.residual else dropped
            hidden.append(Hidden(pre, post, dropped))
        return Output(self.head(h if self.pool is None else self.pool(h, graph)), tuple(hidden))

    def to_pyg(self, i: int) -> nn.Module:
        from graphstill.nn.pyg_gine import PyGGINE

        return PyGGINE(self, self._index(i))


class Tables(MemberModule):
    """x W without a bias: of features that are ones in the columns of codes, the sum of one table entry a column."""

    def __init__(self, members: int, inputs: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, width))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        glorot_(self.weight[i], generator)

    def forward(self, x: Features) -> Tensor:
        return multiply(x, self.weight)


class Start(MemberModule):
    """What a virtual node is before the first layer: learnt, 0 at first."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, width))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fill_(self.weight[i], 0.0)


class GINEConv(MemberModule):
    """``MLP((1 + eps) h + messages)``; PyG's ``GINEConv`` with ``train_eps``, on embedded edges."""

    def __init__(self, members: int, width: int, codes: Sequence[int] | None, edge_width: int) -> None:
        super().__init__()
        self.edges = EdgeMessages(members, width, codes, edge_width)
        self.eps = nn.Parameter(torch.empty(members, 1))
        self.first = Linear(members, width, 2 * width)
        self.norm = BatchNorm(members, 2 * width)
        self.second = Linear(members, 2 * width, width)

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fill_(self.eps[i], 0.0)

    def forward(self, h: Tensor, graph: Adjacency, noise: Noise | None) -> Tensor:
        mixed = torch.addcmul(h + self.edges(h, graph), h, self.eps.unsqueeze(1))
        return self.second(torch.relu(self.norm(self.first(mixed), training=noise is not None)))


class VirtualUpdate(MemberModule):
    """Linear to twice the width, normalisation, ReLU, and back the same way."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.first, self.norm = Linear(members, width, 2 * width), BatchNorm(members, 2 * width)
        self.second, self.last = Linear(members, 2 * width, width), BatchNorm(members, width)

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        """Nothing of its own: the parts are members' modules themselves."""

    def forward(self, v: Tensor, noise: Noise | None) -> Tensor:
        training = noise is not None
        inner = torch.relu(self.norm(self.first(v), training=training))
        return torch.relu(self.last(self.second(inner), training=training))
