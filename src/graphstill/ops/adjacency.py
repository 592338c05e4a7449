"""The edges of a graph, sorted once: what every product, softmax and edge score of this package runs on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Unpack

import torch
from torch import Tensor

from graphstill.errors import ConfigError, DataError
from graphstill.ops import _csr
from graphstill.ops._pattern import Pattern
from graphstill.ops._structure import Extras, Structure, joined_extras
from graphstill.ops.weights import EdgeWeights, Kind, Owner, from_degrees, tensor_of


class Adjacency(Structure):
    """Edges of one graph sorted by target, then source (CSR: row = target), with its transpose, cached.

    Sorting makes every result independent of the order in which the edges were given. Duplicate edges and self-loops
    are kept and count as often as they occur.

    Attributes:
        num_nodes, num_edges: N and E.
        ptr: int32 [N + 1]; the edges into node i are ptr[i]:ptr[i + 1].
        source, target: int32 [E], in CSR order.
        order: int64 [E]; `edge_index[:, order]` is the CSR order.
        t_ptr, t_target, t_order: the transpose (row = source); `values[t_order]` are their values.
        graph_ptr: int64 [graphs + 1]: nodes of the graphs that a batch is made of, in order; None: one, or not known.
        edge_attr: [E, features] in CSR order, numbers or int64 codes; None: nothing is known of edges.
    """

    def __init__(self, ptr: Tensor, source: Tensor, target: Tensor, order: Tensor, **extras: Unpack[Extras]) -> None:
        """Takes arrays that are sorted already; `from_edge_index` sorts and checks."""
        super().__init__(ptr, source, target, order, **extras)
        self._own = Owner()
        self._weights: dict[tuple[Kind, torch.dtype], EdgeWeights] = {}
        self._by_source: dict[tuple[Kind, torch.dtype], Tensor] = {}
        self._parts: tuple[Adjacency, ...] = ()
        self._looped: Adjacency | None = None
        self._is_looped = False
        self._repeated: dict[int, Adjacency] = {}

    @classmethod
    def from_edge_index(cls, edge_index: Tensor, num_nodes: int, edge_attr: Tensor | None = None) -> Adjacency:
        """From PyG's int64 [2, E] (row 0 source, row 1 target), and what is known of these edges [E, features].

        Raises:
            DataError: not an integer [2, E] array, or a node number outside 0..num_nodes - 1.
        """
        if edge_index.dim() != 2 or edge_index.shape[0] != 2 or edge_index.is_floating_point():
            raise DataError(
                f"edge_index is {edge_index.dtype} {list(edge_index.shape)}. Where: Adjacency.from_edge_index. "
                "Pass an integer tensor [2, edges]: row 0 sources, row 1 targets."
            )
        _csr.check_size(edge_index.shape[1], "edges")
        source, target = edge_index.long()
        if edge_index.numel():
            low, high = (int(bound) for bound in edge_index.aminmax())
            if low < 0 or high >= num_nodes:
                raise DataError(
                    f"edge_index holds node {low if low < 0 else high}, the graph has nodes 0..{num_nodes - 1}. "
                    "Where: Adjacency.from_edge_index. Pass the right num_nodes or renumber the nodes."
                )
        order = torch.argsort(target * num_nodes + source, stable=True)
        ptr = _csr.pointers(target, num_nodes)
        attr = None if edge_attr is None else edge_attr[order]
        return cls(ptr, source[order].int(), target[order].int(), order, edge_attr=attr)

    @classmethod
    def disjoint(cls, parts: Sequence[Adjacency]) -> Adjacency:
        """The block-diagonal union: nodes and edges of the parts one after another. Nothing is sorted again.

        Weights and self-loops of the union are put together from those of the parts, so that a batch of graphs that
        were batched before costs a few concatenations.
        """
        if not parts:
            raise DataError("no graphs to join. Where: Adjacency.disjoint. Pass at least one Adjacency.")
        if len(parts) == 1:
            return parts[0]
        _csr.check_size(sum(part.num_edges for part in parts), "edges")
        union = cls(
            _csr.join_pointers([part.ptr for part in parts]),
            _csr.join([part.source for part in parts], [part.num_nodes for part in parts]),
            _csr.join([part.target for part in parts], [part.num_nodes for part in parts]),
            _csr.join([part.order for part in parts], [part.num_edges for part in parts]),
            **joined_extras(parts),
        )
        union._parts = tuple(parts)
        return union

    @cached_property
    def transposed(self) -> Adjacency:
        """The graph with all edges turned round; `order` of the result is this adjacency's `t_order`."""
        if self._parts:
            return Adjacency.disjoint([part.transposed for part in self._parts])
        order = torch.argsort(self.source, stable=True)
        ptr = _csr.pointers(self.source, self.num_nodes)
        return Adjacency(ptr, self.target[order], self.source[order], order, graph_ptr=self.graph_ptr)

    @cached_property
    def symmetric(self) -> bool:
        """Whether every edge has its reverse, as often as it occurs."""
        if self._parts:
            return all(part.symmetric for part in self._parts)
        return torch.equal(self.ptr, self.t_ptr) and torch.equal(self.source, self.t_target)

    @cached_property
    def order_by_source(self) -> Tensor:
        """int64 [E]: `edge_index[:, order_by_source]` is the order of the transpose."""
        return self.order[self.t_order]

    def repeated(self, count: int) -> Adjacency:
        """`count` copies of the graph side by side, cached: node i of copy k is i * count + k, edge e is e * count + k.

        `order` of the result refers to edges so numbered, e in this adjacency's CSR order: to a flat [E, count].
        """
        if count not in self._repeated:
            if self._parts:
                self._repeated[count] = Adjacency.disjoint([part.repeated(count) for part in self._parts])
            else:
                copies = torch.arange(count, device=self.device)
                edges = (self.edge_index()[:, :, None] * count + copies).flatten(1)
                self._repeated[count] = Adjacency.from_edge_index(edges, self.num_nodes * count)
        return self._repeated[count]

    @cached_property
    def pattern(self) -> Pattern:
        """Where the edges are in the matrix [N, N]."""
        return Pattern(self.ptr, self.source, (self.num_nodes, self.num_nodes))

    @cached_property
    def into(self) -> Pattern:
        """Where ones are in [N, E], so that the product with values [E, K] sums over the edges into each node."""
        edges = torch.arange(self.num_edges, dtype=torch.int32, device=self.device)
        return Pattern(self.ptr, edges, (self.num_nodes, self.num_edges))

    @cached_property
    def out_of(self) -> Pattern:
        """The same for the edges out of each node."""
        return Pattern(self.t_ptr, self.t_order.int(), (self.num_nodes, self.num_edges))

    def sum_into(self, values: Tensor, by_source: bool = False) -> Tensor:
        """Sums over the edges into (out of) each node, without autograd: [M, E, K] -> [M, N, K]."""
        pattern = self.out_of if by_source else self.into
        return pattern.product(self.ones(values.dtype).values, values, constant=True)

    @property
    def t_ptr(self) -> Tensor:
        return self.transposed.ptr

    @property
    def t_target(self) -> Tensor:
        return self.transposed.source

    @property
    def t_order(self) -> Tensor:
        return self.transposed.order

    def with_self_loops(self) -> Adjacency:
        """The same graph with exactly one self-loop at each node (cached), as PyG's `add_remaining_self_loops`.

        `order` of the result refers to the edges other than self-loops in this adjacency's CSR order, then one loop
        a node.
        """
        if self._is_looped:
            return self
        if self._looped is None:
            if self._parts:
                self._looped = Adjacency.disjoint([part.with_self_loops() for part in self._parts])
            else:
                edges = self.edge_index()
                loops = torch.arange(self.num_nodes, device=self.device).expand(2, -1)
                edges = torch.cat([edges[:, edges[0] != edges[1]], loops], dim=1)
                self._looped = Adjacency.from_edge_index(edges, self.num_nodes)
                self._looped.graph_ptr = self.graph_ptr
            # A flag instead of a reference to itself, so that batches of an epoch are freed at once.
            self._looped._is_looped = True
        return self._looped

    def ones(self, dtype: torch.dtype) -> EdgeWeights:
        """[E], cached."""
        return self.weights("ones", dtype)

    def gcn_weights(self, dtype: torch.dtype) -> EdgeWeights:
        """D^-1/2 A D^-1/2 of this adjacency with in-degrees D, [E], cached; as PyG's `gcn_norm` without adding loops.

        A node that nothing points at has weight 0 on its outgoing edges.
        """
        return self.weights("gcn", dtype)

    def mean_weights(self, dtype: torch.dtype) -> EdgeWeights:
        """1 / in-degree of the target, [E], cached."""
        return self.weights("mean", dtype)

    def weights(self, kind: Kind, dtype: torch.dtype) -> EdgeWeights:
        """Weights of a kind, [E], cached; those of a union are put together from its parts'."""
        if (kind, dtype) not in self._weights:
            if self._parts:
                values = torch.cat([part.weights(kind, dtype).values for part in self._parts])
            else:
                values = from_degrees(kind, self.ptr, self.source, self.target).to(dtype)
            self._weights[kind, dtype] = EdgeWeights(kind, values, self._own)
        return self._weights[kind, dtype]

    def product(self, weights: EdgeWeights | Tensor, x: Tensor, scale: float = 1.0) -> Tensor:
        """scale times the sum of weights[.., e] * x[m, source_e] over the edges into each node, without autograd.

        Shapes: weights [E] or [M or 1, E] in CSR order, x [M or 1, N, D] -> [M, N, D]. Weights that this adjacency
        made are fastest.
        """
        return self.pattern.product(self.values_of(weights), x, scale, isinstance(weights, EdgeWeights))

    def transposed_product(self, weights: EdgeWeights | Tensor, x: Tensor, scale: float = 1.0) -> Tensor:
        """The same along the reversed edges: x at the targets, summed for each source."""
        constant = isinstance(weights, EdgeWeights)
        return self.transposed.pattern.product(self.by_source(weights), x, scale, constant)

    def product_both_ways(self, values: Tensor, x: Tensor) -> Tensor:
        """`product` plus `transposed_product`, in one product where every edge has its reverse."""
        if self.symmetric:
            return self.product(values + self.by_source(values), x)
        return self.product(values, x).add_(self.transposed_product(values, x))

    def by_source(self, weights: EdgeWeights | Tensor) -> Tensor:
        """Weights [.., E] in the order of the transpose; kept for those that this adjacency made."""
        values = self.values_of(weights)
        if not isinstance(weights, EdgeWeights):
            return values.index_select(-1, self.t_order)
        name = (weights.kind, weights.dtype)
        if name not in self._by_source:
            self._by_source[name] = values.index_select(0, self.t_order)
        return self._by_source[name]

    def in_precision(self, weights: EdgeWeights | Tensor, dtype: torch.dtype) -> EdgeWeights | Tensor:
        """Weights [.., E] in another precision; kept for those that this adjacency made."""
        if weights.dtype == dtype:
            return weights
        values = self.values_of(weights)
        if not isinstance(weights, EdgeWeights):
            return values.to(dtype)
        if (weights.kind, dtype) not in self._weights:
            self._weights[weights.kind, dtype] = EdgeWeights(weights.kind, values.to(dtype), self._own)
        return self._weights[weights.kind, dtype]

    def values_of(self, weights: EdgeWeights | Tensor) -> Tensor:
        """Weights as a tensor.

        Raises:
            ConfigError: they are those that another graph made.
        """
        if isinstance(weights, EdgeWeights) and weights.owner is not self._own:
            raise ConfigError(
                f"{weights.kind} weights of {list(weights.shape)} edges come from another graph than {self}. Where: "
                "Adjacency. Take weights from the graph that they are used with."
            )
        return tensor_of(weights)

    def matrix(self, weights: EdgeWeights | Tensor) -> Tensor:
        """The sparse [N, N] tensor with these weights [E], which shares their memory."""
        return self.pattern.matrix(self.values_of(weights))

    def to(self, device: torch.device | str) -> Adjacency:
        """This adjacency on a device; itself where it is there already."""
        device = torch.device(device)
        if self.ptr.device == device or (device.index is None and self.ptr.device.type == device.type):
            return self
        arrays = (array.to(device) for array in (self.ptr, self.source, self.target, self.order))
        return Adjacency(*arrays, **self.extras(device))
